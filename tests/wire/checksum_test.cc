#include <doctest/doctest.h>

#include <array>

#include "base/prng.h"
#include "captured_frames.h"
#include "frame_bytes.h"
#include "wire/checksum.h"

using namespace millrace;

namespace {

FrameBytes random_bytes(Prng& random, size_t count) {
    FrameBytes bytes(count);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next());
    return bytes;
}

}  // namespace

TEST_CASE("checksum: the example of RFC 1071 gives its sum") {
    const std::array<uint8_t, 8> example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    CHECK(sum_of(example).folded() == 0xddf2);
    CHECK(sum_of(example).checksum() == 0x220d);
}

TEST_CASE("checksum: no bytes sum to zero, and a single one is the high half of a word") {
    CHECK(sum_of({}).folded() == 0);
    CHECK(sum_of({}).checksum() == 0xffff);
    CHECK(sum_of(std::array<uint8_t, 1>{0xab}).folded() == 0xab00);
}

TEST_CASE("checksum: every length at every alignment sums as word by word") {
    Prng random(7);
    const FrameBytes bytes = random_bytes(random, 400);
    for (size_t offset = 0; offset < 9; ++offset) {
        for (size_t count = 0; count + offset <= bytes.size(); ++count) {
            const Bytes part = Bytes(bytes).subspan(offset, count);
            if (sum_of(part).folded() != plain_sum(part)) FAIL(offset << " " << count);
        }
    }
}

TEST_CASE("checksum: carries of a long run of ones aren't lost") {
    const FrameBytes ones(65'535, 0xff);
    for (const size_t count : {8u, 64u, 72u, 1'460u, 65'534u, 65'535u}) {
        const Bytes part = Bytes(ones).first(count);
        CHECK(sum_of(part).folded() == plain_sum(part));
    }
}

TEST_CASE("checksum: parts that are cut anywhere add up to the whole") {
    Prng random(8);
    const FrameBytes bytes = random_bytes(random, 101);
    const Bytes whole(bytes);
    for (size_t first = 0; first <= whole.size(); ++first) {
        for (size_t second = first; second <= whole.size(); second += 7) {
            const PartialSum sum = sum_of(whole.first(first))
                                       .then(sum_of(whole.subspan(first, second - first)), first)
                                       .then(sum_of(whole.subspan(second)), second);
            if (sum.folded() != plain_sum(whole)) FAIL(first << " " << second);
        }
    }
}

TEST_CASE("checksum: a sum as wide as its type keeps its carry") {
    const PartialSum wide{~uint64_t{0}};
    CHECK(wide.then({3}, 0).folded() == 3);
    CHECK(wide.folded() == 0xffff);
}

TEST_CASE("checksum: the pseudo-header of IPv4 is summed as RFC 9293 draws it") {
    FrameBytes header = from_hex("0a090001c0a80a02" "0006" "05c8");
    CHECK(pseudo_header_sum(ip("10.9.0.1"), ip("192.168.10.2"), 6, 0x5c8).folded() ==
          plain_sum(header));
}

TEST_CASE("checksum: the pseudo-header of IPv6 is summed as RFC 8200 draws it") {
    FrameBytes header = from_hex("fd000000000000000123456789abcdef"
                                 "fe8000000000000000000000000000fe"
                                 "00012345" "0000003a");
    CHECK(pseudo_header_sum(ip("fd00::123:4567:89ab:cdef"), ip("fe80::fe"), 58, 0x12345).folded() ==
          plain_sum(header));
}

TEST_CASE("checksum: headers of a Linux host sum to all ones") {
    for (const std::string_view frame :
         {captured::syn_ipv4, captured::data_ipv4, captured::echo_reply_ipv4}) {
        CHECK(sum_of(Bytes(from_hex(frame)).subspan(14, 20)).folded() == 0xffff);
    }
}
