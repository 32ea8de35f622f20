#include "server/kernel_memory.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("kernel memory: what TCP sockets buffer is counted in pages") {
    constexpr std::string_view text = "sockets: used 283\nTCP: inuse 5 orphan 0 tw 0 alloc 7 mem 12\n"
                                      "UDP: inuse 2 mem 3\n";
    CHECK(tcp_buffer_bytes_of(text, 4'096) == 49'152);
    CHECK_FALSE(tcp_buffer_bytes_of("", 4'096));
    CHECK_FALSE(tcp_buffer_bytes_of("UDP: inuse 2 mem 3\n", 4'096));
    CHECK_FALSE(tcp_buffer_bytes_of("TCP: inuse 5\nUDP: inuse 2 mem 3\n", 4'096));
    CHECK_FALSE(tcp_buffer_bytes_of("TCP: mem x\n", 4'096));
    CHECK_FALSE(tcp_buffer_bytes_of("TCP: inuse 1 mem 18446744073709551615", 4'096));
}

TEST_CASE("kernel memory: a ring takes what its entries and its table of files take") {
    const UringOptions uring{.submission_entries = 64, .completion_entries = 128,
                             .receive_buffer_count = 8};
    CHECK(ring_bytes(uring, 1'000) == 64 * 68 + 128 * 16 + 8 * 16 + 8'000);
}
