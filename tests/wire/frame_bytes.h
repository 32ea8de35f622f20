// Making and changing frames for the tests of the wire formats.
// Owned by: one test. Thread: one.
// Holds:    sums are computed word by word, as RFC 1071 describes them, and not by the code that
//           is tested.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "wire/address.h"
#include "wire/addresses.h"

namespace millrace {

using FrameBytes = std::vector<uint8_t>;

inline FrameBytes copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

inline FrameBytes from_hex(std::string_view text) {
    const auto digit = [](char character) {
        return static_cast<uint8_t>(character <= '9' ? character - '0' : character - 'a' + 10);
    };
    FrameBytes bytes;
    for (size_t index = 0; index + 1 < text.size(); index += 2) {
        bytes.push_back(static_cast<uint8_t>(digit(text[index]) << 4 | digit(text[index + 1])));
    }
    return bytes;
}

inline uint16_t plain_sum(Bytes bytes) {
    uint64_t sum = 0;
    for (size_t index = 0; index < bytes.size(); ++index) {
        sum += index % 2 == 0 ? uint64_t{bytes[index]} << 8 : bytes[index];
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

inline void put_u16(FrameBytes& frame, size_t at, uint16_t value) {
    frame.at(at) = static_cast<uint8_t>(value >> 8);
    frame.at(at + 1) = static_cast<uint8_t>(value);
}
inline uint16_t get_u16(const FrameBytes& frame, size_t at) {
    return static_cast<uint16_t>(frame.at(at) << 8 | frame.at(at + 1));
}

// Makes the checksum of the IPv4 header good again, in a frame without a tag.
inline FrameBytes with_ipv4_checksum(FrameBytes frame) {
    const size_t header_bytes = (frame.at(14) & 15u) * 4;
    put_u16(frame, 24, 0);
    const uint16_t sum = plain_sum(Bytes(frame).subspan(14, header_bytes));
    put_u16(frame, 24, static_cast<uint16_t>(~sum));
    return frame;
}

// The two hosts of captured_frames.h.
inline constexpr MacAddress mac_a{{0x02, 0, 0, 0, 0, 0x0a}};
inline constexpr MacAddress mac_b{{0x02, 0, 0, 0, 0, 0x0b}};

}  // namespace millrace
