// How many connections are active: the estimate, and what a broker counts as one.
#include "broker/activity.h"

#include <doctest/doctest.h>

#include <string>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr Instant start = Instant::at_ms(50'000);

}  // namespace

TEST_CASE("activity: before the first look everyone counts as active") {
    const ActivityEstimate activity;
    CHECK(activity.is_due(start));
    CHECK(activity.of(1'000) == 1'000);
}

TEST_CASE("activity: it's due once a second") {
    ActivityEstimate activity;
    activity.add(start, 10, 5, true);
    CHECK_FALSE(activity.is_due(start));
    CHECK_FALSE(activity.is_due(start + Duration::ms(999)));
    CHECK(activity.is_due(start + Duration::s(1)));
}

TEST_CASE("activity: a look at the whole table is exact, whatever was before") {
    ActivityEstimate activity;
    activity.add(start, 200, 200, true);
    activity.add(start, 200, 7, true);
    CHECK(activity.of(200) == 7);
}

TEST_CASE("activity: looks at parts are weighed, and follow a change within some seconds") {
    ActivityEstimate activity;
    for (int look = 0; look < 20; ++look) activity.add(start, 250, 50, false);
    CHECK(activity.of(100'000) == 20'000);
    activity.add(start, 250, 250, false);
    CHECK(activity.of(100'000) > 20'000);
    CHECK(activity.of(100'000) < 60'000);
    for (int look = 0; look < 20; ++look) activity.add(start, 250, 250, false);
    CHECK(activity.of(100'000) > 99'000);
    for (int look = 0; look < 200; ++look) activity.add(start, 0, 0, false);
    CHECK(activity.of(10) == 10);
}

TEST_CASE("activity: active is who received or sent something in the last ten seconds") {
    BrokerFixture fixture;
    for (int number = 0; number < 20; ++number) fixture.connect("client-" + std::to_string(number));
    TestClient& speaker = fixture.connect("speaker");
    TestClient& listener = fixture.connect("listener");
    fixture.subscribe(listener, "a", 0);
    fixture.advance(Duration::s(5));
    CHECK(fixture.counters.connections_active.read() == 22);
    fixture.advance(Duration::s(6));
    CHECK(fixture.counters.connections_active.read() == 0);
    fixture.publish(speaker, {.topic = "a", .payload = "x"});
    fixture.advance(Duration::s(2));
    CHECK(fixture.counters.connections_active.read() == 2);
    fixture.advance(Duration::s(11));
    CHECK(fixture.counters.connections_active.read() == 0);
}

TEST_CASE("activity: of a large table a part is looked at in a second, all of it in the end") {
    BrokerFixture fixture;
    constexpr uint32_t count = 3'000;
    std::vector<TestClient*> clients;
    for (uint32_t number = 0; number < count; ++number) {
        clients.push_back(&fixture.connect("client-" + std::to_string(number)));
    }
    fixture.advance(Duration::s(11));
    for (int second = 0; second < 30; ++second) {
        for (uint32_t number = 0; number < count; number += 3) {
            if (second % 5 == 0) fixture.feed(*clients[number], mqtt::pingreq);
        }
        fixture.advance(Duration::s(1));
    }
    const uint64_t active = fixture.counters.connections_active.read();
    CHECK(active > count / 4);
    CHECK(active < count / 2);
}
