// JSON as text, whatever goes into it.
#include "base/json_line.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace millrace;
using namespace std::string_view_literals;

TEST_CASE("json: quotation marks, backslashes and control characters are escaped") {
    CHECK(json_text("a\"b\\c\n\x01") == R"("a\"b\\c\u000a\u0001")");
    CHECK(json_text("\0\x1f\x20\x7e\x7f"sv) == R"("\u0000\u001f ~\u007f")");
    CHECK(json_text("") == R"("")");
}

TEST_CASE("json: characters of UTF-8 stay, and bytes that are none become question marks") {
    CHECK(json_text("caf\xc3\xa9 \xf0\xaa\x9b\x94") == "\"caf\xc3\xa9 \xf0\xaa\x9b\x94\"");
    CHECK(json_text("\xff\xc3") == R"("??")");
    CHECK(json_text("\xc3\xa9\xed\xa0\x80\xe2\x82\"") == "\"\xc3\xa9?????\\\"\"");
}

TEST_CASE("json: whatever bytes a text has, it comes out as UTF-8 in two quotation marks") {
    for (uint32_t first = 0; first < 256; ++first) {
        for (uint32_t second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            const std::string json = json_text(text);
            REQUIRE(is_well_formed_utf8(as_bytes(json)));
            const std::string_view inside = std::string_view(json).substr(1, json.size() - 2);
            for (const char character : inside) {
                REQUIRE(static_cast<unsigned char>(character) >= 0x20);
            }
            // Each quotation mark of the text, and no other, is behind a backslash.
            const size_t quotes = static_cast<size_t>(std::count(text.begin(), text.end(), '"'));
            REQUIRE(static_cast<size_t>(std::count(json.begin(), json.end(), '"')) == 2 + quotes);
        }
    }
}

TEST_CASE("json: a number that isn't known is null, a list keeps its order") {
    CHECK(json_number(std::optional<uint64_t>{}) == "null");
    CHECK(json_number(std::optional(UINT64_MAX)) == "18446744073709551615");
    CHECK(json_numbers(std::vector<int>{2, 1}) == "[2,1]");
    CHECK(json_numbers(std::vector<int>{}) == "[]");
    CHECK(json_list(std::vector{"a", "\""}, json_text) == R"(["a","\""])");
}

TEST_CASE("json: a line has its pairs in the order in which they were added") {
    JsonLine line;
    CHECK(line.object() == "{}");
    line.add("count", 3);
    line.add("ok", true);
    line.add_decimal("part", 0.25, 2);
    line.add_text("name", "a\"b");
    CHECK(line.object() == R"({"count":3,"ok":true,"part":0.25,"name":"a\"b"})");
}
