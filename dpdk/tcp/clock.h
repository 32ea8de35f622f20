// The shard's clock in the 32 bits that a control block keeps of it.
// Owned by: values. Thread: any.
// Holds:    both wrap: milliseconds after 49 days, microseconds after 71 minutes; a difference is
//           right below half of that.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

constexpr uint32_t clock_ms(Instant now) { return static_cast<uint32_t>(now.to_ms()); }
constexpr uint32_t clock_us(Instant now) {
    return static_cast<uint32_t>(now.nanoseconds / 1'000);
}
constexpr uint32_t to_ms32(Duration span) { return static_cast<uint32_t>(span.to_ms()); }
// `at_ms` has come, or passed.
constexpr bool is_due(uint32_t at_ms, uint32_t now_ms) {
    return static_cast<int32_t>(at_ms - now_ms) <= 0;
}
// The instant whose clock_ms() is `at_ms`, nearest to `now`.
constexpr Instant instant_of(uint32_t at_ms, Instant now) {
    return Instant::at_ms(now.to_ms() + static_cast<int32_t>(at_ms - clock_ms(now)));
}

}  // namespace millrace
