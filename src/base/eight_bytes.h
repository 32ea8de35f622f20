// Looking at eight bytes of text at once.
#pragma once

#include <cstdint>

namespace millrace {

inline constexpr uint64_t eight_ones = 0x0101010101010101u;
inline constexpr uint64_t eight_high_bits = 0x8080808080808080u;

// True when some byte of `word` is zero; exact as a yes or no.
constexpr bool has_zero_byte(uint64_t word) {
    return ((word - eight_ones) & ~word & eight_high_bits) != 0;
}

}  // namespace millrace
