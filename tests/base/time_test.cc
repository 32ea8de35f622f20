#include <doctest/doctest.h>

#include "base/time.h"

using namespace millrace;

TEST_CASE("time: units convert, and towards zero when they don't fit") {
    CHECK(Duration::s(2) == Duration::ms(2'000));
    CHECK(Duration::ms(2) == Duration::us(2'000));
    CHECK(Duration::us(2) == Duration::ns(2'000));
    CHECK(Duration::ns(1'999'999).to_ms() == 1);
    CHECK(Duration::ns(-1'999'999).to_ms() == -1);
    CHECK(Duration::ns(1'999).to_us() == 1);
    CHECK(Duration::ms(1'999).to_s() == 1);
    CHECK(Duration::ms(1'500).seconds() == doctest::Approx(1.5));
}

TEST_CASE("time: durations add, scale and compare") {
    CHECK(Duration::ms(3) + Duration::ms(4) == Duration::ms(7));
    CHECK(Duration::ms(3) - Duration::ms(4) == Duration::ms(-1));
    CHECK(Duration::ms(3) * 4 == Duration::ms(12));
    CHECK(Duration::ms(12) / 4 == Duration::ms(3));
    CHECK(Duration::ms(1) < Duration::s(1));
    CHECK(Duration{} == Duration::ns(0));
}

TEST_CASE("time: instants differ by durations, and never comes last") {
    const Instant start = Instant::at_ms(1'000);
    CHECK(start.to_ms() == 1'000);
    CHECK(start + Duration::s(1) == Instant::at_ms(2'000));
    CHECK(start - Duration::s(1) == Instant{});
    CHECK((start + Duration::us(5)) - start == Duration::us(5));
    CHECK(start < Instant::never());
    CHECK(Instant{INT64_MAX - 1} < Instant::never());
}
