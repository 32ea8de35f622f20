// The heaviest names of the last minutes: two sketches that take turns.
// Owned by: values; one thread at a time. A copy is a snapshot: it's read elsewhere.
// Holds:    what is told was added since `since`, which is between one and two spans ago (or when it
//           began); older additions are forgotten. Nothing is scaled, so the sketch's bounds hold.
// Not here: reading a clock.
#pragma once

#include "base/time.h"
#include "base/top_list.h"

namespace millrace {

template <uint32_t capacity>
class RecentTop {
public:
    RecentTop(Instant now, Duration span) : span_(span), began_{now, now}, next_(now + span) {}

    void add(Instant now, uint64_t hash, std::string_view name, uint64_t weight,
             uint64_t part = 0) {
        if (now >= next_) turn_over(now);
        sketches_[newer_].add(hash, name, weight, part);
    }
    // Forgets what is too old by now. Before a snapshot is taken: nothing may have come for long.
    void forget_old(Instant now) {
        if (now >= next_) turn_over(now);
    }

    Instant since() const { return began_[newer_ ^ 1u]; }
    TopList list(uint32_t source) const {
        TopList all(sketches_[newer_ ^ 1u], source);
        all.merge(TopList(sketches_[newer_], source), TopList::Names::anywhere);
        return all;
    }

private:
    void turn_over(Instant now) {
        if (now >= next_ + span_) {  // both are too old
            sketches_[newer_].clear();
            began_[newer_] = now;
        }
        newer_ ^= 1u;
        sketches_[newer_].clear();
        began_[newer_] = now;
        next_ = now + span_;
    }

    Duration span_;
    uint32_t newer_ = 0;
    Instant began_[2];
    Instant next_;
    TopSketch<capacity> sketches_[2];
};

}  // namespace millrace
