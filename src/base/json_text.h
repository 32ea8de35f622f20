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

// Without quotation marks, to where `out` writes. Allocates nothing itself.
template <class Output>
Output write_json_escaped(Output out, std::string_view text) {
    Bytes rest = as_bytes(text);
    while (!rest.empty()) {
        const uint8_t byte = rest[0];
        const size_t bytes = utf8_character_bytes(rest.data(), rest.size());
        if (bytes == 0) {
            *out++ = '?';
        } else if (byte < 0x20 || byte == 0x7f) {
            out = fmt::format_to(out, "\\u{:04x}", byte);
        } else {
            if (byte == '"' || byte == '\\') *out++ = '\\';
            for (const char character : as_text(rest.first(bytes))) *out++ = character;
        }
        rest = rest.subspan(bytes == 0 ? 1 : bytes);
    }
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
