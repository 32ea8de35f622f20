// What the layers above ask of a transport during a turn: output to send, connections to close.
// Owned by: the transport; used by the layers above on the same shard.
// Holds:    a connection stands in the list at most once, however much it was written to; the
//           transport takes the list at the end of the turn and acts on it in one go.
// Not here: sockets. The broker knows this class and Connection, so it needs no template.
#pragma once

#include "base/time.h"
#include "net/connection.h"

namespace millrace {

class Outbox {
public:
    Outbox(Heap& heap, BlockPool& blocks) : heap_(heap), blocks_(blocks) {}

    // The time of what is queued from here on.
    void begin_turn(Instant now) { now_ms_ = static_cast<uint32_t>(now.to_ms()); }
    // Queues `slice` for sending at the end of the turn. False when the ring can't take it.
    bool send(Connection& connection, Slice slice) {
        // Its turn to be sent may be seconds away, or a timer may look at it before: what was idle
        // until now hasn't stood still.
        const bool was_empty = connection.out.empty();
        if (!connection.out.push(heap_, blocks_, slice)) return false;
        if (was_empty) connection.send_progress_ms = now_ms_;
        mark(connection);
        return true;
    }
    // Sends what is queued, then closes; the peer gets a moment to close first.
    void close_when_sent(Connection& connection, CloseReason reason) {
        note_reason(connection, reason);
        connection.close_when_sent = true;
        mark(connection);
    }
    // Drops what is queued and closes.
    void close_now(Connection& connection, CloseReason reason) {
        note_reason(connection, reason);
        connection.close_now = true;
        mark(connection);
    }
    // Stops and restarts reading from the peer (back pressure). Bytes that were received before
    // may still be delivered after a pause.
    void set_receive_paused(Connection& connection, bool paused) {
        if (connection.receive_paused == paused) return;
        connection.receive_paused = paused;
        mark(connection);
    }

    // For the transport: the whole list, which is empty afterwards. The caller clears `dirty`.
    Connection* take_all() {
        Connection* first = first_;
        first_ = nullptr;
        last_ = nullptr;
        return first;
    }
    bool empty() const { return first_ == nullptr; }
    void mark(Connection& connection) {
        if (connection.dirty) return;
        connection.dirty = true;
        connection.next_dirty = nullptr;
        if (last_ != nullptr) last_->next_dirty = &connection;
        else first_ = &connection;
        last_ = &connection;
    }

    Heap& heap() { return heap_; }
    BlockPool& blocks() { return blocks_; }

private:
    static void note_reason(Connection& connection, CloseReason reason) {
        if (connection.close_reason == CloseReason::none) connection.close_reason = reason;
    }

    Heap& heap_;
    BlockPool& blocks_;
    Connection* first_ = nullptr;
    Connection* last_ = nullptr;
    uint32_t now_ms_ = 0;  // shard time, wraps
};

}  // namespace millrace
