// Text for a segment of a URL's path, or a value in its query (RFC 3986, 2.1).
// Owned by: nobody; functions. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace millrace {

inline std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        const bool is_plain = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
                              (letter >= 'A' && letter <= 'Z') ||
                              std::string_view("-._~").find(letter) != std::string_view::npos;
        if (is_plain) out += letter;
        else out += fmt::format("%{:02X}", static_cast<uint8_t>(letter));
    }
    return out;
}

}  // namespace millrace
