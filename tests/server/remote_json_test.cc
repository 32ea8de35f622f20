#include "server/remote/json.h"

#include <doctest/doctest.h>

#include "server/remote/table.h"

using namespace millrace::remote;

TEST_CASE("remote json: values are found under their names") {
    const auto json = Json::parse(
        R"({"text":"a","number":-1.5,"count":7,"large":18446744073709551615,"yes":true,)"
        R"("list":[{"x":1},2],"part":{"inner":"b"},"none":null})");
    REQUIRE(json);
    const JsonValue root = json->root();
    CHECK(root["text"].text() == "a");
    CHECK(root["number"].number() == -1.5);
    CHECK_FALSE(root["number"].integer());
    CHECK(root["count"].integer() == 7);
    CHECK(root["count"].number() == 7.0);
    CHECK(root["large"].number() > 1e19);
    CHECK(root["yes"].truth() == true);
    REQUIRE(root["list"].all().size() == 2);
    CHECK(root["list"].all()[0]["x"].count() == 1);
    CHECK(root["part"]["inner"].text() == "b");
    CHECK_FALSE(root["none"].text());
}

TEST_CASE("remote json: what isn't there, or is something else, has nothing") {
    const auto json = Json::parse(R"({"text":"a","negative":-3})");
    REQUIRE(json);
    const JsonValue root = json->root();
    CHECK_FALSE(root["x"]["y"]["z"].text());
    CHECK(root["text"].all().empty());
    CHECK_FALSE(root["text"].number());
    CHECK_FALSE(root["text"]["inner"].is_object());
    CHECK(root["negative"].count() == 0);
    CHECK(JsonValue().text_or_empty() == "");
}

TEST_CASE("remote json: only an object is one") {
    for (const char* text : {"", "[]", "1", "{", "{\"a\":}", "nonsense", "{} {}"}) {
        CAPTURE(text);
        CHECK_FALSE(Json::parse(text));
    }
    CHECK_FALSE(Json::parse(std::string(100'000, '[')));
}

TEST_CASE("remote json: nothing that a peer sends steers the terminal") {
    CHECK(printable("plain \xc3\xa4 \"q\" \\") == "plain \xc3\xa4 \"q\" \\");
    CHECK(printable("\x1b[2J\n\t\x7f") == "?[2J???");
    CHECK(printable("\xc2\x9b") == "?");          // CSI in one character
    CHECK(printable("\xe2\x80\xae") == "?");      // right-to-left override
    CHECK(printable("\xff") == "?");
}

TEST_CASE("remote table: columns are as wide as what stands in them") {
    CHECK(render_table({{"NAME", Align::left}, {"N"}}, {{"a", "10"}, {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", "1"}}) ==
          "NAME    N\n"
          "a      10\n"
          "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4   1\n");
}

TEST_CASE("remote table: a text is cut between characters") {
    CHECK(fit("abc", 5) == "abc  ");
    CHECK(fit("abc", 5, Align::right) == "  abc");
    CHECK(fit("abcdef", 4) == "abc~");
    CHECK(fit("\xc3\xa4\xc3\xa4\xc3\xa4", 2) == "\xc3\xa4~");
    CHECK(fit("abc", 0) == "");
}

TEST_CASE("remote table: numbers and bytes are readable") {
    CHECK(grouped(0) == "0");
    CHECK(grouped(1'234'567, true) == "+1,234,567");
    CHECK(grouped(-1'000) == "-1,000");
    CHECK(grouped(INT64_MIN) == "-9,223,372,036,854,775,808");
    CHECK(signed_bytes(0) == "0 B");
    CHECK(signed_bytes(1'536) == "+1.5 KiB");
    CHECK(signed_bytes(-10) == "-10 B");
    CHECK(short_number(999) == "999");
    CHECK(short_number(1'200) == "1.2k");
    CHECK(short_number(34'000) == "34k");
    CHECK(short_number(999'999) == "1.0M");
    CHECK(short_number(0.5) == "0.5");
    CHECK(short_bytes(1'024 * 1'024) == "1.0M");
    CHECK(time_text(1'796'040'000) == "2026-11-30 12:00:00");
    CHECK(time_text(-1) == "?");
    CHECK(time_text(1e300) == "?");
}
