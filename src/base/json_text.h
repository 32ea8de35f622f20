// Texts, numbers and lists as JSON (RFC 8259).
// Owned by: nobody; functions. Thread: any.
// Holds:    what comes out is valid JSON whatever bytes go in: a byte that is no UTF-8 comes out as
//           a question mark, a control character as its number.
#pragma once

#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/utf8.h"

namespace millrace {

constexpr size_t json_character_bytes_max = 6;  // "\u0000"

// What a terminal may act on (C1 controls), or what hides or turns what stands beside it (the line
// ends of Unicode, marks of direction): written by its number, like ASCII's control characters.
constexpr bool is_control_point(uint32_t point) {
    return (point >= 0x80 && point < 0xa0) || point == 0x061c || point == 0x200e ||
           point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

// Takes one character from the front of `text`, which isn't empty, and writes it for the inside of
// a quoted text: one to six bytes.
template <class Output>
Output write_json_character(Output out, std::string_view& text) {
    const Bytes bytes = as_bytes(text);
    const uint8_t byte = bytes[0];
    const size_t count = utf8_character_bytes(bytes.data(), bytes.size());
    const std::string_view character = text.substr(0, count == 0 ? 1 : count);
    text.remove_prefix(character.size());
    // Those in question have two or three bytes.
    const uint32_t point = count == 2   ? (byte & 0x1fu) << 6 | (bytes[1] & 0x3fu)
                           : count == 3 ? (byte & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 |
                                              (bytes[2] & 0x3fu)
                                        : byte;
    if (count == 0) {
        *out++ = '?';
        return out;
    }
    if (point < 0x20 || point == 0x7f || (count > 1 && is_control_point(point))) {
        return fmt::format_to(out, "\\u{:04x}", point);
    }
    if (byte == '"' || byte == '\\') *out++ = '\\';
    for (const char one : character) *out++ = one;
    return out;
}

// Without quotation marks, to where `out` writes. Allocates nothing itself.
template <class Output>
Output write_json_escaped(Output out, std::string_view text) {
    while (!text.empty()) out = write_json_character(out, text);
    return out;
}

// With its quotation marks.
inline std::string json_text(std::string_view text) {
    std::string out = "\"";
    write_json_escaped(std::back_inserter(out), text);
    return out + '"';
}

// A list of whatever `to_json` makes of each.
template <class List, class ToJson>
std::string json_list(const List& list, ToJson&& to_json) {
    std::string all;
    for (const auto& one : list) {
        if (!all.empty()) all += ',';
        all += to_json(one);
    }
    return "[" + all + "]";
}

template <class Numbers>
std::string json_numbers(const Numbers& numbers) {
    return json_list(numbers, [](auto number) { return std::to_string(number); });
}

// null when it's empty.
template <class Number>
std::string json_number(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "null";
}

}  // namespace millrace
