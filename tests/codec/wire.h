// Packets written down in tests, and reading them back.
// Owned by: tests. Thread: any.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace millrace::mqtt {

using Wire = std::vector<uint8_t>;

// Bytes from a line of: hex digits in pairs; 'text' as it is; <text> with its two length bytes;
// {...} a property section with its length in front. Spaces don't count.
inline Wire wire(std::string_view line);

namespace detail {

inline Wire wire_until(std::string_view& line, char end) {
    Wire out;
    const auto append = [&out](std::string_view text) {
        out.insert(out.end(), text.begin(), text.end());
    };
    const auto quoted = [&line](char close) {
        const size_t length = line.find(close);
        MR_ASSERT(length != std::string_view::npos);
        const std::string_view text = line.substr(0, length);
        line.remove_prefix(length + 1);
        return text;
    };
    while (!line.empty()) {
        const char first = line.front();
        if (first == end) {
            line.remove_prefix(1);
            return out;
        }
        if (first == ' ') {
            line.remove_prefix(1);
        } else if (first == '\'') {
            line.remove_prefix(1);
            append(quoted('\''));
        } else if (first == '<') {
            line.remove_prefix(1);
            const std::string_view text = quoted('>');
            out.push_back(static_cast<uint8_t>(text.size() >> 8));
            out.push_back(static_cast<uint8_t>(text.size()));
            append(text);
        } else if (first == '{') {
            line.remove_prefix(1);
            const Wire section = wire_until(line, '}');
            MR_ASSERT(section.size() < 128);
            out.push_back(static_cast<uint8_t>(section.size()));
            out.insert(out.end(), section.begin(), section.end());
        } else {
            const std::string pair(line.substr(0, 2));
            char* parsed_to = nullptr;
            const unsigned long byte = std::strtoul(pair.c_str(), &parsed_to, 16);
            MR_ASSERT(pair.size() == 2 && parsed_to == pair.c_str() + 2);
            out.push_back(static_cast<uint8_t>(byte));
            line.remove_prefix(2);
        }
    }
    return out;
}

}  // namespace detail

inline Wire wire(std::string_view line) { return detail::wire_until(line, '\0'); }

inline Wire operator+(Wire left, const Wire& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

}  // namespace millrace::mqtt
