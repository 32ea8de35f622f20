// Texts and lists as JSON (RFC 8259), for base/json_line.h, which escapes nothing.
// Owned by: nobody; functions. Thread: any.
// Holds:    what comes out is valid JSON whatever bytes go in: those that aren't UTF-8 come out as
//           question marks.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::doctor {

// With its quotation marks.
std::string json_text(std::string_view text);

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

template <class Number>
std::string json_numbers(const std::vector<Number>& numbers) {
    return json_list(numbers, [](Number number) { return std::to_string(number); });
}

// null when it's empty.
template <class Number>
std::string json_number(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "null";
}

}  // namespace millrace::doctor
