// Topic names and filters: validity, matching, shared filters.
#include "codec/mqtt/topic_name.h"

#include <cstring>

#include "base/eight_bytes.h"
#include "base/utf8.h"

namespace millrace::mqtt {
namespace {

constexpr std::string_view shared_prefix = "$share/";

bool word_has_wildcard(const char* at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    return has_zero_byte(word ^ (eight_ones * '+')) || has_zero_byte(word ^ (eight_ones * '#'));
}

bool is_wildcard(char character) { return character == '+' || character == '#'; }

}  // namespace

bool is_valid_utf8(std::string_view text) {
    return is_well_formed_utf8_without_zero(as_bytes(text));
}

bool has_wildcard(std::string_view filter) {
    const char* next = filter.data();
    size_t remaining = filter.size();
    if (remaining >= 8) {
        for (; remaining >= 8; next += 8, remaining -= 8) {
            if (word_has_wildcard(next)) return true;
        }
        // The tail as the last whole word, some of which has been seen already.
        return remaining > 0 && word_has_wildcard(next + remaining - 8);
    }
    for (; remaining > 0; ++next, --remaining) {
        if (is_wildcard(*next)) return true;
    }
    return false;
}

bool is_valid_topic(std::string_view topic) {
    return !topic.empty() && !has_wildcard(topic) &&
           std::memchr(topic.data(), 0, topic.size()) == nullptr;
}

bool is_valid_filter(std::string_view filter) {
    if (filter.empty() || std::memchr(filter.data(), 0, filter.size()) != nullptr) return false;
    Levels levels(filter);
    std::string_view level;
    bool ended = false;
    while (levels.next(level)) {
        if (ended) return false;
        if (level.size() > 1 && has_wildcard(level)) return false;
        ended = level == "#";
    }
    return true;
}

bool matches(std::string_view filter, std::string_view topic) {
    if (filter.empty() || topic.empty()) return false;
    if (topic.front() == '$' && is_wildcard(filter.front())) return false;
    Levels filter_levels(filter);
    Levels topic_levels(topic);
    std::string_view wanted;
    std::string_view level;
    while (filter_levels.next(wanted)) {
        if (wanted == "#") return true;  // the parent level too: "a/#" matches "a" (4.7.1.2)
        if (!topic_levels.next(level)) return false;
        if (wanted != "+" && wanted != level) return false;
    }
    return !topic_levels.next(level);
}

std::optional<SharedFilter> parse_shared(std::string_view filter) {
    if (!filter.starts_with(shared_prefix)) return std::nullopt;
    filter.remove_prefix(shared_prefix.size());
    const size_t end = filter.find('/');
    if (end == std::string_view::npos || end + 1 == filter.size()) return SharedFilter{};
    const SharedFilter shared{filter.substr(0, end), filter.substr(end + 1)};
    if (shared.group.empty() || has_wildcard(shared.group)) return SharedFilter{};
    return shared;
}

}  // namespace millrace::mqtt
