// Messages that wait in a session: for its client to come back, or for its window to open.
// Owned by: a session, on its shard.
// Holds:    oldest first; each entry counts one reference to its message, which all sessions
//           share; bytes() is the sum of the messages' lengths as if none were shared.
// Not here: whom to drop when full: the caller asks would_exceed() first.
#pragma once

#include "broker/growing_ring.h"
#include "broker/stored_message.h"

namespace millrace {

struct QueuedMessage {
    StoredMessage* message;
    uint32_t subscription_id;   // 0: none
    mqtt::Qos qos;              // granted for this receiver
    bool retain;                // as the receiver shall see it
};
static_assert(sizeof(QueuedMessage) == 16);

class MessageQueue {
public:
    uint32_t count() const { return entries_.count(); }
    bool empty() const { return entries_.empty(); }
    uint64_t bytes() const { return bytes_; }
    QueuedMessage& front() { return entries_.at(0); }
    QueuedMessage& at(uint32_t index) { return entries_.at(index); }

    bool would_exceed(uint32_t count_max, uint64_t bytes_max, uint32_t more_bytes) const {
        return count() + 1 > count_max || bytes_ + more_bytes > bytes_max;
    }
    // Takes over the reference that `entry` counts, when it returns true.
    bool push(Heap& heap, const QueuedMessage& entry) {
        if (!entries_.push_back(heap, entry)) return false;
        bytes_ += entry.message->canonical_length;
        return true;
    }
    // Hands the reference to the caller.
    QueuedMessage pop(Heap& heap) {
        const QueuedMessage entry = entries_.at(0);
        bytes_ -= entry.message->canonical_length;
        entries_.pop_front(heap);
        return entry;
    }
    void clear(Heap& heap, MessageStore& store) {
        while (!empty()) store.release(*pop(heap).message);
    }

private:
    GrowingRing<QueuedMessage> entries_;
    uint64_t bytes_ = 0;
};

}  // namespace millrace
