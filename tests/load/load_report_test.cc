// What a run says at its end, and what it reads of the broker's process.
#include <array>

#include <doctest/doctest.h>

#include "load/process_sample.h"
#include "load/report.h"

using namespace millrace;

namespace {

LoadReport good_report() {
    LoadReport report;
    report.mode = LoadMode::fanout;
    report.connections_planned = 11;
    report.payload_bytes = 100;
    report.totals.ready = 11;
    report.rounds.push_back({.connected = 11, .time_to_last_connack = Duration::ms(500)});
    report.messages = LoadMessages{.planned = 5,
                                           .published = 5,
                                           .expected = 50,
                                           .delivered = 50,
                                           .duration = Duration::s(2)};
    return report;
}

}  // namespace

TEST_CASE("load: a run succeeds when all connected and everything came once and in order") {
    CHECK(good_report().succeeded());
    const auto fails = [](auto&& change) {
        LoadReport report = good_report();
        change(report);
        return !report.succeeded();
    };
    CHECK(fails([](LoadReport& report) { report.totals.ready = 10; }));
    CHECK(fails([](LoadReport& report) { report.totals.lost = 1; }));
    CHECK(fails([](LoadReport& report) { report.totals.corrupt = 1; }));
    CHECK(fails([](LoadReport& report) { report.totals.duplicates = 1; }));
    CHECK(fails([](LoadReport& report) { report.totals.late = 1; }));
    CHECK(fails([](LoadReport& report) { report.totals.protocol_errors = 1; }));
    CHECK(fails([](LoadReport& report) { report.messages->lost = 1; }));
    CHECK(fails([](LoadReport& report) { report.messages->published = 4; }));
    CHECK(fails([](LoadReport& report) { report.messages->unacknowledged = 1; }));
    CHECK(fails([](LoadReport& report) { report.timed_out = true; }));
}

TEST_CASE("load: duplicates are tolerated at QoS 1 alone") {
    LoadReport report = good_report();
    report.totals.duplicates = 1;
    report.qos = 1;
    CHECK(report.succeeded());
    report.qos = 2;
    CHECK(!report.succeeded());
}

TEST_CASE("load: the report gives rates of the measured phase in both forms") {
    const LoadReport report = good_report();
    const std::string text = report.to_text();
    CHECK(text.find("connected 11 of 11") != std::string::npos);
    CHECK(text.find("delivered 50 of 50") != std::string::npos);
    CHECK(text.find("25 deliveries/s") != std::string::npos);
    const std::string json = report.to_json();
    CHECK(json.find("\"deliveries_per_s\":25.000") != std::string::npos);
    CHECK(json.find("\"ok\":true") != std::string::npos);
    CHECK(json.find('\n') == json.size() - 1);
}

TEST_CASE("load: totals add up over shards, and the slowest shard counts for what's done") {
    std::array<LoadTotals, 2> shards{};
    shards[0] = {.commands_done = 3, .delivered = 5, .first_published_ns = 0,
                 .last_delivered_ns = 10};
    shards[1] = {.commands_done = 2, .delivered = 6, .first_published_ns = 7,
                 .last_delivered_ns = 9};
    const LoadTotals total = add_up(shards);
    CHECK(total.commands_done == 2);
    CHECK(total.delivered == 11);
    CHECK(total.first_published_ns == 7);
    CHECK(total.last_delivered_ns == 10);
}

TEST_CASE("load: processor time is found behind a program name with parentheses and spaces") {
    CHECK(processor_ticks_of("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0 20") == 123);
    CHECK(!processor_ticks_of("12 (a) S 1 2").has_value());
    CHECK(!processor_ticks_of("").has_value());
}

TEST_CASE("load: memory is what is resident and the huge pages") {
    CHECK(memory_bytes_of("Name:\tx\nVmRSS:\t    100 kB\nHugetlbPages:\t 28 kB\n") == 131'072);
    CHECK(memory_bytes_of("Name:\tx\nVmRSS:\t  1 kB\n") == 1'024);
    CHECK(!memory_bytes_of("Name:\tx\n").has_value());
}
