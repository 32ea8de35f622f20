// Topic names, filters and matching against a second implementation, written to be obvious.
// The input is a filter and a topic, with a line feed between them.
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/utf8.h"
#include "codec/mqtt/topic_name.h"
#include "fuzz_target.h"

using namespace millrace;
using namespace millrace::mqtt;

namespace {

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> levels(1);
    for (const char character : text) {
        if (character == '/') levels.emplace_back();
        else levels.back().push_back(character);
    }
    return levels;
}

bool plain_is_topic(std::string_view text) {
    for (const char character : text) {
        if (character == '+' || character == '#' || character == '\0') return false;
    }
    return !text.empty();
}

bool plain_is_filter(std::string_view text) {
    const std::vector<std::string> levels = split(text);
    for (size_t index = 0; index < levels.size(); ++index) {
        const std::string& level = levels[index];
        if (level.find('\0') != std::string::npos) return false;
        if (level.find('+') != std::string::npos && level != "+") return false;
        if (level.find('#') == std::string::npos) continue;
        if (level != "#" || index + 1 != levels.size()) return false;
    }
    return !text.empty();
}

// Recursive, from the first level on.
bool plain_matches(const std::vector<std::string>& filter, const std::vector<std::string>& topic,
                   size_t index) {
    if (index == filter.size()) return index == topic.size();
    if (filter[index] == "#") return true;
    if (index == topic.size()) return false;
    if (filter[index] != "+" && filter[index] != topic[index]) return false;
    return plain_matches(filter, topic, index + 1);
}

bool plain_matches(std::string_view filter, std::string_view topic) {
    const bool hidden = topic.front() == '$' && (filter.front() == '+' || filter.front() == '#');
    return !hidden && plain_matches(split(filter), split(topic), 0);
}

// Decodes to code points and back, byte by byte.
bool plain_is_utf8(std::string_view text, bool allow_zero) {
    for (size_t at = 0; at < text.size();) {
        const auto byte = [&](size_t index) -> uint32_t {
            return index < text.size() ? static_cast<uint8_t>(text[index]) : 0u;
        };
        const uint32_t lead = byte(at);
        uint32_t count = 1;
        uint32_t point = lead;
        if (lead >= 0xf0) count = 4, point = lead & 0x07;
        else if (lead >= 0xe0) count = 3, point = lead & 0x0f;
        else if (lead >= 0xc0) count = 2, point = lead & 0x1f;
        else if (lead >= 0x80) return false;
        if (lead >= 0xf8) return false;
        for (uint32_t index = 1; index < count; ++index) {
            if ((byte(at + index) & 0xc0) != 0x80) return false;
            point = point << 6 | (byte(at + index) & 0x3f);
        }
        const uint32_t shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        if (count != shortest || point > 0x10ffff) return false;
        if (point >= 0xd800 && point <= 0xdfff) return false;
        if (point == 0 && !allow_zero) return false;
        at += count;
    }
    return true;
}

void check_text(std::string_view text) {
    MR_ASSERT(is_valid_utf8(text) == plain_is_utf8(text, false));
    MR_ASSERT(is_well_formed_utf8(as_bytes(text)) == plain_is_utf8(text, true));
    MR_ASSERT(is_valid_topic(text) == plain_is_topic(text));
    MR_ASSERT(is_valid_filter(text) == plain_is_filter(text));
    MR_ASSERT(has_wildcard(text) == (text.find_first_of("+#") != std::string_view::npos));
    std::vector<std::string> levels;
    Levels walk(text);
    std::string_view level;
    while (walk.next(level)) levels.emplace_back(level);
    MR_ASSERT(levels == split(text));
}

void check_shared(std::string_view text) {
    const std::optional<SharedFilter> shared = parse_shared(text);
    MR_ASSERT(shared.has_value() == (text.substr(0, 7) == "$share/"));
    if (!shared) return;
    const std::vector<std::string> levels = split(text);
    const bool legal = levels.size() >= 3 && !levels[1].empty() &&
                       levels[1].find_first_of("+#") == std::string::npos &&
                       text.size() > 8 + levels[1].size();
    MR_ASSERT(legal != shared->group.empty());
    if (!legal) return;
    MR_ASSERT("$share/" + std::string(shared->group) + "/" + std::string(shared->filter) == text);
    MR_ASSERT(shared->group == levels[1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input = as_text(Bytes(data, size));
    const size_t middle = input.find('\n');
    const std::string filter(input.substr(0, middle));
    const std::string topic(middle == std::string_view::npos ? "" : input.substr(middle + 1));
    check_text(filter);
    check_text(topic);
    check_shared(filter);
    if (is_valid_filter(filter) && is_valid_topic(topic)) {
        MR_ASSERT(matches(filter, topic) == plain_matches(filter, topic));
        MR_ASSERT(matches(topic, topic));
    }
    return 0;
}
