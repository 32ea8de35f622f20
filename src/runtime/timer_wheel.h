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
    // advance(). A deadline beyond the horizon (about 795 days) is clamped: it fires early there,
    // so an owner with such deadlines compares with its own when fired.
    void start(TimerEntry& entry, Instant deadline);
    void stop(TimerEntry& entry);  // fine when not started

    // Takes out every entry due at `now` and calls `fire(entry)` for each, in tick order. `fire`
    // may start and stop any entry, itself included.
    template <class Fire>
    void advance(Instant now, Fire&& fire) {
        while (TimerEntry* entry = next_expired(now)) fire(*entry);
    }

    // A lower bound of the next expiry: waking then costs at most a cascade. never() when empty.
    Instant next_deadline() const;
    uint64_t started_count() const { return started_count_; }

private:
    static constexpr uint32_t level_bits = 6;
    static constexpr uint32_t slots_per_level = 1u << level_bits;
    static constexpr uint32_t level_count = 6;

    // Moves time on to `now` at most, until an entry is due; null when there's none left.
    TimerEntry* next_expired(Instant now);
    void place(TimerEntry& entry);

    // Heads of circular lists; an empty one points at itself.
    std::array<std::array<TimerEntry, slots_per_level>, level_count> slots_;
    std::array<uint64_t, level_count> occupied_{};  // a bit a slot
    TimerEntry expired_;                            // due, not yet handed out
    uint64_t current_ms_;                           // every tick before it has been handed out
    uint64_t started_count_ = 0;
};

}  // namespace millrace
