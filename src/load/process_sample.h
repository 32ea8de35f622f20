// What the broker's process has used so far, as /proc tells it.
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

    static std::optional<ProcessSample> take(uint32_t pid);
};

struct ProcessorTicks {
    uint64_t user;
    uint64_t system;
};
// utime and stime of the text of /proc/PID/stat.
std::optional<ProcessorTicks> processor_ticks_of(std::string_view stat);
// VmRSS + HugetlbPages, in bytes, of the text of /proc/PID/status.
std::optional<uint64_t> memory_bytes_of(std::string_view status);

}  // namespace millrace
