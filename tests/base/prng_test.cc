#include <doctest/doctest.h>

#include <array>

#include "base/prng.h"

using namespace millrace;

TEST_CASE("prng: a seed gives the same numbers every time, another seed others") {
    Prng one(42), same(42), other(43);
    bool differs = false;
    for (int step = 0; step < 100; ++step) {
        const uint64_t value = one.next();
        CHECK(value == same.next());
        differs = differs || value != other.next();
    }
    CHECK(differs);
}

TEST_CASE("prng: seed 0 works") {
    Prng random(0);
    uint64_t all = 0;
    for (int step = 0; step < 64; ++step) all |= random.next();
    CHECK(all == UINT64_MAX);
}

TEST_CASE("prng: numbers below a bound are spread evenly") {
    Prng random(1);
    std::array<int, 10> seen{};
    for (int step = 0; step < 100'000; ++step) {
        const uint32_t value = random.below(10);
        REQUIRE(value < 10);
        ++seen[value];
    }
    for (const int count : seen) {
        CHECK(count > 9'500);
        CHECK(count < 10'500);
    }
    CHECK(random.below(1) == 0);
}

TEST_CASE("prng: a chance holds as often as it says") {
    Prng random(2);
    int held = 0;
    for (int step = 0; step < 100'000; ++step) held += random.chance(0.25) ? 1 : 0;
    CHECK(held > 24'000);
    CHECK(held < 26'000);
    CHECK_FALSE(random.chance(0.0));
    CHECK(random.chance(1.0));
}
