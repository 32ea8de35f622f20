// Looks at the shard loop's turns and keeps LoopFigures.
// Owned by: the shard's thread; one a loop.
// Holds:    it reads no clock: the loop has read the times. Where a turn's time went is known from
//           the processor's tick counter, read after each phase that did something; ticks become
//           time only in a turn that is the longest of its ten minutes.
// Not here: the loop (shard_loop.h), what readers make of the figures.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "runtime/loop_figures.h"

namespace millrace {

class LoopWatch {
public:
    static constexpr Duration window = Duration::s(600);

    LoopWatch(LoopFigures& figures, Instant now, uint64_t ticks)
        : figures_(figures), began_(now), window_end_(now + window) {
        begin(ticks);
    }

    // The turn before has ended at `end`, and poll has returned at `now`: another one begins.
    // `waited`: the poll between them has.
    void turn_ended(Instant end, bool waited, Instant now, uint64_t ticks) {
        const Duration length = end - began_;
        figures_.turns.add();
        if (waited) figures_.sleeps.add();
        if ((events_ | mails_ | timers_ | admin_) != 0) {
            figures_.turn.add(static_cast<uint64_t>(length.nanoseconds));
            if (events_ != 0) figures_.events.add(events_);
            if (mails_ != 0) figures_.mails.add(mails_);
        }
        if (length > longest_) note_longest(length, end, now, ticks);
        if (now >= window_end_) begin_window(now);
        began_ = now;
        begin(ticks);
    }
    // Only after a phase that did something; `kind` is the last one's.
    void events_done(uint32_t count, uint8_t kind, uint64_t ticks) {
        events_ = count;
        event_kind_ = kind;
        done_[static_cast<size_t>(LoopPhase::events)] = ticks;
    }
    void mail_done(uint32_t count, uint8_t kind, uint64_t ticks) {
        mails_ = count;
        mail_kind_ = kind;
        done_[static_cast<size_t>(LoopPhase::mail)] = ticks;
    }
    void timers_done(uint32_t count, uint8_t kind, uint64_t ticks) {
        timers_ = count;
        timer_kind_ = kind;
        done_[static_cast<size_t>(LoopPhase::timers)] = ticks;
    }
    void admin_done(uint64_t ticks) {
        admin_ = 1;
        done_[static_cast<size_t>(LoopPhase::admin)] = ticks;
    }

private:
    static constexpr size_t timed_count = 4;  // the phases but the last, which has the rest

    void begin(uint64_t ticks) {
        events_ = 0;
        mails_ = 0;
        timers_ = 0;
        admin_ = 0;
        began_ticks_ = ticks;
    }

    [[gnu::noinline]] void note_longest(Duration length, Instant end, Instant now, uint64_t ticks) {
        longest_ = length;
        const Stall stall{length,      end,         longest_phase(length, now, ticks), event_kind_,
                          mail_kind_,  timer_kind_, events_,                           mails_,
                          timers_};
        figures_.longest_current.put(stall);
        if (length <= longest_ever_) return;
        longest_ever_ = length;
        figures_.longest.put(stall);
    }

    [[gnu::noinline]] void begin_window(Instant now) {
        if (const auto stall = figures_.longest_current.read()) {
            figures_.longest_previous.put(*stall);
        } else {
            figures_.longest_previous.clear();
        }
        figures_.longest_current.clear();
        longest_ = Duration{};
        window_end_ = now + window;
    }

    // The ticks between the beginnings of two turns and the time between them give the scale, be it
    // what it may; with a counter that isn't steady the answer is a guess.
    LoopPhase longest_phase(Duration length, Instant now, uint64_t ticks) const {
        const double tick = (now - began_).seconds() /
                            std::max(static_cast<double>(ticks - began_ticks_), 1.0);
        double rest = length.seconds();
        double most = 0;
        LoopPhase phase = LoopPhase::flush;
        uint64_t before = began_ticks_;
        std::array<uint32_t, timed_count> did{};
        did[static_cast<size_t>(LoopPhase::events)] = events_;
        did[static_cast<size_t>(LoopPhase::mail)] = mails_;
        did[static_cast<size_t>(LoopPhase::timers)] = timers_;
        did[static_cast<size_t>(LoopPhase::admin)] = admin_;
        for (size_t index = 0; index < timed_count; ++index) {
            if (did[index] == 0) continue;
            const int64_t taken = static_cast<int64_t>(done_[index] - before);
            if (taken <= 0) continue;
            before = done_[index];
            const double span = static_cast<double>(taken) * tick;
            rest -= span;
            if (span <= most) continue;
            most = span;
            phase = static_cast<LoopPhase>(index);
        }
        return rest > most ? LoopPhase::flush : phase;
    }

    LoopFigures& figures_;
    // Of the turn at hand.
    Instant began_;
    uint64_t began_ticks_ = 0;
    std::array<uint64_t, timed_count> done_{};  // when a phase ended; valid if it did something
    uint32_t events_ = 0;
    uint32_t mails_ = 0;
    uint32_t timers_ = 0;
    uint32_t admin_ = 0;
    uint8_t event_kind_ = 0;
    uint8_t mail_kind_ = 0;
    uint8_t timer_kind_ = 0;

    Instant window_end_;
    Duration longest_{};       // of this window
    Duration longest_ever_{};
};

// For a loop that nobody looks at.
struct NoLoopWatch {
    void turn_ended(Instant, bool, Instant, uint64_t) {}
    void events_done(uint32_t, uint8_t, uint64_t) {}
    void mail_done(uint32_t, uint8_t, uint64_t) {}
    void timers_done(uint32_t, uint8_t, uint64_t) {}
    void admin_done(uint64_t) {}
};

}  // namespace millrace
