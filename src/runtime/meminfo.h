// What the kernel says of the host's memory (/proc/meminfo, proc_meminfo(5)).
// Owned by: values. Thread: any.
// Holds:    a line that is missing, says nonsense or doesn't fit in 64 bits is 0: not known.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace {

struct Meminfo {
    uint64_t total_bytes = 0;
    uint64_t swap_bytes = 0;  // in all
    uint64_t huge_pages = 0;  // of the default size, as the next two
    uint64_t huge_pages_free = 0;
    uint64_t huge_page_bytes = 0;
};

Meminfo parse_meminfo(std::string_view text);
// Of the running host.
Meminfo read_meminfo();

}  // namespace millrace
