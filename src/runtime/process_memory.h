// What a process has of the machine's memory, as the kernel and the allocator tell it.
// Owned by: values. Thread: any.
// Holds:    0 or nullopt where nobody says. Pages of a hugetlb pool aren't resident memory to the
//           kernel: they stand for themselves.
// Not here: what a shard does with its part (ledger.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace {

struct ProcessMemory {
    uint64_t resident_bytes = 0;      // VmRSS
    uint64_t resident_peak_bytes = 0; // VmHWM
    uint64_t huge_page_bytes = 0;     // HugetlbPages
    uint64_t virtual_bytes = 0;       // VmSize
};

// Of the text of /proc/PID/status (proc_pid_status(5)); nullopt when VmRSS isn't in it.
std::optional<ProcessMemory> parse_process_memory(std::string_view status);
// Of this process.
ProcessMemory read_process_memory();

// The general allocator of this process: what new, malloc and cold_memory.h take from.
struct HeapFigures {
    std::optional<uint64_t> committed_bytes;       // pages that it has from the kernel
    std::optional<uint64_t> committed_peak_bytes;
    std::optional<uint64_t> used_bytes;            // handed out; mimalloc doesn't count them
};
HeapFigures read_heap_figures();

// A file of /proc: at most 8 KiB of it.
std::optional<std::string> read_proc_file(const std::string& path);

}  // namespace millrace
