// The clocks of a running process. A shard reads the time once a turn and hands the Instant on.
// Owned by: nobody. Thread: any.
#pragma once

#include <ctime>

#include "base/time.h"

namespace millrace {

inline Instant monotonic_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return {int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

// A counter that goes on evenly, in a measure of the processor's own: one instruction, where the
// time costs some fifty. Only differences on one thread mean anything.
inline uint64_t processor_ticks() {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return static_cast<uint64_t>(monotonic_now().nanoseconds);
#endif
}

// Both, for the shard loop; a test has others.
struct RealClock {
    static Instant now() { return monotonic_now(); }
    static uint64_t ticks() { return processor_ticks(); }
};

}  // namespace millrace
