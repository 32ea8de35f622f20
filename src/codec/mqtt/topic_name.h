// Topic names and topic filters (MQTT 5.0, 4.7) and UTF-8 strings (1.5.4).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::mqtt {

// Well-formed UTF-8 without U+0000 and without surrogates.
bool is_valid_utf8(std::string_view text);

// At least one character, no wildcard, no U+0000 (4.7.3). Assumes valid UTF-8.
bool is_valid_topic(std::string_view topic);
// Wildcards only as whole levels, `#` only as the last (4.7.1). Assumes valid UTF-8.
// A `$share/...` filter is checked by parse_shared first, then its inner filter here.
bool is_valid_filter(std::string_view filter);
bool has_wildcard(std::string_view filter);

// 4.7.2: a filter that starts with a wildcard doesn't match a topic that starts with `$`.
bool matches(std::string_view filter, std::string_view topic);

// `$share/{group}/{filter}` (4.8.2). Nullopt when `filter` isn't shared at all; an invalid shared
// filter gives an empty group.
struct SharedFilter {
    std::string_view group;
    std::string_view filter;
};
std::optional<SharedFilter> parse_shared(std::string_view filter);

// Walks the levels of a topic or filter: "a//b" has "a", "" and "b".
class Levels {
public:
    explicit Levels(std::string_view text) : rest_(text) {}
    bool next(std::string_view& level) {
        if (done_) return false;
        const size_t end = rest_.find('/');
        level = rest_.substr(0, end);
        done_ = end == std::string_view::npos;
        if (!done_) rest_.remove_prefix(end + 1);
        return true;
    }

private:
    std::string_view rest_;
    bool done_ = false;
};

}  // namespace millrace::mqtt
