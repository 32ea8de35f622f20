#include "stack/neighbor.h"

#include <doctest/doctest.h>

#include "addresses.h"

namespace millrace::test {

namespace {

using State = NeighborTable::State;

IpAddress ip_of(uint32_t number) { return IpAddress::from_ipv4(0x0a000000 + number); }
Instant at(int64_t ms) { return Instant::at_ms(1'000'000 + ms); }

}  // namespace

TEST_CASE("neighbor: asks at once, three times a second apart, then fails for a second") {
    NeighborTable table({});
    CHECK(table.resolve(ip_of(1), at(0)).ask_now);
    CHECK(!table.resolve(ip_of(1), at(999)).ask_now);
    CHECK(table.resolve(ip_of(1), at(1'000)).ask_now);
    CHECK(table.resolve(ip_of(1), at(2'000)).ask_now);
    CHECK(table.resolve(ip_of(1), at(2'999)).state == State::asked);
    CHECK(table.resolve(ip_of(1), at(3'000)).state == State::failed);
    CHECK(table.resolve(ip_of(1), at(3'999)).state == State::failed);
    const auto again = table.resolve(ip_of(1), at(4'000));
    CHECK(again.state == State::asked);
    CHECK(again.ask_now);
}

TEST_CASE("neighbor: an answer is used until it's old, and while it's asked again") {
    NeighborTable table({});
    table.resolve(ip_of(1), at(0));
    CHECK(table.learn(ip_of(1), mac_of(7), true, at(5)));
    CHECK(table.resolve(ip_of(1), at(59'000)).mac == mac_of(7));
    CHECK(!table.resolve(ip_of(1), at(59'000)).ask_now);
    const auto old = table.resolve(ip_of(1), at(60'005));
    CHECK(old.state == State::known);
    CHECK(old.ask_now);
    CHECK(!table.resolve(ip_of(1), at(60'500)).ask_now);
    CHECK(table.learn(ip_of(1), mac_of(7), true, at(60'600)));
    CHECK(!table.resolve(ip_of(1), at(62'000)).ask_now);
}

TEST_CASE("neighbor: one that answers no more is unknown after three more questions") {
    NeighborTable table({});
    table.resolve(ip_of(1), at(0));
    table.learn(ip_of(1), mac_of(7), true, at(0));
    CHECK(table.resolve(ip_of(1), at(60'000)).state == State::known);
    CHECK(table.resolve(ip_of(1), at(61'000)).state == State::known);
    CHECK(table.resolve(ip_of(1), at(62'000)).state == State::known);
    CHECK(table.resolve(ip_of(1), at(63'000)).state == State::asked);
}

TEST_CASE("neighbor: what nobody asked for isn't kept") {
    NeighborTable table({});
    CHECK(!table.learn(ip_of(1), mac_of(7), false, at(0)));
    CHECK(!table.learn(ip_of(1), mac_of(7), true, at(0)));
    CHECK(table.count() == 0);
    CHECK(!table.peek(ip_of(1)).has_value());
}

TEST_CASE("neighbor: an announcement changes a known address, a group's MAC never") {
    NeighborTable table({});
    table.resolve(ip_of(1), at(0));
    table.learn(ip_of(1), mac_of(7), true, at(0));
    CHECK(table.learn(ip_of(1), mac_of(8), false, at(1)));
    CHECK(*table.peek(ip_of(1)) == mac_of(8));
    CHECK(!table.learn(ip_of(1), MacAddress::broadcast(), true, at(2)));
    CHECK(!table.learn(ip_of(1), MacAddress{}, true, at(2)));
    CHECK(*table.peek(ip_of(1)) == mac_of(8));
}

TEST_CASE("neighbor: an announcement of what is known doesn't put the next question off") {
    NeighborTable table({});
    table.resolve(ip_of(1), at(0));
    table.learn(ip_of(1), mac_of(7), true, at(0));
    table.learn(ip_of(1), mac_of(7), false, at(59'999));
    CHECK(table.resolve(ip_of(1), at(60'000)).ask_now);
}

TEST_CASE("neighbor: the one used longest ago makes room") {
    NeighborTable table({.count_max = 100});
    for (uint32_t number = 0; number < 100; ++number) {
        table.resolve(ip_of(number), at(0));
        table.learn(ip_of(number), mac_of(static_cast<uint8_t>(number)), true, at(0));
    }
    table.resolve(ip_of(0), at(1));  // used again: 1 is the oldest now
    for (uint32_t number = 1'000; number < 1'050; ++number) table.resolve(ip_of(number), at(2));
    CHECK(table.count() == 100);
    CHECK(table.peek(ip_of(0)).has_value());
    for (uint32_t number = 1; number < 51; ++number) CHECK(!table.peek(ip_of(number)).has_value());
    for (uint32_t number = 51; number < 100; ++number) {
        REQUIRE(table.peek(ip_of(number)).has_value());
        CHECK(*table.peek(ip_of(number)) == mac_of(static_cast<uint8_t>(number)));
    }
}

}  // namespace millrace::test
