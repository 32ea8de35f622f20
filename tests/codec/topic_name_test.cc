// Topic names, filters, matching and shared filters.
#include <doctest/doctest.h>

#include <string>

#include "codec/mqtt/topic_name.h"

using namespace millrace::mqtt;
using namespace std::string_view_literals;

TEST_CASE("topic: a name has at least one character, no wildcard and no zero") {
    for (const auto topic : {"a"sv, "/"sv, "a/b"sv, "$SYS/x"sv, " "sv, "sport/tennis/player1"sv}) {
        CHECK(is_valid_topic(topic));
    }
    for (const auto topic : {""sv, "+"sv, "#"sv, "a/+"sv, "a#"sv, "a\0b"sv, "12345678+"sv}) {
        CHECK_FALSE(is_valid_topic(topic));
    }
}

TEST_CASE("topic: a string is UTF-8 without a zero; a byte order mark is part of it") {
    CHECK(is_valid_utf8("A\xf0\xaa\x9b\x94"));  // the example of 1.5.4
    CHECK(is_valid_utf8("\xef\xbb\xbf"));       // MQTT-1.5.4-3: neither skipped nor refused
    CHECK(is_valid_utf8(""));
    CHECK_FALSE(is_valid_utf8("a\0b"sv));
    CHECK_FALSE(is_valid_utf8("\xed\xa0\x80"));
}

TEST_CASE("topic: a wildcard is found at any distance from the word border") {
    for (size_t bytes = 1; bytes < 40; ++bytes) {
        std::string text(bytes, '/');
        CHECK_FALSE(has_wildcard(text));
        for (size_t at = 0; at < bytes; ++at) {
            for (const char character : {'+', '#', '"', '$', '*', ',', '\x2a', '\xa3', '\xab'}) {
                text[at] = character;
                CHECK(has_wildcard(text) == (character == '+' || character == '#'));
            }
            text[at] = '/';
        }
    }
}

TEST_CASE("topic: the filters of 4.7.1 are told valid from invalid") {
    for (const auto filter : {"#"sv, "sport/tennis/#"sv, "+"sv, "+/tennis/#"sv, "sport/+/player1"sv,
                              "/"sv, "//"sv, "+/+"sv, "/+"sv, "$SYS/#"sv, "/#"sv, "a/"sv}) {
        INFO(filter);
        CHECK(is_valid_filter(filter));
    }
    for (const auto filter : {""sv, "sport/tennis#"sv, "sport/tennis/#/ranking"sv, "sport+"sv,
                              "#/"sv, "##"sv, "a/#b"sv, "++"sv, "a/b+/c"sv, "+a"sv, "a\0"sv}) {
        INFO(filter);
        CHECK_FALSE(is_valid_filter(filter));
    }
}

TEST_CASE("topic: the matching examples of 4.7 hold") {
    struct Row {
        std::string_view filter;
        std::string_view topic;
        bool match;
    };
    constexpr Row rows[] = {
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/tennis/player1/#", "sport/tennis/player12", false},
        {"sport/#", "sport", true},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player2", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"#", "$SYS/monitor", false},
        {"+/monitor/Clients", "$SYS/monitor/Clients", false},
        {"$SYS/#", "$SYS/monitor/Clients", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        {"a/+", "a/$b", true},
        {"ACCOUNTS", "Accounts", false},
        {"a", "a", true},
        {"a", "a/", false},
        {"a/", "a", false},
        {"#", "/", true},
        {"+/#", "a", true},
        {"a/+/#", "a", false},
        {"a//b", "a//b", true},
        {"a/+/b", "a//b", true},
        {"a/#", "ab", false},
    };
    for (const Row& row : rows) {
        INFO(row.filter << " and " << row.topic);
        CHECK(matches(row.filter, row.topic) == row.match);
    }
}

TEST_CASE("topic: a shared filter has a group and a filter") {
    CHECK_FALSE(parse_shared("a/b").has_value());
    CHECK_FALSE(parse_shared("$shared/g/a").has_value());
    CHECK_FALSE(parse_shared("$SHARE/g/a").has_value());
    CHECK_FALSE(parse_shared("").has_value());
    const std::optional<SharedFilter> shared = parse_shared("$share/consumer1//finance/+");
    REQUIRE(shared.has_value());
    CHECK(shared->group == "consumer1");
    CHECK(shared->filter == "/finance/+");
}

TEST_CASE("topic: a shared filter without group or filter, or with a wildcard group, is invalid") {
    for (const auto filter : {"$share/"sv, "$share/g"sv, "$share/g/"sv, "$share//a"sv,
                              "$share/g+/a"sv, "$share/#/a"sv}) {
        INFO(filter);
        REQUIRE(parse_shared(filter).has_value());
        CHECK(parse_shared(filter)->group.empty());
    }
}
