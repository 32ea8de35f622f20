#include "runtime/process_memory.h"

#include <doctest/doctest.h>

#include <vector>

using namespace millrace;

TEST_CASE("process memory: kilobytes become bytes, each under its name") {
    const auto found = parse_process_memory("Name:\tx\nVmPeak:\t 9 kB\nVmSize:\t    7 kB\n"
                                            "VmHWM:\t 5 kB\nVmRSS:\t    100 kB\n"
                                            "HugetlbPages:\t 28 kB\n");
    REQUIRE(found);
    CHECK(found->resident_bytes == 102'400);
    CHECK(found->resident_peak_bytes == 5'120);
    CHECK(found->huge_page_bytes == 28'672);
    CHECK(found->virtual_bytes == 7'168);
}

TEST_CASE("process memory: what is missing isn't known") {
    const auto found = parse_process_memory("Name:\tx\nVmRSS:\t  1 kB\n");
    REQUIRE(found);
    CHECK(found->resident_bytes == 1'024);
    CHECK(found->huge_page_bytes == 0);
    CHECK_FALSE(parse_process_memory("Name:\tx\n"));
    CHECK_FALSE(parse_process_memory(""));
    CHECK_FALSE(parse_process_memory("x\nVmRSS:"));
    CHECK_FALSE(parse_process_memory("x\nVmRSS: much"));
    CHECK_FALSE(parse_process_memory("x\nVmRSS: 18446744073709551615 kB"));
}

TEST_CASE("process memory: this process has some, and more after it took more") {
    const ProcessMemory before = read_process_memory();
    CHECK(before.resident_bytes > 0);
    CHECK(before.virtual_bytes >= before.resident_bytes);
    const std::vector<char> taken(64 * 1'024 * 1'024, 'x');
    CHECK(read_process_memory().resident_bytes >= before.resident_bytes + taken.size() / 2);
    const HeapFigures heap = read_heap_figures();
    // Under a sanitizer nobody says.
    if (heap.committed_bytes) CHECK(*heap.committed_bytes >= taken.size());
    if (heap.used_bytes) CHECK(*heap.used_bytes >= taken.size());
    CHECK_FALSE(read_proc_file("/proc/self/no such file"));
}
