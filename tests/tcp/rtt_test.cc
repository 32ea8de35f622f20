#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "base/prng.h"
#include "tcp/rtt.h"

using namespace millrace;

namespace {

// Bounds so wide that the formula shows.
constexpr RttBounds wide{
    .rto_initial = Duration::s(1), .rto_min = Duration::ms(1), .rto_max = Duration::s(1'000)};

}  // namespace

TEST_CASE("rtt: before the first sample the timeout is the initial one") {
    const RttEstimator rtt;
    CHECK_FALSE(rtt.has_sample());
    CHECK(rtt.rto(RttBounds{}) == Duration::s(1));
    CHECK(rtt.rto({.rto_initial = Duration::s(3)}) == Duration::s(3));
}

TEST_CASE("rtt: the initial timeout keeps to the bounds too") {
    const RttEstimator rtt;
    CHECK(rtt.rto({.rto_initial = Duration::ms(10)}) == Duration::ms(200));
    CHECK(rtt.rto({.rto_initial = Duration::s(90)}) == Duration::s(60));
}

TEST_CASE("rtt: the first sample sets the mean to it and the variation to half of it") {
    RttEstimator rtt;
    rtt.add_sample(Duration::ms(100), wide);
    CHECK(rtt.has_sample());
    CHECK(rtt.smoothed() == Duration::ms(100));
    CHECK(rtt.variation() == Duration::ms(50));
    CHECK(rtt.rto(wide) == Duration::ms(300));
}

TEST_CASE("rtt: later samples weigh an eighth in the mean and a quarter in the variation") {
    RttEstimator rtt;
    rtt.add_sample(Duration::us(80'000), wide);
    rtt.add_sample(Duration::us(160'000), wide);
    // 3/4 * 40 ms + 1/4 * 80 ms, with the mean from before the sample; 7/8 * 80 ms + 1/8 * 160 ms.
    CHECK(rtt.variation() == Duration::us(50'000));
    CHECK(rtt.smoothed() == Duration::us(90'000));
    rtt.add_sample(Duration::us(10'000), wide);
    CHECK(rtt.variation() == Duration::us(57'500));
    CHECK(rtt.smoothed() == Duration::us(80'000));
    CHECK(rtt.rto(wide) == Duration::us(80'000 + 4 * 57'500));
}

TEST_CASE("rtt: the margin is never below the clock's granularity") {
    RttEstimator rtt;
    for (int round = 0; round < 100; ++round) rtt.add_sample(Duration::ms(5), wide);
    CHECK(rtt.smoothed() == Duration::ms(5));
    CHECK(rtt.variation() < Duration::us(250));
    CHECK(rtt.rto(wide) == Duration::ms(6));
}

TEST_CASE("rtt: the timeout keeps to its bounds, however short or long the path is") {
    const RttBounds bounds;
    RttEstimator near;
    near.add_sample(Duration::us(50), bounds);
    CHECK(near.rto(bounds) == bounds.rto_min);
    RttEstimator far;
    far.add_sample(Duration::s(50), bounds);
    CHECK(far.rto(bounds) == bounds.rto_max);
}

TEST_CASE("rtt: a sample below the resolution is one") {
    RttEstimator rtt;
    rtt.add_sample(Duration::ns(10), wide);
    CHECK(rtt.has_sample());
    CHECK(rtt.smoothed() == Duration::us(1));
    for (int round = 0; round < 20; ++round) rtt.add_sample(Duration::ns(0), wide);
    CHECK(rtt.has_sample());
}

TEST_CASE("rtt: a negative sample is taken for the shortest") {
    RttEstimator rtt;
    rtt.add_sample(Duration::ms(-5), wide);
    CHECK(rtt.smoothed() == Duration::us(1));
}

TEST_CASE("rtt: each back-off doubles the timeout up to the maximum") {
    RttEstimator rtt;
    rtt.add_sample(Duration::ms(100), RttBounds{});
    const RttBounds bounds;
    CHECK(rtt.rto_backed_off(bounds, 0) == Duration::ms(300));
    CHECK(rtt.rto_backed_off(bounds, 1) == Duration::ms(600));
    CHECK(rtt.rto_backed_off(bounds, 7) == Duration::ms(38'400));
    CHECK(rtt.rto_backed_off(bounds, 8) == bounds.rto_max);
    CHECK(rtt.rto_backed_off(bounds, UINT32_MAX) == bounds.rto_max);
}

TEST_CASE("rtt: a forgotten estimate begins with the initial timeout") {
    RttEstimator rtt;
    rtt.add_sample(Duration::s(9), RttBounds{});
    rtt.forget();
    CHECK_FALSE(rtt.has_sample());
    CHECK(rtt.rto(RttBounds{}) == Duration::s(1));
    rtt.add_sample(Duration::ms(100), RttBounds{});
    CHECK(rtt.smoothed() == Duration::ms(100));
}

TEST_CASE("rtt: the shifts stay beside the formula in real numbers") {
    Prng prng(7);
    RttEstimator rtt;
    double mean = 0;
    double variation = 0;
    for (int round = 0; round < 5'000; ++round) {
        const double sample = 20'000 + prng.below(60'000);
        rtt.add_sample(Duration::us(static_cast<int64_t>(sample)), wide);
        if (round == 0) {
            mean = sample;
            variation = sample / 2;
        } else {
            variation = 0.75 * variation + 0.25 * std::abs(mean - sample);
            mean = 0.875 * mean + 0.125 * sample;
        }
        // Rounding down loses less than 1 us a sample, of which the mean remembers eight.
        REQUIRE(std::abs(static_cast<double>(rtt.smoothed().to_us()) - mean) <= 8);
        REQUIRE(std::abs(static_cast<double>(rtt.variation().to_us()) - variation) <= 12);
    }
}

TEST_CASE("rtt: no series of samples leaves the bounds") {
    Prng prng(11);
    const RttBounds bounds;
    RttEstimator rtt;
    for (int round = 0; round < 20'000; ++round) {
        const int64_t sample = static_cast<int64_t>(prng.next() >> prng.below(64));
        rtt.add_sample({sample}, bounds);
        const Duration timeout = rtt.rto_backed_off(bounds, prng.below(20));
        REQUIRE(rtt.has_sample());
        REQUIRE(timeout >= bounds.rto_min);
        REQUIRE(timeout <= bounds.rto_max);
    }
}
