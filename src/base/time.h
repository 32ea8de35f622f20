// Points and spans of monotonic time.
// Owned by: values. Thread: any.
// Holds:    both count nanoseconds in 64 bits (292 years); an Instant has no meaning outside the
//           clock that made it.
// Not here: reading a clock (runtime/clock.h), wall-clock time.
#pragma once

#include <compare>
#include <cstdint>

namespace millrace {

struct Duration {
    int64_t nanoseconds = 0;

    static constexpr Duration ns(int64_t value) { return {value}; }
    static constexpr Duration us(int64_t value) { return {value * 1'000}; }
    static constexpr Duration ms(int64_t value) { return {value * 1'000'000}; }
    static constexpr Duration s(int64_t value) { return {value * 1'000'000'000}; }

    constexpr int64_t to_us() const { return nanoseconds / 1'000; }
    constexpr int64_t to_ms() const { return nanoseconds / 1'000'000; }
    constexpr int64_t to_s() const { return nanoseconds / 1'000'000'000; }
    constexpr double seconds() const { return static_cast<double>(nanoseconds) / 1e9; }

    constexpr auto operator<=>(const Duration&) const = default;
    constexpr Duration operator+(Duration other) const { return {nanoseconds + other.nanoseconds}; }
    constexpr Duration operator-(Duration other) const { return {nanoseconds - other.nanoseconds}; }
    constexpr Duration operator*(int64_t times) const { return {nanoseconds * times}; }
    constexpr Duration operator/(int64_t parts) const { return {nanoseconds / parts}; }
};

struct Instant {
    int64_t nanoseconds = 0;

    static constexpr Instant at_ms(int64_t value) { return {value * 1'000'000}; }
    // Later than every instant that a clock gives: "no deadline".
    static constexpr Instant never() { return {INT64_MAX}; }

    constexpr int64_t to_ms() const { return nanoseconds / 1'000'000; }

    constexpr auto operator<=>(const Instant&) const = default;
    constexpr Instant operator+(Duration span) const { return {nanoseconds + span.nanoseconds}; }
    constexpr Instant operator-(Duration span) const { return {nanoseconds - span.nanoseconds}; }
    constexpr Duration operator-(Instant from) const { return {nanoseconds - from.nanoseconds}; }
};

}  // namespace millrace
