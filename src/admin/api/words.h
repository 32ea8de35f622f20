// A list of words for a message: "a, b, c".
// Owned by: nobody; a function. Thread: any.
#pragma once

#include <string>

namespace millrace {

template <class Words>
std::string comma_list(const Words& words) {
    std::string list;
    for (const auto& word : words) {
        if (!list.empty()) list += ", ";
        list += word;
    }
    return list;
}

}  // namespace millrace
