// How many of a shard's connections are active, by samples.
// Owned by: the shard's Broker.
// Holds:    active is who received or sent something within `span` before it was looked at. A
//           packet costs nothing: what is looked at is noted anyway, for keep-alives and stalls.
//           One look takes a bounded number of the session table's buckets and goes on where the
//           last one ended. The table is hashed, so that is a random sample: with thousands of
//           connections the estimate is off by some percent, with a few hundred it's exact.
// Not here: connections without a session, which count as active.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace millrace {

class ActivityEstimate {
public:
    static constexpr Duration span = Duration::s(10);
    static constexpr Duration interval = Duration::s(1);
    static constexpr uint32_t buckets_a_look = 256;

    bool is_due(Instant now) const { return now >= next_; }

    // Of one look: connections with a session, and those of them that are active. `is_whole`: it
    // was the whole table.
    void add(Instant now, uint64_t looked_at, uint64_t active, bool is_whole) {
        next_ = now + interval;
        if (is_whole) {
            looked_at_ = 0;
            active_ = 0;
        }
        // The looks before count for a quarter less each.
        looked_at_ = looked_at_ * 3 / 4 + looked_at * scale;
        active_ = active_ * 3 / 4 + active * scale;
    }
    uint64_t of(uint64_t connections) const {
        if (looked_at_ == 0) return connections;
        return std::min(connections, (connections * active_ + looked_at_ / 2) / looked_at_);
    }

    uint32_t cursor = 0;   // where the next look begins

private:
    static constexpr uint64_t scale = 1'024;   // so that the quarters don't get lost

    Instant next_{};
    uint64_t looked_at_ = 0;
    uint64_t active_ = 0;
};

}  // namespace millrace
