// What the kernel says of the host's memory.
#include "runtime/meminfo.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("meminfo: kilobytes become bytes, pages are counted") {
    const Meminfo found = parse_meminfo("MemTotal:       1024 kB\nMemFree:  3 kB\n"
                                        "SwapTotal: 2 kB\nAnonHugePages:  99 kB\nHugePages_Total:    8\n"
                                        "HugePages_Free:     5\nHugepagesize:   2048 kB");
    CHECK(found.total_bytes == 1'048'576);
    CHECK(found.swap_bytes == 2'048);
    CHECK(found.huge_pages == 8);
    CHECK(found.huge_pages_free == 5);
    CHECK(found.huge_page_bytes == 2'097'152);
}

TEST_CASE("meminfo: what is missing, no number or too large isn't known") {
    CHECK(parse_meminfo("").total_bytes == 0);
    CHECK(parse_meminfo("MemTotal:").total_bytes == 0);
    CHECK(parse_meminfo("MemTotal: many kB").total_bytes == 0);
    CHECK(parse_meminfo("MemTotal: 12x kB").total_bytes == 0);
    CHECK(parse_meminfo("MemTotal: -1 kB").total_bytes == 0);
    CHECK(parse_meminfo("MemTotal: 18446744073709551615 kB").total_bytes == 0);
    CHECK(parse_meminfo("HugePages_Free: 99999999999999999999").huge_pages_free == 0);
    CHECK(parse_meminfo("NotMemTotal: 7 kB\nMemTotal: 1 kB").total_bytes == 1'024);
}

TEST_CASE("meminfo: the running host has memory") {
    CHECK(read_meminfo().total_bytes > 0);
}
