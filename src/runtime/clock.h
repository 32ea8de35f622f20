// The monotonic clock of a running process. A shard reads it once a turn and hands the Instant on.
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

}  // namespace millrace
