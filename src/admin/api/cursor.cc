#include "admin/api/cursor.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "base/utf8.h"

namespace millrace {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto values = [] {
    std::array<int8_t, 256> table{};
    table.fill(-1);
    for (size_t index = 0; index < digits.size(); ++index) {
        table[static_cast<uint8_t>(digits[index])] = static_cast<int8_t>(index);
    }
    return table;
}();

// Takes a hexadecimal number and the dot behind it from the front.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
    const size_t dot = text.find('.');
    if (dot == text.npos || dot == 0) return false;
    const auto [rest, code] = std::from_chars(text.data(), text.data() + dot, number, 16);
    if (code != std::errc() || rest != text.data() + dot) return false;
    text.remove_prefix(dot + 1);
    return true;
}

}  // namespace

std::string to_text(const ApiCursor& cursor) {
    return fmt::format("{:x}.{:x}.{:x}.{}", cursor.shard, cursor.place, cursor.number,
                       cursor.after);
}

ApiResult<ApiCursor> read_cursor(const std::optional<std::string>& text, uint32_t shard_count) {
    if (!text) return ApiCursor{};
    ApiCursor cursor;
    std::string_view rest = *text;
    if (!take_number(rest, cursor.shard) || !take_number(rest, cursor.place) ||
        !take_number(rest, cursor.number) || cursor.shard >= shard_count) {
        return refuse(ApiFault::invalid_argument, "query cursor",
                      "not what \"next\" of a page before had; without it the list begins anew");
    }
    cursor.after = rest;
    return cursor;
}

std::string base64(std::string_view bytes) {
    std::string out;
    for (size_t at = 0; at < bytes.size(); at += 3) {
        const size_t count = std::min<size_t>(3, bytes.size() - at);
        uint32_t group = 0;
        for (size_t index = 0; index < 3; ++index) {
            group = group << 8 | (index < count ? static_cast<uint8_t>(bytes[at + index]) : 0u);
        }
        for (size_t index = 0; index < 4; ++index) {
            out += index > count ? '=' : digits[group >> (18 - 6 * index) & 63];
        }
    }
    return out;
}

std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
    text.remove_suffix(padding);
    std::vector<uint8_t> out;
    uint32_t group = 0;
    uint32_t bits = 0;
    for (const char letter : text) {
        const int8_t value = values[static_cast<uint8_t>(letter)];
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
