// Checking UTF-8: eight bytes at a time while the text is ASCII, byte by byte after that.
#include "codec/mqtt/utf8.h"

#include "codec/mqtt/eight_bytes.h"
#include "codec/mqtt/topic_name.h"

namespace millrace::mqtt {
namespace {

bool is_continuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Length of the multi-byte sequence at `at`, or 0 when it isn't one. The first continuation byte
// has a narrower range after E0 (overlong), ED (surrogates), F0 (overlong) and F4 (past U+10FFFF).
size_t sequence_bytes(const uint8_t* at, size_t remaining) {
    const uint8_t lead = at[0];
    if (lead < 0xc2 || lead > 0xf4) return 0;
    const size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (remaining < bytes) return 0;
    const uint8_t second = at[1];
    const uint8_t second_min = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t second_max = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < second_min || second > second_max) return 0;
    if (bytes >= 3 && !is_continuation(at[2])) return 0;
    if (bytes == 4 && !is_continuation(at[3])) return 0;
    return bytes;
}

// All eight bytes are ASCII, and none is zero unless that is allowed. Taking one from each byte
// sets the high bit of a zero byte; the borrow can only spoil bytes above one that is zero.
template <bool allow_zero>
bool is_plain(uint64_t word) {
    if constexpr (allow_zero) return (word & high_bits) == 0;
    return (((word - ones) | word) & high_bits) == 0;
}

uint64_t load_word(const uint8_t* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return word;
}

template <bool allow_zero>
bool is_valid(const uint8_t* next, size_t remaining) {
    const size_t whole = remaining;
    while (remaining > 0) {
        if (remaining >= 8 && is_plain<allow_zero>(load_word(next))) {
            next += 8;
            remaining -= 8;
            continue;
        }
        // The tail as the last whole word, some of which has been seen already.
        if (remaining < 8 && whole >= 8 && is_plain<allow_zero>(load_word(next + remaining - 8))) {
            return true;
        }
        size_t bytes = 1;
        if (*next >= 0x80) bytes = sequence_bytes(next, remaining);
        else if (!allow_zero && *next == 0) bytes = 0;
        if (bytes == 0) return false;
        next += bytes;
        remaining -= bytes;
    }
    return true;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
    const Bytes bytes = as_bytes(text);
    return is_valid<false>(bytes.data(), bytes.size());
}

bool is_well_formed_utf8(Bytes payload) { return is_valid<true>(payload.data(), payload.size()); }

}  // namespace millrace::mqtt
