// What each subscriber has got of each publisher, and which messages everyone has got.
// Owned by: one shard.
// Holds:    a slot (one subscriber and one publisher) resolves every sequence number once: when it
//           comes, or when a later one comes before it (then it's missing until it comes late).
// Not here: payloads, time.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace millrace {

struct Arrival {
    enum class Kind : uint8_t {
        in_order,
        after_gap,  // `skipped` messages before it are missing so far
        late,       // one of the missing ones
        duplicate,  // came before; or more than 64 behind the newest, where nobody remembers
        unknown,    // a number that the publisher can't have sent yet
    };
    Kind kind;
    uint64_t skipped = 0;
    uint64_t first_resolved = 0;  // with in_order and after_gap: from here to the number itself
};

class DeliveryTracker {
public:
    // `ahead_max`: a number that far beyond the expected one is unknown.
    DeliveryTracker(uint64_t slot_count, uint64_t ahead_max)
        : slots_(slot_count), ahead_max_(ahead_max) {}

    Arrival accept(uint64_t slot_index, uint64_t sequence) {
        MR_ASSERT(slot_index < slots_.size());
        Slot& slot = slots_[slot_index];
        if (sequence == slot.expected) {
            ++slot.expected;
            slot.recent = (slot.recent << 1) | 1;
            return {Arrival::Kind::in_order, 0, sequence};
        }
        return accept_unexpected(slot, sequence);
    }
    // The first number that isn't resolved.
    uint64_t expected(uint64_t slot_index) const { return slots_[slot_index].expected; }

private:
    struct Slot {
        uint64_t expected = 0;
        uint64_t recent = 0;  // bit n: expected - 1 - n has come
    };
    static_assert(sizeof(Slot) == 16);

    Arrival accept_unexpected(Slot& slot, uint64_t sequence);

    std::vector<Slot> slots_;
    uint64_t ahead_max_;
};

// Counts the deliveries of one publisher's outstanding messages until all receivers have them.
class CompletionCount {
public:
    CompletionCount(uint32_t receivers, uint32_t window_count)
        : counts_(std::bit_ceil(window_count)), receivers_(receivers) {}

    // One more receiver has resolved `sequence`, which is less than a window ahead of complete().
    void add(uint64_t sequence) {
        const uint64_t mask = counts_.size() - 1;
        ++counts_[sequence & mask];
        while (counts_[complete_ & mask] == receivers_) {
            counts_[complete_ & mask] = 0;
            ++complete_;
        }
    }
    // Every message below that number is with all receivers.
    uint64_t complete() const { return complete_; }

private:
    std::vector<uint32_t> counts_;
    uint32_t receivers_;
    uint64_t complete_ = 0;
};

}  // namespace millrace
