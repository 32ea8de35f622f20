// The log's last lines as JSON.
#include "admin/event_log.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace millrace;

namespace {

void put(LogRing& ring, std::string_view fields) {
    ring.put(std::chrono::system_clock::time_point(std::chrono::microseconds(1'764'500'000'250'000)),
             LogLevel::warning, "client closed", fields);
}

// "NUMBERS next NEXT lost LOST"
std::string summary(const std::string& answer) {
    std::string text;
    size_t place = 0;
    const std::string_view mark = "{\"number\":";
    while ((place = answer.find(mark, place)) != std::string::npos) {
        place += mark.size();
        text += answer.substr(place, answer.find(',', place) - place) + " ";
    }
    const size_t next = answer.rfind("],\"next\":");
    REQUIRE(next != std::string::npos);
    return text + answer.substr(next + 2, answer.size() - next - 3);
}

}  // namespace

TEST_CASE("event log: an event has its number, time, level, words and fields") {
    const auto ring = std::make_unique<LogRing>();
    CHECK(events_json(*ring, 0, 100) == R"({"events":[],"next":0,"lost":0})");
    put(*ring, R"("shard":1,"client":"a\"b")");
    put(*ring, "");
    CHECK(events_json(*ring, 0, 100) ==
          R"({"events":[{"number":1,"time":1764500000.250000,"level":"warning",)"
          R"("message":"client closed","fields":{"shard":1,"client":"a\"b"}},)"
          R"({"number":2,"time":1764500000.250000,"level":"warning",)"
          R"("message":"client closed","fields":{}}],"next":2,"lost":0})");
}

TEST_CASE("event log: a reader goes on where the last answer ended") {
    const auto ring = std::make_unique<LogRing>();
    for (int step = 0; step < 5; ++step) put(*ring, "");
    CHECK(summary(events_json(*ring, 0, 2)) == R"(1 2 "next":2,"lost":0)");
    CHECK(summary(events_json(*ring, 2, 2)) == R"(3 4 "next":4,"lost":0)");
    CHECK(summary(events_json(*ring, 4, 2)) == R"(5 "next":5,"lost":0)");
    CHECK(summary(events_json(*ring, 5, 2)) == R"("next":5,"lost":0)");
}

TEST_CASE("event log: who comes too late is told how many it has missed") {
    const auto ring = std::make_unique<LogRing>();
    for (uint32_t step = 0; step < LogRing::entries_max + 30; ++step) put(*ring, "");
    CHECK(summary(events_json(*ring, 10, 2)) == R"(31 32 "next":32,"lost":20)");
    CHECK(summary(events_json(*ring, 32, 1)) == R"(33 "next":33,"lost":0)");
}

TEST_CASE("event log: a number of another process begins anew") {
    const auto ring = std::make_unique<LogRing>();
    put(*ring, "");
    CHECK(summary(events_json(*ring, 4'711, 10)) == R"(1 "next":1,"lost":0)");
    CHECK(summary(events_json(*ring, UINT64_MAX, 10)) == R"(1 "next":1,"lost":0)");
}
