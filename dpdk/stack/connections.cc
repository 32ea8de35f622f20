// What the engine's outcomes mean to the layer above: events, and the life of a connection.
#include <cstddef>

#include "stack/stack_transport.h"
#include "tcp/clock.h"

namespace millrace {

namespace {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
HalfOpen& half_open_of(TimerEntry& timer) {
    return *reinterpret_cast<HalfOpen*>(reinterpret_cast<std::byte*>(&timer) -
                                        offsetof(HalfOpen, timer));
}
#pragma GCC diagnostic pop

// Waiting times that end without a turn's work being held up.
constexpr uint32_t time_waits_per_turn = 64;

}  // namespace

void StackTransport::emit(Event::Kind kind, Connection& connection, Bytes bytes) {
    MR_ASSERT(events_.size() < events_capacity);
    events_.push_back({kind, &connection, bytes});
}

// Null when there's no memory, or connections_max are there.
TcpConnection* StackTransport::try_make_connection(const FlowKey& key, const MacAddress& mac) {
    if (alive_count_ >= options_.connections_max) return nullptr;
    TcpConnection* connection = connections_.try_make();
    if (connection == nullptr) return nullptr;
    ++alive_count_;
    connection->flow.key = key;
    connection->flow.mac = mac;
    connection->flow.kind = FlowNode::Kind::connection;
    return connection;
}

void StackTransport::enter_table(TcpConnection& connection) {
    connection.has_slot = true;
    ++in_table_count_;
    ++flow_changes_;
}

void StackTransport::leave_table(TcpConnection& connection) {
    if (!connection.has_slot) return;
    flows_.erase(flows_.hash(connection.flow.key), connection.flow);
    connection.has_slot = false;
    --in_table_count_;
    ++flow_changes_;
}

// In the flush after `closed` was told and TCP was done.
void StackTransport::destroy(TcpConnection& connection) {
    MR_ASSERT(connection.told_closed && !connection.dirty && !connection.has_slot);
    MR_ASSERT(!connection.timer.started());
    connection.out.clear(heap_, blocks_);
    connections_.destroy(&connection);
    --alive_count_;
}

// Whether an event other than `closed` may still come.
bool StackTransport::takes_bytes(const Connection& connection) const {
    return connection.is_open && !connection.closing && !connection.close_now &&
           !connection.close_when_sent;
}

void StackTransport::on_segment(TcpConnection& connection, const Arrival& arrival) {
    const TcpOutcome outcome = tcp_.arrive(connection, arrival.segment, now_);
    if (outcome.answer_reset) refuse(arrival);
    // A peer that acknowledges what we sent is where this frame came from, should its router or
    // card have changed.
    if (outcome.acknowledged_bytes > 0 || outcome.connected || connection.flow.mac.is_zero()) {
        connection.flow.mac = arrival.mac;
    }
    apply(connection, outcome);
    MR_VERIFY((tcp_.verify(connection), true));
}

void StackTransport::apply(TcpConnection& connection, const TcpOutcome& outcome) {
    if (outcome.connected) on_connected(connection);
    if (!outcome.in_order.empty()) deliver(connection, outcome.in_order);
    if (outcome.ready_chunks) deliver_ready(connection);
    if (outcome.acknowledged_bytes > 0) on_acknowledged(connection, outcome.acknowledged_bytes);
    if (outcome.peer_finished) {
        connection.peer_finished = true;
        finish_receiving(connection);
    }
    if (outcome.time_wait) return enter_time_wait(connection);
    if (outcome.ended != CloseReason::none) return end(connection, outcome.ended);
    if (outcome.output) outbox_.mark(connection);
}

void StackTransport::on_connected(TcpConnection& connection) {
    connection.connecting = false;
    connection.is_open = true;
    connection.receiving = true;
    outbox_.mark(connection);
    if (connection.close_now) return;  // asked for in this turn: no event but `closed`
    counters_.connected.add();
    emit(Event::Kind::connected, connection);
}

void StackTransport::on_acknowledged(TcpConnection& connection, uint32_t bytes) {
    counters_.bytes_sent.add(bytes);
    if (connection.tell_when_drained && connection.out.bytes_queued() < drained_below_bytes &&
        connection.is_open && !connection.closing && !connection.close_now) {
        connection.tell_when_drained = false;
        emit(Event::Kind::drained, connection);
    }
}

void StackTransport::deliver(TcpConnection& connection, Bytes bytes) {
    counters_.receives.add();
    counters_.bytes_received.add(bytes.size());
    if (takes_bytes(connection)) emit(Event::Kind::received, connection, bytes);
}

// Bytes that were kept: out of order, or behind a pause. Where a poll has no room for more events,
// the rest waits for the next one, and what arrives meanwhile lines up behind it.
void StackTransport::deliver_ready(TcpConnection& connection) {
    if (!takes_bytes(connection)) return drop_ready(connection);
    while (connection.reassembly.has_ready(connection.rcv_nxt)) {
        if (!has_event_room()) return outbox_.mark(connection);
        ReassemblyChunk* chunk = tcp_.take_ready(connection);
        chunk->next = lent_chunks_;
        lent_chunks_ = chunk;
        deliver(connection, {chunk->bytes(), chunk->length});
    }
}

void StackTransport::drop_ready(TcpConnection& connection) {
    while (ReassemblyChunk* chunk = tcp_.take_ready(connection)) {
        Reassembly::free_chunk(heap_, chunk);
    }
}

// After a peer's FIN, when everything before it was delivered. There is no half-open connection
// above: the layer is told `closed`, what stands in the ring is still sent, and our FIN follows.
void StackTransport::finish_receiving(TcpConnection& connection) {
    if (!options_.close_on_peer_fin || connection.told_closed || !connection.peer_finished) return;
    if (connection.close_when_sent) return;  // ends when all was sent
    if (connection.receive_paused) return;   // nothing is told until it resumes
    if (connection.reassembly.has_ready(connection.rcv_nxt)) return;  // after those
    connection.discard_received = true;
    connection.close_submitted = true;
    tcp_.close(connection, now_);
    if (connection.close_reason == CloseReason::none) {
        connection.close_reason = CloseReason::peer_closed;
    }
    tell_closed(connection);
}

// The last ACK leaves at once: the control block, which would remember it, goes.
void StackTransport::enter_time_wait(TcpConnection& connection) {
    const FlowKey& key = connection.flow.key;
    TimeWait* wait = time_waits_.try_add(key, now_);
    TimeWait without_memory;
    TimeWait& last = wait != nullptr ? *wait : without_memory;
    last.key = key;
    last.mac = connection.flow.mac;
    last.snd_nxt = connection.snd_nxt;
    last.rcv_nxt = connection.rcv_nxt;
    last.timestamp_recent = connection.ts_recent;
    last.timestamp_offset = connection.ts_offset;
    last.has_timestamps = connection.has_timestamps;
    last.window = connection.window_field();
    sender_.answer(last, TimeWaitTable::acknowledgement(last, now_));
    if (wait == nullptr) {
        stack_counters_.time_wait_no_memory.add();
        return end(connection, CloseReason::local);
    }
    stack_counters_.time_waits.add();
    flows_.replace(flows_.hash(key), connection.flow, *wait);
    connection.has_slot = false;
    --in_table_count_;
    ++flow_changes_;
    end(connection, CloseReason::local);
}

// TCP is done with it. Whoever was told before is freed by the flush, which the mark leads to; for
// whom there's no room among the events, the flush leads to the next poll.
void StackTransport::end(TcpConnection& connection, CloseReason reason) {
    tcp_.release(connection);
    leave_table(connection);
    if (connection.lingering) {
        connection.lingering = false;
        wheel_.stop(linger_timer(connection));
    }
    outbox_.mark(connection);
    if (connection.told_closed) return;
    const bool was_open = connection.is_open || !connection.is_client;
    if (connection.close_reason == CloseReason::none) {
        connection.close_reason = was_open ? reason : CloseReason::connect_failed;
    }
    connection.closing = true;
    if (has_event_room()) tell_closed(connection);
}

void StackTransport::tell_closed(TcpConnection& connection) {
    MR_ASSERT(!connection.told_closed);
    connection.told_closed = true;
    connection.closing = true;
    connection.is_open = false;
    --connection_count_;
    counters_.closed.add();
    emit(Event::Kind::closed, connection);
    outbox_.mark(connection);
}

// What the last flush left for this poll to tell.
void StackTransport::attend() {
    while (has_event_room()) {
        Connection* next = attention_.pop_front();
        if (next == nullptr) return;
        TcpConnection& connection = TcpConnection::of(*next);
        outbox_.mark(connection);
        if (connection.told_closed) continue;
        if (connection.state() == TcpState::closed) {
            tell_closed(connection);
            continue;
        }
        deliver_ready(connection);
        tcp_.set_paused(connection, false, now_);
        finish_receiving(connection);
    }
}

void StackTransport::expire() {
    wheel_.advance(now_, [this](TimerEntry& entry) { on_timer(entry); });
    if (time_waits_.next_deadline() <= now_) time_waits_.expire(now_, time_waits_per_turn);
}

void StackTransport::on_timer(TimerEntry& entry) {
    switch (static_cast<TimerKind>(entry.kind)) {
    case TimerKind::tcp: {
        TcpConnection& connection = TcpConnection::of_timer(entry);
        apply(connection, tcp_.on_timer(connection, now_));
        return;
    }
    case TimerKind::half_open:
        return on_half_open_timer(half_open_of(entry));
    case TimerKind::linger:
        return on_linger(TcpConnection::of(Connection::of(entry)));
    }
    MR_UNREACHABLE();
}

// Nobody above knows it any more, and the peer takes nothing: that ends it.
void StackTransport::on_linger(TcpConnection& connection) {
    const Duration silent =
        Duration::ms(static_cast<int32_t>(clock_ms(now_) - connection.send_progress_ms));
    if (silent < linger) {
        wheel_.start(linger_timer(connection), now_ + (linger - silent));
        return;
    }
    connection.lingering = false;
    abort(connection);
    outbox_.mark(connection);
}

}  // namespace millrace
