// Checking UTF-8 (RFC 3629): eight bytes at a time while it's ASCII, byte by byte after.
// Owned by: nothing is kept. Thread: any.
// Not here: what MQTT demands of its strings (codec/mqtt/topic_name.h).
#pragma once

#include "base/bytes.h"
#include "base/eight_bytes.h"

namespace millrace {

// Length of the character whose first byte is at `at`, 1 to 4; 0 when no well-formed one is there.
// `remaining` is at least 1.
inline size_t utf8_character_bytes(const uint8_t* at, size_t remaining) {
    const auto is_continuation = [](uint8_t byte) { return (byte & 0xc0) == 0x80; };
    const uint8_t lead = at[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    const size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (remaining < bytes) return 0;
    // The second byte has a narrower range after E0 (overlong), ED (surrogates), F0 (overlong) and
    // F4 (past U+10FFFF).
    const uint8_t second = at[1];
    const uint8_t second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < second_min || second > second_max) return 0;
    if (bytes >= 3 && !is_continuation(at[2])) return 0;
    if (bytes == 4 && !is_continuation(at[3])) return 0;
    return bytes;
}

namespace utf8_detail {

// All eight bytes are ASCII, and none is zero unless that is allowed. Taking one from each byte
// sets the high bit of a zero byte; the borrow can only spoil bytes above one that is zero.
template <bool allow_zero>
bool is_plain(const uint8_t* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    if constexpr (allow_zero) return (word & eight_high_bits) == 0;
    return (((word - eight_ones) | word) & eight_high_bits) == 0;
}

template <bool allow_zero>
bool is_well_formed(const uint8_t* next, size_t remaining) {
    const size_t whole = remaining;
    while (remaining > 0) {
        if (remaining >= 8 && is_plain<allow_zero>(next)) {
            next += 8;
            remaining -= 8;
            continue;
        }
        // The tail as the last whole word, some of which has been seen already.
        if (remaining < 8 && whole >= 8 && is_plain<allow_zero>(next + remaining - 8)) return true;
        const size_t bytes =
            !allow_zero && *next == 0 ? 0 : utf8_character_bytes(next, remaining);
        if (bytes == 0) return false;
        next += bytes;
        remaining -= bytes;
    }
    return true;
}

}  // namespace utf8_detail

// Every character of Unicode may stand in it, U+0000 too.
inline bool is_well_formed_utf8(Bytes bytes) {
    return utf8_detail::is_well_formed<true>(bytes.data(), bytes.size());
}
// The same without U+0000.
inline bool is_well_formed_utf8_without_zero(Bytes bytes) {
    return utf8_detail::is_well_formed<false>(bytes.data(), bytes.size());
}

}  // namespace millrace
