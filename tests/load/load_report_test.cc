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

TEST_CASE("load: a latency curve goes from min to max and is densest at its end") {
    Histogram histogram;
    for (int64_t value = 1; value <= 100; ++value) histogram.add(value);  // a counter each
    const LatencySummary summary = LatencySummary::of(histogram);
    CHECK(summary.min_ns == 1);
    CHECK(summary.p50_ns == 50);
    CHECK(summary.p99_ns == 99);
    CHECK(summary.p999_ns == 100);
    CHECK(summary.max_ns == 100);
    REQUIRE(summary.curve.size() == 58);
    const auto at = [&](double percent) -> int64_t {
        for (const LatencyPoint& point : summary.curve) {
            if (point.percent == percent) return point.latency_ns;
        }
        return -1;
    };
    CHECK(summary.curve.front().percent == 0);
    CHECK(at(0) == 1);
    for (const int64_t percent : {1, 2, 5, 10, 15, 20, 50, 85, 90, 91, 95, 99}) {
        CHECK(at(static_cast<double>(percent)) == percent);
    }
    for (const double percent : {99.1, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999, 100.0}) {
        CHECK(at(percent) == 100);
    }
    for (size_t index = 1; index < summary.curve.size(); ++index) {
        CHECK(summary.curve[index].percent > summary.curve[index - 1].percent);
        CHECK(summary.curve[index].latency_ns >= summary.curve[index - 1].latency_ns);
    }
    CHECK(summary.curve.back().percent == 100);
}

TEST_CASE("load: a curve's first point is the smallest value, not the end of its counter") {
    Histogram histogram;
    histogram.add(1'000'000);
    histogram.add(2'000'000, 9);
    const LatencySummary summary = LatencySummary::of(histogram);
    CHECK(summary.curve[0].latency_ns == 1'000'000);
    CHECK(summary.curve[1].latency_ns == 1'007'615);  // the counter ends there: 123 * 2^13 - 1
    CHECK(summary.curve[4].percent == 10);
    CHECK(summary.curve[4].latency_ns == 1'007'615);
    CHECK(summary.curve[5].latency_ns == 2'000'000);
    CHECK(summary.curve.back().latency_ns == 2'000'000);
    CHECK(LatencySummary::of(Histogram()).curve.empty());
}

TEST_CASE("load: the JSON report alone has the curves, and each round's resumed sessions") {
    Histogram histogram;
    histogram.add(1'000'000);
    histogram.add(2'000'000, 9);
    LoadReport report = good_report();
    report.messages->latency = LatencySummary::of(histogram);
    report.rounds.push_back({.connected = 11, .sessions_resumed = 7,
                             .time_to_last_connack = Duration::ms(500),
                             .connack_latency = LatencySummary::of(histogram)});
    const std::string json = report.to_json();
    const auto has = [&](const std::string& part) { return json.find(part) != std::string::npos; };
    const std::string begin = "_curve\":[[0,1.000],[1,1.008],[2,1.008],[5,1.008],[10,1.008],"
                              "[15,2.000],";
    const std::string end = "[99.998,2.000],[99.999,2.000],[100,2.000]]";
    CHECK(has("\"delivery_latency_min_ms\":1.000,"));
    CHECK(has("\"delivery_latency" + begin));
    CHECK(has("\"connack_latency_min_ms\":1.000,"));
    CHECK(has("\"connack_latency" + begin));
    CHECK(has(end + "}],"));   // the last of the rounds
    CHECK(has(end + "}\n"));  // of the deliveries
    CHECK(has("\"connack_latency_curve\":[]"));  // the first round has no values
    CHECK(has("\"sessions_resumed_count\":0,\"last_connack_s\""));
    CHECK(has("\"sessions_resumed_count\":7,\"last_connack_s\""));
    const std::string text = report.to_text();
    CHECK(text.find("round 2: last CONNACK after 0.500 s, 22 connects/s, sessions resumed 7\n") !=
          std::string::npos);
    CHECK(text.find("99.95") == std::string::npos);
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
    const auto ticks = processor_ticks_of("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 100 23 0 0 20");
    REQUIRE(ticks.has_value());
    CHECK(ticks->user == 100);
    CHECK(ticks->system == 23);
    CHECK(!processor_ticks_of("12 (a) S 1 2").has_value());
    CHECK(!processor_ticks_of("").has_value());
}

TEST_CASE("load: softirq time is the seventh figure of all cores") {
    CHECK(softirq_ticks_of("cpu  1 2 3 4 5 6 77 8 9 10\ncpu0 1 2 3 4 5 6 70 8 9 10\n") == 77u);
    CHECK(!softirq_ticks_of("cpu  1 2 3 4 5 6\ncpu0 1 2 3 4 5 6 70 8 9 10\n").has_value());
    CHECK(!softirq_ticks_of("intr 1 2 3 4 5 6 7\n").has_value());
    CHECK(!softirq_ticks_of("").has_value());
}

TEST_CASE("load: the broker's processor time and the machine's softirqs stand apart") {
    LoadReport report = good_report();
    CHECK(report.to_json().find("softirq_s") == std::string::npos);
    report.server = LoadServerUse{.user_seconds = 0.5, .system_seconds = 1.5,
                                  .softirq_seconds = 0.75};
    const std::string json = report.to_json();
    CHECK(json.find("\"server_cpu_user_s\":0.500,\"server_cpu_system_s\":1.500,"
                    "\"softirq_s\":0.750,") != std::string::npos);
    CHECK(json.find("\"deliveries_per_server_cpu_s\":25.000,") != std::string::npos);
    CHECK(report.to_text().find("machine: 0.75 s in softirqs\n") != std::string::npos);
}
