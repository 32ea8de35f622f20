// What a moment of the shards' clock was by the calendar's.
// Owned by: values. Thread: any.
// Holds:    the two are compared when it's made: a calendar that is set moves what comes later.
#pragma once

#include <chrono>

#include "base/time.h"
#include "runtime/clock.h"

namespace millrace {

struct WallTime {
    Instant monotonic;
    double wall_s;  // the same, since the epoch

    static WallTime now() {
        const auto since = std::chrono::system_clock::now().time_since_epoch();
        return {monotonic_now(), std::chrono::duration<double>(since).count()};
    }
    double of(Instant moment) const { return wall_s - (monotonic - moment).seconds(); }
};

}  // namespace millrace
