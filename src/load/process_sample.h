// What the broker's process, and the machine under it, have used so far, as /proc tells it.
// Owned by: values. Thread: any.
// Holds:    nullopt when the process or a field isn't there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

struct ProcessSample {
    // Processor time; the kernel counts in ticks of 10 ms. What it did for the network in this
    // process's turn, softirqs included, is system time.
    double user_seconds = 0;
    double system_seconds = 0;
    uint64_t memory_bytes = 0;     // VmRSS and HugetlbPages
    // Of all cores, in whosever turn it was: the generator's receiving is in it too.
    double softirq_seconds = 0;

    static std::optional<ProcessSample> take(uint32_t pid);
};

struct ProcessorTicks {
    uint64_t user;
    uint64_t system;
};
// utime and stime of the text of /proc/PID/stat.
std::optional<ProcessorTicks> processor_ticks_of(std::string_view stat);
// The time of all cores in softirqs, in ticks, of the text of /proc/stat (proc_stat(5)).
std::optional<uint64_t> softirq_ticks_of(std::string_view stat);

}  // namespace millrace
