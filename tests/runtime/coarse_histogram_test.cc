// The small histogram: which counter a value goes to, and what readers make of several.
#include "runtime/coarse_histogram.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("coarse histogram: every value lies within its counter's bounds, a fifth wide at most") {
    for (uint64_t value = 0; value < 100'000; ++value) {
        const uint32_t index = CountHistogram::index_of(value);
        REQUIRE(value <= CountHistogram::bound_of(index));
        if (index == 0) continue;
        REQUIRE(value > CountHistogram::bound_of(index - 1));
        REQUIRE(CountHistogram::bound_of(index) - CountHistogram::bound_of(index - 1) <=
                std::max<uint64_t>(value / 4, 1));
    }
}

TEST_CASE("coarse histogram: a part of a unit counts as a whole one") {
    CHECK(DurationHistogram::index_of(0) == 0);
    CHECK(DurationHistogram::index_of(1) == 0);
    CHECK(DurationHistogram::index_of(1'000) == 0);
    CHECK(DurationHistogram::index_of(1'001) == 1);
    CHECK(DurationHistogram::bound_of(DurationHistogram::index_of(64'000)) == 64);
    CHECK(DurationHistogram::bound_of(DurationHistogram::index_of(64'001)) == 80);
}

TEST_CASE("coarse histogram: powers of two are bounds, so that what is up to them is exact") {
    DurationHistogram histogram;
    for (uint64_t microseconds = 1; microseconds <= 1'000; ++microseconds) {
        histogram.add(microseconds * 1'000);
    }
    const HistogramView view = histogram.view();
    for (uint64_t bound = 1; bound <= 512; bound *= 2) CHECK(view.count_up_to(bound) == bound);
    CHECK(view.count() == 1'000);
    CHECK(view.sum == 500'500'000);
    CHECK(view.max == 1'000'000);
}

TEST_CASE("coarse histogram: what is past the last bound is in the last counter") {
    CountHistogram histogram;
    histogram.add(UINT64_MAX / 2);
    histogram.add(1, 5);
    const HistogramView view = histogram.view();
    CHECK(view.buckets.back().count == 1);
    CHECK(view.buckets.front().count == 5);
    CHECK(view.max == UINT64_MAX / 2);
}

TEST_CASE("coarse histogram: several are added up") {
    CountHistogram one;
    CountHistogram two;
    one.add(3);
    two.add(3);
    two.add(100);
    HistogramView sum;
    sum.merge(one.view());
    sum.merge(two.view());
    CHECK(sum.count() == 3);
    CHECK(sum.count_up_to(3) == 2);
    CHECK(sum.sum == 106);
    CHECK(sum.max == 100);
}
