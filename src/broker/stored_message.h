// One message kept for later: retained, waiting in sessions, or sent and not yet acknowledged.
// Owned by: whoever counts a reference; one shard only, so the count is a plain integer.
// Holds:    it's written once, however many sessions wait for it; its bytes never change.
// Not here: who waits for it (message_queue.h, inflight.h, retained.h).
#pragma once

#include "broker/message.h"
#include "runtime/slab.h"

namespace millrace {

struct StoredMessage {
    uint32_t references;
    uint32_t canonical_length;
    Instant expires;
    uint64_t publisher;

    Bytes canonical() const { return {reinterpret_cast<const uint8_t*>(this + 1), canonical_length}; }
    // Borrows from this object.
    Message read() const {
        Message message = read_canonical(canonical(), expires);
        message.publisher = publisher;
        return message;
    }
    bool expired(Instant now) const { return expires <= now; }
};

class MessageStore {
public:
    MessageStore(Heap& heap, Ledger& ledger) : heap_(heap), line_(ledger.line("stored messages")) {}

    // Counted once for the caller; null when memory is used up.
    StoredMessage* try_store(const Message& message);
    StoredMessage* try_store_canonical(Bytes canonical, Instant expires, uint64_t publisher);
    static void hold(StoredMessage& message) { ++message.references; }
    void release(StoredMessage& message);

private:
    StoredMessage* try_make(uint32_t canonical_length, Instant expires, uint64_t publisher);

    Heap& heap_;
    LedgerLine& line_;
};

}  // namespace millrace
