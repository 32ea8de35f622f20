// A hierarchical timing wheel (Varghese and Lauck, 1987): 1 ms ticks, entries inside their owners.
// Owned by: one shard; never touched from another thread.
// Holds:    an entry stands in the wheel from start() until stop() or its expiry; it never fires
//           early; it fires in the first advance() at or after its deadline's tick.
// Not here: what a timer means. `kind` is the owner's, to tell its timers apart.
//
// O(1) start and stop; advance() costs O(expired + cascaded). Nothing restarts a timer on the hot
// path: an owner notes the time of the last event and, when its entry fires, moves it on.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace millrace {

struct TimerEntry {
    TimerEntry* next = nullptr;      // null while not started
    TimerEntry* previous = nullptr;
    uint64_t deadline_ms : 56 = 0;   // valid while started
    uint64_t kind : 8 = 0;           // the owner's; the wheel never reads it

    bool started() const { return next != nullptr; }
};
static_assert(sizeof(TimerEntry) == 24);

class TimerWheel {
public:
    explicit TimerWheel(Instant now);
    TimerWheel(const TimerWheel&) = delete;
    TimerWheel& operator=(const TimerWheel&) = delete;

    // Starts `entry`, or moves it when it was started. A deadline in the past fires at the next
    // advance(), and not at the one that's running, so that an owner can't keep it from returning.
    // A deadline beyond the horizon (about 795 days) is clamped: it fires early there,
    // so an owner with such deadlines compares with its own when fired.
    void start(TimerEntry& entry, Instant deadline);
    void stop(TimerEntry& entry);  // fine when not started

    // Takes out every entry due at `now` and calls `fire(entry)` for each, in tick order. `fire`
    // may start and stop any entry, itself included.
    template <class Fire>
    void advance(Instant now, Fire&& fire) {
        while (TimerEntry* entry = next_expired(now)) fire(*entry);
    }

    // A lower bound of the next expiry: waking then costs at most a cascade. It's later than the
    // last advance() unless something is due already. never() when empty.
    Instant next_deadline() const;
    uint64_t started_count() const { return started_count_; }

private:
    static constexpr uint32_t level_bits = 6;
    static constexpr uint32_t slots_per_level = 1u << level_bits;
    static constexpr uint32_t level_count = 6;

    using Slots = std::array<TimerEntry, slots_per_level>;

    struct Step {
        uint64_t tick;    // when the earliest occupied slot begins
        uint32_t level;
    };

    // Moves time on to `now` at most, until an entry is due; null when there's none left.
    TimerEntry* next_expired(Instant now);
    bool next_step(Step& step) const;  // false when every slot is empty
    void enter(uint64_t tick);
    void place(TimerEntry& entry);
    void unlink(TimerEntry& entry);

    // Heads of circular lists; an empty one points at itself. An entry stands in level 0 when its
    // tick differs from current_ms_ in the lowest 6 bits at most, in level 1 when in the lowest
    // 12, and so on; the last level also takes what lies beyond its own turn. So whatever stands
    // in a level is due before everything in the levels above, and a slot of level n is spread
    // over the levels below when current_ms_ reaches its beginning.
    std::array<Slots, level_count> slots_;
    std::array<uint64_t, level_count> occupied_{};  // a bit a slot
    TimerEntry expired_;                            // due, not yet handed out
    TimerEntry overdue_;                            // started too late: due at the next advance()
    uint64_t current_ms_;                           // every tick before it has been handed out
    uint64_t started_count_ = 0;
    bool advancing_ = false;
};

}  // namespace millrace
