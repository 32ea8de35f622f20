// How long messages took from their PUBLISH to this shard's network: noted as they are delivered,
// added up when the network has taken the turn's output.
// Owned by: the shard's Broker.
// Holds:    one value a message and receiving shard, however many receivers it has there. What was
//           received in one turn was received at one time, so that a burst costs one entry.
//           Nothing is left out: when more times come together in a turn than there is room for,
//           neighbours share the earlier one. That errs towards longer.
// Not here: messages that left a session later (its queue, its window, a retained message).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.h"
#include "runtime/coarse_histogram.h"

namespace millrace {

class DeliveryTimes {
public:
    static constexpr uint32_t entries_max = 64;   // even

    // A message that a shard received then goes out with this turn.
    void note(Instant received) {
        if (newest_ == received) {
            ++at_hand_.messages;
        } else if (at_hand_.messages == 0) {
            newest_ = received;
            at_hand_ = {received, 1};
        } else {
            next(received);
        }
    }
    // The network has taken what goes out with this turn.
    void handed_over(Instant now, DurationHistogram& figures) {
        if (at_hand_.messages == 0) return;
        add(at_hand_, now, figures);
        at_hand_.messages = 0;
        if (count_ != 0) hand_over_earlier(now, figures);
    }

private:
    struct Entry {
        Instant received;   // the earliest of them
        uint64_t messages;
    };

    [[gnu::noinline]] void next(Instant received) {
        newest_ = received;
        if (times_at_hand_ < times_an_entry_) {
            ++times_at_hand_;
            ++at_hand_.messages;
            at_hand_.received = std::min(at_hand_.received, received);
            return;
        }
        if (count_ == entries_max) halve();
        earlier_[count_++] = at_hand_;
        at_hand_ = {received, 1};
        times_at_hand_ = 1;
    }
    [[gnu::noinline]] void hand_over_earlier(Instant now, DurationHistogram& figures) {
        for (uint32_t index = 0; index < count_; ++index) add(earlier_[index], now, figures);
        at_hand_.received = newest_;   // as the next message's may be
        times_at_hand_ = 1;
        times_an_entry_ = 1;
        count_ = 0;
    }
    // From here on an entry takes twice as many times, so that all are alike.
    void halve() {
        for (uint32_t index = 0; index < entries_max / 2; ++index) {
            const Entry& first = earlier_[2 * index];
            const Entry& second = earlier_[2 * index + 1];
            earlier_[index] = {std::min(first.received, second.received),
                               first.messages + second.messages};
        }
        count_ = entries_max / 2;
        times_an_entry_ *= 2;
    }
    static void add(const Entry& entry, Instant now, DurationHistogram& figures) {
        const int64_t took = std::max<int64_t>((now - entry.received).nanoseconds, 0);
        figures.add(static_cast<uint64_t>(took), entry.messages);
    }

    Instant newest_{};            // what the last message noted
    Entry at_hand_{};
    uint32_t times_at_hand_ = 1;  // in it, and in an entry when it's full
    uint32_t times_an_entry_ = 1;
    uint32_t count_ = 0;
    std::array<Entry, entries_max> earlier_{};
};

}  // namespace millrace
