#include "admin/api/target.h"

#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/utf8.h"

namespace millrace {
namespace {

constexpr size_t parameters_max = 32;

enum class Part : uint8_t { path, query };

int hex_digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
    if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
    return -1;
}

bool is_utf8_text(std::string_view text) {
    while (!text.empty()) {
        if (text[0] == '\0') return false;
        const size_t count =
            utf8_character_bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        if (count == 0) return false;
        text.remove_prefix(count);
    }
    return true;
}

// Empty: there's something in it that no URL has.
std::optional<std::string> decode(std::string_view text, Part part) {
    std::string out;
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%') {
            if (at + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[at + 1]);
            const int low = hex_digit(text[at + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            at += 2;
        } else {
            out += part == Part::query && text[at] == '+' ? ' ' : text[at];
        }
    }
    if (!is_utf8_text(out)) return std::nullopt;
    return out;
}

tl::unexpected<ApiError> broken(std::string where) {
    return refuse(ApiFault::invalid_argument, std::move(where),
                  "not percent-encoded UTF-8 (RFC 3986, 2.1) without U+0000");
}

// Up to `separator`, which goes too.
std::string_view cut(std::string_view& text, char separator) {
    const size_t end = std::min(text.find(separator), text.size());
    const std::string_view front = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return front;
}

}  // namespace

ApiResult<ApiTarget> parse_target(std::string_view text) {
    if (!text.starts_with('/')) {
        return refuse(ApiFault::invalid_argument, "path", "a path begins with a slash");
    }
    ApiTarget target;
    std::string_view query = text;
    std::string_view path = cut(query, '?');
    path.remove_prefix(1);
    for (;;) {
        const bool is_last = path.find('/') == path.npos;
        auto segment = decode(cut(path, '/'), Part::path);
        if (!segment) return broken("path");
        target.segments.push_back(std::move(*segment));
        if (is_last) break;
    }
    while (!query.empty()) {
        std::string_view value = cut(query, '&');
        if (value.empty()) continue;
        auto name = decode(cut(value, '='), Part::query);
        auto decoded = decode(value, Part::query);
        if (!name) return broken("query");
        if (!decoded) return broken(fmt::format("query {}", name->substr(0, 100)));
        if (target.query.size() == parameters_max) {
            return refuse(ApiFault::invalid_argument, "query",
                          fmt::format("over {} parameters", parameters_max));
        }
        target.query.emplace_back(std::move(*name), std::move(*decoded));
    }
    return target;
}

}  // namespace millrace
