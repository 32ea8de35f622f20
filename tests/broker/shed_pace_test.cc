#include "broker/shed_pace.h"

#include <doctest/doctest.h>

#include <vector>

using namespace millrace;

namespace {

constexpr Instant start = Instant::at_ms(5'000);

}  // namespace

TEST_CASE("shed pace: the first goes at once, the others one by one in even steps") {
    ShedPace pace(start, 4, 0, 1);
    CHECK(pace.due(start) == 1);
    CHECK(pace.due(start + Duration::ms(249)) == 1);
    CHECK(pace.due(start + Duration::ms(250)) == 2);
    CHECK(pace.due(start + Duration::s(1)) == 5);
    pace.take(3);
    CHECK(pace.due(start + Duration::s(1)) == 2);
    CHECK(pace.next_due() == start + Duration::ms(750));
    pace.take(2);
    CHECK(pace.due(start + Duration::s(1)) == 0);
    CHECK(pace.next_due() == start + Duration::ms(1'250));
}

TEST_CASE("shed pace: nobody goes before the start") {
    const ShedPace pace(start, 1'000, 0, 1);
    CHECK(pace.due(start - Duration::ns(1)) == 0);
    CHECK(pace.next_due() == start);
}

TEST_CASE("shed pace: shards take turns and keep the rate together") {
    constexpr uint32_t shard_count = 3;
    std::vector<ShedPace> shards;
    for (uint32_t shard = 0; shard < shard_count; ++shard) {
        shards.emplace_back(start, 10, shard, shard_count);
    }
    const auto due_at = [&](Duration after) {
        std::vector<uint64_t> due;
        for (const ShedPace& pace : shards) due.push_back(pace.due(start + after));
        return due;
    };
    CHECK(due_at(Duration::ms(0)) == std::vector<uint64_t>{1, 0, 0});
    CHECK(due_at(Duration::ms(100)) == std::vector<uint64_t>{1, 1, 0});
    CHECK(due_at(Duration::ms(299)) == std::vector<uint64_t>{1, 1, 1});
    CHECK(due_at(Duration::ms(300)) == std::vector<uint64_t>{2, 1, 1});
    CHECK(due_at(Duration::s(100)) == std::vector<uint64_t>{334, 334, 333});
}

TEST_CASE("shed pace: whoever comes at the time it says finds one due, and not before") {
    for (const uint32_t rate : {1u, 3u, 7u, 999u, 1'000u, 123'457u, 9'999'991u, 10'000'000u}) {
        for (const uint32_t shard : {0u, 5u, 63u}) {
            CAPTURE(rate);
            CAPTURE(shard);
            ShedPace pace(start, rate, shard, 64);
            for (uint32_t step = 0; step < 500; ++step) {
                const Instant next = pace.next_due();
                REQUIRE(pace.due(next) == 1);
                REQUIRE(pace.due(next - Duration::ns(1)) == 0);
                pace.take(1);
            }
        }
    }
}

TEST_CASE("shed pace: nothing is rounded away over a year at the highest rate") {
    ShedPace pace(start, 10'000'000, 0, 1);
    const int64_t year_s = 365 * 86'400;
    CHECK(pace.due(start + Duration::s(year_s)) == uint64_t{10'000'000} * year_s + 1);
    pace.take(uint64_t{10'000'000} * year_s);
    CHECK(pace.next_due() == start + Duration::s(year_s));
    CHECK(pace.due(start + Duration::s(year_s) - Duration::ns(1)) == 0);
}

TEST_CASE("shed pace: who was late catches up, however late it looks") {
    ShedPace pace(start, 1'000, 1, 2);
    CHECK(pace.due(start + Duration::s(10)) == 5'000);
    pace.take(256);
    CHECK(pace.due(start + Duration::s(10)) == 5'000 - 256);
    CHECK(pace.next_due() < start + Duration::s(10));
}
