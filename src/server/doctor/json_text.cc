#include "server/doctor/json_text.h"

#include <fmt/format.h>

#include <span>

#include "codec/mqtt/topic_name.h"

namespace millrace::doctor {

std::string json_text(std::string_view text) {
    const bool is_valid = mqtt::is_valid_utf8(text);
    std::string out = "\"";
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte >= 0x80 && !is_valid) {
            out += '?';
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            if (character == '"' || character == '\\') out += '\\';
            out += character;
        }
    }
    return out + '"';
}

}  // namespace millrace::doctor
