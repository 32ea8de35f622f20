// Well-formed UTF-8, with and without U+0000.
#include "base/utf8.h"

#include <doctest/doctest.h>

#include <string>

using namespace millrace;
using namespace std::string_view_literals;

namespace {

std::string encoded(uint32_t point) {
    std::string out;
    const auto push = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
        push(point);
    } else if (point < 0x800) {
        push(0xc0 | point >> 6);
        push(0x80 | (point & 63));
    } else if (point < 0x10000) {
        push(0xe0 | point >> 12);
        push(0x80 | (point >> 6 & 63));
        push(0x80 | (point & 63));
    } else {
        push(0xf0 | point >> 18);
        push(0x80 | (point >> 12 & 63));
        push(0x80 | (point >> 6 & 63));
        push(0x80 | (point & 63));
    }
    return out;
}

bool without_zero(std::string_view text) {
    return is_well_formed_utf8_without_zero(as_bytes(text));
}

}  // namespace

TEST_CASE("utf8: every code point is legal but U+0000 and the surrogates") {
    uint32_t wrong = 0;
    for (uint32_t point = 0; point < 0x110400; ++point) {
        const bool surrogate = point >= 0xd800 && point <= 0xdfff;
        const bool legal = !surrogate && point <= 0x10ffff;
        const std::string text = encoded(point);
        wrong += without_zero(text) != (legal && point != 0);
        wrong += is_well_formed_utf8(as_bytes(text)) != legal;
    }
    CHECK(wrong == 0);
}

TEST_CASE("utf8: overlong, cut and stray bytes are refused at any distance from the word border") {
    constexpr std::string_view bad[] = {
        "\x80"sv,         "\xbf"sv,         "\xc0\x80"sv,         "\xc1\xbf"sv,
        "\xc2"sv,         "\xc2\x41"sv,     "\xe0\x80\x80"sv,     "\xe0\x9f\xbf"sv,
        "\xe2\x82"sv,     "\xe2\x28\xa1"sv, "\xed\xa0\x80"sv,     "\xed\xbf\xbf"sv,
        "\xf0\x80\x80\x80"sv, "\xf0\x8f\xbf\xbf"sv, "\xf0\x9f\x92"sv, "\xf4\x90\x80\x80"sv,
        "\xf5\x80\x80\x80"sv, "\xff"sv,     "\xfe"sv,             "\xe1\x80\xc0"sv};
    for (const std::string_view sequence : bad) {
        for (size_t before = 0; before < 20; ++before) {
            for (const size_t after : {0, 1, 7, 8, 9}) {
                std::string text(before, 'a');
                text.append(sequence).append(after, 'z');
                CHECK_FALSE(without_zero(text));
                CHECK_FALSE(is_well_formed_utf8(as_bytes(text)));
            }
        }
    }
}

TEST_CASE("utf8: a zero byte is refused in a string and allowed in a payload, wherever it stands") {
    for (size_t bytes = 1; bytes < 40; ++bytes) {
        for (size_t at = 0; at < bytes; ++at) {
            std::string text(bytes, '\x7f');
            CHECK(without_zero(text));
            text[at] = '\0';
            CHECK_FALSE(without_zero(text));
            CHECK(is_well_formed_utf8(as_bytes(text)));
            text[at] = '\x01';
            CHECK(without_zero(text));
        }
    }
}

TEST_CASE("utf8: nothing is well-formed, and a character knows its length") {
    CHECK(without_zero(""));
    CHECK(is_well_formed_utf8({}));
    for (const uint32_t point : {0u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xffffu, 0x10000u, 0x10ffffu}) {
        const std::string text = encoded(point);
        const Bytes bytes = as_bytes(text);
        CHECK(utf8_character_bytes(bytes.data(), bytes.size()) == text.size());
        if (text.size() > 1) CHECK(utf8_character_bytes(bytes.data(), bytes.size() - 1) == 0);
    }
}
