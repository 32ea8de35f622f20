#include "server/watchdog.h"

#include <doctest/doctest.h>

using namespace millrace;

namespace {

constexpr Duration timeout = Duration::s(4);

Watchdog watchdog_at_0() { return Watchdog(timeout, Instant::at_ms(0)); }

std::vector<uint32_t> indexes(const std::vector<Watchdog::Verdict::Shard>& shards) {
    std::vector<uint32_t> all;
    for (const auto& shard : shards) all.push_back(shard.index);
    return all;
}

using Indexes = std::vector<uint32_t>;

}  // namespace

TEST_CASE("watchdog: it looks four times within the time-out") {
    Watchdog watchdog = watchdog_at_0();
    CHECK(watchdog.next_look() == Instant::at_ms(1'000));
    watchdog.look(Instant::at_ms(1'000), {});
    CHECK(watchdog.next_look() == Instant::at_ms(2'000));
    CHECK(Watchdog(Duration::us(1), Instant::at_ms(5)).next_look() == Instant::at_ms(6));
}

TEST_CASE("watchdog: it's alive while every shard answers between two looks") {
    Watchdog watchdog = watchdog_at_0();
    for (int second = 1; second < 100; ++second) {
        const auto verdict = watchdog.look(Instant::at_ms(second * 1'000), {});
        CHECK(verdict.is_alive);
        CHECK(verdict.silent.empty());
        CHECK(verdict.answered.empty());
    }
}

TEST_CASE("watchdog: one silent shard of many stops it, and its time counts from the question") {
    Watchdog watchdog = watchdog_at_0();
    CHECK(watchdog.look(Instant::at_ms(1'000), {}).is_alive);
    for (int second = 2; second < 20; ++second) {
        const auto verdict = watchdog.look(Instant::at_ms(second * 1'000), Indexes{2});
        CHECK_FALSE(verdict.is_alive);
        REQUIRE(indexes(verdict.silent) == Indexes{2});
        CHECK(verdict.silent[0].silent == Duration::s(second - 1));
    }
}

TEST_CASE("watchdog: a shard that answers late is told, and life goes on") {
    Watchdog watchdog = watchdog_at_0();
    CHECK(indexes(watchdog.look(Instant::at_ms(1'000), Indexes{0, 3}).silent) == Indexes{0, 3});
    const auto half = watchdog.look(Instant::at_ms(2'000), Indexes{3});
    CHECK_FALSE(half.is_alive);
    CHECK(indexes(half.silent) == Indexes{3});
    REQUIRE(indexes(half.answered) == Indexes{0});
    CHECK(half.answered[0].silent == Duration::s(2));
    const auto whole = watchdog.look(Instant::at_ms(3'000), {});
    CHECK(whole.is_alive);
    CHECK(indexes(whole.answered) == Indexes{3});
    // A new question: what was silent before doesn't count.
    const auto next = watchdog.look(Instant::at_ms(4'000), Indexes{1});
    CHECK(next.silent[0].silent == Duration::s(1));
    CHECK(next.answered.empty());
}

TEST_CASE("watchdog: a look that comes late is followed by a whole interval") {
    Watchdog watchdog = watchdog_at_0();
    CHECK(watchdog.look(Instant::at_ms(60'000), {}).is_alive);
    CHECK(watchdog.next_look() == Instant::at_ms(61'000));
}
