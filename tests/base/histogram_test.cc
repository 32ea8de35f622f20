#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "base/prng.h"

using namespace millrace;

namespace {

std::vector<std::pair<int64_t, uint64_t>> counters(const Histogram& histogram) {
    std::vector<std::pair<int64_t, uint64_t>> result;
    histogram.for_each(
        [&](int64_t highest, uint64_t count) { result.emplace_back(highest, count); });
    return result;
}

}  // namespace

TEST_CASE("histogram: empty, everything is zero") {
    const Histogram histogram;
    CHECK(histogram.count() == 0);
    CHECK(histogram.min() == 0);
    CHECK(histogram.max() == 0);
    CHECK(histogram.mean() == 0);
    CHECK(histogram.percentile(99) == 0);
    CHECK(counters(histogram).empty());
}

TEST_CASE("histogram: small values are kept exactly") {
    Histogram histogram;
    for (int64_t value = 0; value < 128; ++value) histogram.add(value);
    CHECK(counters(histogram).size() == 128);
    CHECK(histogram.percentile(0) == 0);
    CHECK(histogram.percentile(50) == 63);
    CHECK(histogram.percentile(100) == 127);
    CHECK(histogram.mean() == doctest::Approx(63.5));
}

TEST_CASE("histogram: any value comes back at most 1/64 too large") {
    Prng random(3);
    for (int step = 0; step < 100'000; ++step) {
        const int64_t value = static_cast<int64_t>(random.next() >> (22 + random.below(42)));
        Histogram histogram;
        histogram.add(value);
        histogram.add(Histogram::value_max);  // so that max() doesn't cut the answer
        const int64_t found = histogram.percentile(50);
        REQUIRE(found >= value);
        REQUIRE(found - value <= value / 64);
        step += 49;
    }
}

TEST_CASE("histogram: every power of two and its neighbours fall into a counter that holds them") {
    for (uint32_t bits = 1; bits <= Histogram::value_bits; ++bits) {
        for (const int64_t offset : {-1, 0, 1}) {
            const int64_t value = (int64_t{1} << bits) + offset;
            Histogram histogram;
            histogram.add(value);
            CHECK(histogram.percentile(50) == value);
            CHECK(histogram.max() == value);
            CHECK(histogram.min() == value);
        }
    }
}

TEST_CASE("histogram: a value past the range counts, and max tells it") {
    Histogram histogram;
    histogram.add(INT64_MAX);
    histogram.add(Histogram::value_max + 1, 2);
    CHECK(histogram.count() == 3);
    CHECK(histogram.max() == INT64_MAX);
    CHECK(histogram.percentile(50) == INT64_MAX);
    CHECK(counters(histogram).size() == 1);
}

TEST_CASE("histogram: a negative value counts as zero") {
    Histogram histogram;
    histogram.add(-5);
    CHECK(histogram.count() == 1);
    CHECK(histogram.max() == 0);
    CHECK(histogram.min() == 0);
}

TEST_CASE("histogram: percentiles agree with sorting the values") {
    Prng random(4);
    std::vector<int64_t> values;
    Histogram histogram;
    for (int step = 0; step < 20'000; ++step) {
        values.push_back(static_cast<int64_t>(random.next() >> (30 + random.below(20))));
        histogram.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double percent : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
        const auto rank = static_cast<size_t>(std::ceil(percent / 100 * 20'000 - 1e-9));
        const int64_t exact = values[rank - 1];
        CHECK(histogram.percentile(percent) >= exact);
        CHECK(histogram.percentile(percent) - exact <= exact / 64);
    }
    CHECK(histogram.percentile(100) == values.back());
    CHECK(histogram.min() == values.front());
}

TEST_CASE("histogram: merging is the same as adding to one") {
    Prng random(5);
    Histogram one, two, both;
    for (int step = 0; step < 1'000; ++step) {
        const auto value = static_cast<int64_t>(random.next() >> 40);
        (step % 3 == 0 ? one : two).add(value, 2);
        both.add(value, 2);
    }
    one.merge(two);
    one.merge(Histogram{});
    CHECK(counters(one) == counters(both));
    CHECK(one.count() == 2'000);
    CHECK(one.max() == both.max());
    CHECK(one.min() == both.min());
    CHECK(one.mean() == doctest::Approx(both.mean()));
}

TEST_CASE("histogram: a stall is filled up with the latencies that it hid") {
    Histogram histogram;
    histogram.add_corrected(100, 10);
    CHECK(histogram.count() == 10);  // 100, 90, ..., 10
    CHECK(histogram.min() == 10);
    CHECK(histogram.percentile(50) == 50);
    Histogram plain;
    plain.add_corrected(100, 0);
    plain.add_corrected(100, -1);
    plain.add_corrected(100, 100);
    plain.add_corrected(100, 51);
    CHECK(plain.count() == 4);
}

TEST_CASE("histogram: filling up counter by counter is the same as value by value") {
    Prng random(6);
    for (int round = 0; round < 300; ++round) {
        const auto value = static_cast<int64_t>(random.next() >> (40 + random.below(20)));
        const int64_t interval = 1 + random.below(static_cast<uint32_t>(value / 50 + 100));
        Histogram fast, slow;
        fast.add_corrected(value, interval);
        slow.add(value);
        for (int64_t left = value - interval; left >= interval; left -= interval) slow.add(left);
        REQUIRE(counters(fast) == counters(slow));
        REQUIRE(fast.count() == slow.count());
        REQUIRE(fast.min() == slow.min());
        REQUIRE(fast.mean() == doctest::Approx(slow.mean()));
    }
}

TEST_CASE("histogram: an hour's stall at a nanosecond's interval is filled up at once") {
    Histogram histogram;
    histogram.add_corrected(3'600'000'000'000, 1);
    CHECK(histogram.count() == 3'600'000'000'000);
    CHECK(histogram.percentile(50) == doctest::Approx(1.8e12).epsilon(0.016));
}
