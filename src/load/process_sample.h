// What the broker's process has used so far, as /proc tells it.
// Owned by: values. Thread: any.
// Holds:    nullopt when the process or a field isn't there.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

struct ProcessSample {
    double processor_seconds = 0;  // user and system time; the kernel counts in ticks of 10 ms
    uint64_t memory_bytes = 0;     // VmRSS and HugetlbPages

    static std::optional<ProcessSample> take(uint32_t pid);
};

// utime + stime, in ticks, of the text of /proc/PID/stat.
std::optional<uint64_t> processor_ticks_of(std::string_view stat);
// VmRSS + HugetlbPages, in bytes, of the text of /proc/PID/status.
std::optional<uint64_t> memory_bytes_of(std::string_view status);

}  // namespace millrace
