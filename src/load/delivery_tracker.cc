#include "load/delivery_tracker.h"

namespace millrace {

Arrival DeliveryTracker::accept_unexpected(Slot& slot, uint64_t sequence) {
    if (sequence > slot.expected) {
        const uint64_t skipped = sequence - slot.expected;
        if (skipped >= ahead_max_) return {Arrival::Kind::unknown};
        const uint64_t first = slot.expected;
        slot.expected = sequence + 1;
        slot.recent = skipped + 1 >= 64 ? 1 : (slot.recent << (skipped + 1)) | 1;
        return {Arrival::Kind::after_gap, skipped, first};
    }
    const uint64_t behind = slot.expected - 1 - sequence;
    if (behind >= 64) return {Arrival::Kind::duplicate};
    const uint64_t bit = uint64_t{1} << behind;
    if ((slot.recent & bit) != 0) return {Arrival::Kind::duplicate};
    slot.recent |= bit;
    return {Arrival::Kind::late};
}

}  // namespace millrace
