// Bytes as text (RFC 4648, 4), with padding and without line ends.
// Owned by: nobody; functions. Thread: any.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

namespace base64_detail {

inline constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline constexpr auto values = [] {
    std::array<int8_t, 256> table{};
    table.fill(-1);
    for (size_t index = 0; index < digits.size(); ++index) {
        table[static_cast<uint8_t>(digits[index])] = static_cast<int8_t>(index);
    }
    return table;
}();

}  // namespace base64_detail

inline std::string base64(std::string_view bytes) {
    std::string out;
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const size_t count = std::min<size_t>(3, bytes.size() - at);
        uint32_t group = 0;
        for (size_t index = 0; index < 3; ++index) {
            group = group << 8 | (index < count ? static_cast<uint8_t>(bytes[at + index]) : 0u);
        }
        for (size_t index = 0; index < 4; ++index) {
            out += index > count ? '=' : base64_detail::digits[group >> (18 - 6 * index) & 63];
        }
    }
    return out;
}

// Empty when it isn't that, or has anything else in it.
inline std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    text.remove_suffix(text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0);
    std::vector<uint8_t> out;
    uint32_t group = 0;
    uint32_t bits = 0;
    for (const char letter : text) {
        const int8_t value = base64_detail::values[static_cast<uint8_t>(letter)];
        if (value < 0) return std::nullopt;
        group = group << 6 | static_cast<uint32_t>(value);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out.push_back(static_cast<uint8_t>(group >> bits));
    }
    // Bits that say nothing are 0 (3.5).
    if ((group & ((1u << bits) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace millrace
