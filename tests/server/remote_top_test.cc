// What `millrace top` shows: two samples in, lines out.
#include "server/remote/top_view.h"

#include <doctest/doctest.h>

#include "server/remote/table.h"
#include "server/remote/terminal.h"

using namespace millrace::remote;

namespace {

constexpr std::string_view server_json =
    R"({"version":"0.1.0","network":"uring","state":"serving","started":1796000000.5})";

// One shard's counters, `factor` times as much.
std::string shard_json(uint32_t shard, uint64_t factor) {
    const auto times = [factor](uint64_t value) { return std::to_string(value * factor); };
    return R"({"shard":)" + std::to_string(shard) + R"(,"connections":{"connected":50,"active":20,)"
           R"("idle":30,"connects_accepted":)" + times(3) + R"(,"sockets_closed":)" + times(2) +
           R"(,"accept_failures":)" + times(1) + R"(,"connects_refused":)" + times(1) +
           R"(,"protocol_errors":0,"keep_alive_timeouts":)" + times(4) +
           R"(},"sessions":60,"subscriptions":70,"retained_messages":8,"retained_bytes":2048,)"
           R"("messages":{"received":)" + times(1'000) + R"(,"sent":)" + times(20'000) +
           R"(,"dropped":{"slow_receiver":)" + times(5) + R"(,"expired":)" + times(1) +
           R"(},"waiting":9},"bytes":{"received":)" + times(4'096) + R"(,"sent":)" +
           times(1'048'576) + R"(},"queues":{"mail_bytes_waiting":512},"cpu_seconds":0.)" +
           times(1) + R"(,"memory":{"objects_bytes":1000000,"reserved_bytes":2000000},"loop":)"
           R"({"turn_us":{"count":2,"buckets":[[100,)" + times(98) + R"(],[2000,)" + times(2) +
           R"(]]}},"delivery_us":{"buckets":[[127,)" + times(60) + R"(],[1500,)" + times(40) +
           R"(]]}})";
}

TopAnswers answers(double time, uint64_t factor, uint32_t shard_count = 2) {
    std::string shards;
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
        shards += (shard == 0 ? "" : ",") + shard_json(shard, shard == 1 ? 2 * factor : factor);
    }
    return {std::string(server_json),
            "{\"time\":" + std::to_string(time) + ",\"shards\":[" + shards + "]}",
            R"({"topics":[{"topic":"weather/\u001b[2J","messages":12345,"receivers":7}]})",
            R"({"receivers":[{"client_id":"sensor 7","dropped":99,"waiting_messages":5,)"
            R"("connected":true},{"client_id":"gone","dropped":1,"waiting_messages":null,)"
            R"("connected":false}]})",
            R"({"shards":[{"shard":0,"lines":[{"class":"sessions","objects":2,"bytes":640},)"
            R"({"class":"filters","objects":1,"bytes":99}]},{"shard":1,"lines":[)"
            R"({"class":"sessions","objects":1,"bytes":320}]}],"process":{"resident_bytes":4096},)"
            R"("kernel":{"socket_bytes_estimate":1024,"rings_bytes_estimate":1024}})"};
}

TopSample sample(double time, uint64_t factor, uint32_t shard_count = 2) {
    const auto read = read_top_sample(answers(time, factor, shard_count));
    REQUIRE(read);
    return *read;
}

std::string text_of(const std::vector<ScreenLine>& lines) {
    std::string all;
    for (const ScreenLine& line : lines) all += line.text + "\n";
    return all;
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr double noon = 1'796'040'000;

}  // namespace

TEST_CASE("top: two samples a second apart give what a second brought") {
    const TopSample before = sample(noon, 1);
    const TopSample now = sample(noon + 1, 2);
    const std::string text = text_of(top_lines(&before, now, {}));
    INFO(text);
    CHECK(has(text, "millrace 0.1.0  uring  serving  up 11:06:40  2 shards  2026-11-30 12:00:01"));
    CHECK(has(text, "100 connected (40 active, 60 idle), 120 sessions, 140 subscriptions\n"));
    CHECK(has(text, "9 new, 6 closed, 6 failed, 12 timed out\n"));
    CHECK(has(text, "in 3.0k/s (12KB), out 60k/s (3.0MB), dropped 18/s; 18 wait\n"));
    CHECK(has(text, "p50 127us, p90 1.5ms, p99 1.5ms, p99.9 1.5ms; 1.0KB of mail\n"));
    CHECK(has(text, "1.9MB used of 3.8MB, 4.0KB resident, kernel 2.0KB; 16 retained (4.0KB)\n"));
    // Shard 1 has twice as much of everything that counts up.
    CHECK(has(text, "     0    50    20     3     2     2     4  1.0k    20k      6     9    10 2.0ms\n"));
    CHECK(has(text, "     1    50    20     6     4     4     8  2.0k    40k     12     9    20 2.0ms\n"));
}

TEST_CASE("top: with the first sample rates aren't known") {
    const std::string text = text_of(top_lines(nullptr, sample(noon, 1), {}));
    CHECK(has(text, "in -/s (-B), out -/s (-B), dropped -/s"));
    CHECK(has(text, "100 connected"));
    CHECK(has(text, "p50 -, p90 -"));
}

TEST_CASE("top: after a restart nothing counts backwards") {
    TopSample before = sample(noon, 5);
    const TopSample now = sample(noon + 1, 1);
    before.started -= 1'000;
    CHECK(has(text_of(top_lines(&before, now, {})), "in -/s (-B)"));
    // The same process whose counters went back is none that we know; no rate is negative.
    before.started = now.started;
    CHECK(has(text_of(top_lines(&before, now, {})), "in 0/s (0B), out 0/s (0B), dropped 0/s"));
}

TEST_CASE("top: slow receivers, hot topics and memory stand beside each other") {
    const std::string text = text_of(top_lines(nullptr, sample(noon, 1), {}));
    CHECK(has(text, "\nSLOW CLIENT    DROP  WAIT  HOT TOPIC      MSGS  RECV  MEMORY        COUNT BYTES\n"
                    "sensor 7         99     5  weather/?[2J    12k     7  sessions          3   960\n"
                    "gone (away)       1     -                             filters           1    99\n"));
    CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("top: what a server doesn't know is said") {
    TopAnswers some = answers(noon, 1);
    some.hot_topics.clear();
    some.slow_receivers = "{\"error\":{}}";
    some.memory = "nonsense";
    const auto read = read_top_sample(some);
    REQUIRE(read);
    const std::string text = text_of(top_lines(nullptr, *read, {}));
    CHECK(has(text, "(not known)"));
    some.shards = "[]";
    CHECK_FALSE(read_top_sample(some));
    CHECK_FALSE(read_top_sample({}));
    CHECK(read_top_sample({"{}", "{\"shards\":[7,{}]}", "", "", ""}));
}

TEST_CASE("top: it keeps within every screen") {
    const TopSample before = sample(noon, 1, 40);
    const TopSample now = sample(noon + 1, 2, 40);
    for (const uint32_t columns : {1u, 10u, 40u, 79u, 80u, 81u, 200u}) {
        for (const uint32_t rows : {1u, 2u, 8u, 10u, 24u, 60u, 200u}) {
            const auto lines = top_lines(&before, now, {columns, rows, TopOrder::shard, true, "x"});
            CHECK(lines.size() <= rows);
            for (const ScreenLine& line : lines) CHECK(places(line.text) <= columns);
        }
    }
    const std::string text = text_of(top_lines(&before, now, {}));
    CHECK(has(text, "more shards\n"));
    CHECK(has(text, "SLOW CLIENT"));  // they have their part of 24 rows
}

TEST_CASE("top: shards stand in the order that was asked for") {
    const TopSample before = sample(noon, 1);
    const TopSample now = sample(noon + 1, 2);
    const auto order_of = [&](TopOrder order) {
        TopView view;
        view.order = order;
        const std::string text = text_of(top_lines(&before, now, view));
        return text.find("\n     1 ") < text.find("\n     0 ");
    };
    CHECK_FALSE(order_of(TopOrder::shard));
    CHECK_FALSE(order_of(TopOrder::connected));  // as many
    for (const TopOrder order : {TopOrder::received, TopOrder::sent, TopOrder::dropped,
                                 TopOrder::cpu}) {
        CHECK(order_of(order));
    }
}

TEST_CASE("top: trouble stands on the screen beside what was known before") {
    TopView view;
    view.trouble = "http://h: nobody listens\x1b[2J";
    const auto lines = top_lines(nullptr, sample(noon, 1), view);
    CHECK(has(text_of(lines), "http://h: nobody listens?[2J\n"));
    CHECK(has(text_of(lines), "100 connected"));
    CHECK(has(text_of(trouble_lines(view)), "nobody listens?[2J"));
}

TEST_CASE("top: a percentile is the bound that so many stay below") {
    const Buckets buckets{{10, 50}, {20, 40}, {100, 9}, {1'000, 1}};
    CHECK(percentile(buckets, 50) == 10);
    CHECK(percentile(buckets, 90) == 20);
    CHECK(percentile(buckets, 99) == 100);
    CHECK(percentile(buckets, 99.9) == 1'000);
    CHECK_FALSE(percentile({}, 50));
    CHECK(since({{10, 5}}, {{10, 7}, {20, 1}}) == Buckets{{10, 2}, {20, 1}});
    CHECK(since({{10, 7}}, {{10, 5}}).empty());
    // The last one's bound has grown.
    CHECK(since({{10, 7}, {500, 3}}, {{10, 7}, {900, 5}}) == Buckets{{900, 2}});
    CHECK(since({{10, 7}, {500, 3}}, {{10, 9}, {900, 3}}) == Buckets{{10, 2}});
    CHECK(short_time(999) == "999us");
    CHECK(short_time(1'500) == "1.5ms");
    CHECK(short_time(12'345) == "12ms");
    CHECK(short_time(2'000'000) == "2.0s");
}

TEST_CASE("top: a screen is drawn over the one before, line by line") {
    CHECK(screen_bytes({{"title", true}, {"text"}}) ==
          "\x1b[H\x1b[7mtitle\x1b[0m\x1b[K\r\ntext\x1b[K\x1b[J");
}
