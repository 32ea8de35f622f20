// What a turn's end does for one marked connection: acts on what the layer above asked for, and
// hands its segments to the frame sender.
#include <cstddef>
#include <new>

#include "stack/stack_transport.h"
#include "tcp/clock.h"

namespace millrace {

namespace {

// How often those that wait for a neighbor are looked at, should no answer come.
constexpr Duration waiting_look_interval = Duration::ms(50);

// The next connection's lines are on their way while this one is dealt with.
void prefetch_next(const Connection* next) {
    if (next == nullptr) return;
    const auto* begin = reinterpret_cast<const std::byte*>(next);
    for (size_t at = 0; at < sizeof(TcpConnection); at += 64) __builtin_prefetch(begin + at, 1);
}

}  // namespace

void StackTransport::flush(Instant now) {
    now_ = now;
    release_lent();
    start();
    sender_.begin_flush();
    look_at_waiting();
    output_.append_list(outbox_.take_all());
    while (!output_.empty()) {
        // A full link holds no frame back for ever: those who wait keep their places, and the
        // next flush goes on with them.
        if (!sender_.has_room()) {
            stack_counters_.link_full.add();
            break;
        }
        TcpConnection& connection = TcpConnection::of(*output_.pop_front());
        prefetch_next(output_.first());
        visit(connection);
    }
    sender_.transmit();
}

void StackTransport::look_at_waiting() {
    if (waiting_.empty() || now_ < waiting_look_at_) return;
    waiting_look_at_ = Instant::never();
    output_.take_over(waiting_);
}

void StackTransport::visit(TcpConnection& connection) {
    if (connection.told_closed) return visit_told(connection);
    if (connection.state() != TcpState::closed && connection.close_now) {
        connection.closing = true;
        abort(connection);
    }
    if (connection.state() == TcpState::closed) return attention_.push_back(connection);
    if (!has_neighbor(connection)) return;
    if (connection.close_when_sent && connection.is_open && !connection.close_submitted) {
        begin_close(connection);
    }
    reconcile_receive(connection);
    if (!send_output(connection)) return;
    if (wants_attention(connection)) attention_.push_back(connection);
}

// Bytes or an end that the layer above doesn't know of yet, since it had paused or the poll was
// full.
bool StackTransport::wants_attention(const TcpConnection& connection) const {
    if (connection.receive_paused || !takes_bytes(connection)) return false;
    return connection.reassembly.has_ready(connection.rcv_nxt) ||
           (connection.peer_finished && options_.close_on_peer_fin);
}

// The layer above has forgotten it. Either TCP has too, or what was queued is still on its way.
void StackTransport::visit_told(TcpConnection& connection) {
    if (connection.state() != TcpState::closed && connection.close_now) {
        abort(connection);  // asked for in the turn of `closed`
    }
    if (connection.state() == TcpState::closed) return destroy(connection);
    if (!connection.lingering) start_linger(connection);
    send_output(connection);
}

// The room of the layer above is nobody's any more.
TimerEntry& StackTransport::linger_timer(TcpConnection& connection) {
    return connection.as<TimerEntry>();
}

void StackTransport::start_linger(TcpConnection& connection) {
    TimerEntry* timer = new (connection.user) TimerEntry;
    timer->kind = static_cast<uint64_t>(TimerKind::linger);
    connection.lingering = true;
    connection.send_progress_ms = clock_ms(now_);
    wheel_.start(*timer, now_ + linger);
}

// RFC 9293, 3.10.5. What was received, or is still to be sent, is dropped.
void StackTransport::abort(TcpConnection& connection) {
    OutSegment reset;
    const bool tells = tcp_.abort(connection, reset, now_);
    if (tells && !connection.flow.mac.is_zero()) {
        stack_counters_.resets_sent.add();
        sender_.answer(connection.flow, reset);
    }
    if (connection.lingering) {
        connection.lingering = false;
        wheel_.stop(linger_timer(connection));
    }
    leave_table(connection);
}

// FIN after all that is queued; what still arrives is acknowledged and forgotten.
void StackTransport::begin_close(TcpConnection& connection) {
    connection.close_submitted = true;
    connection.discard_received = true;
    drop_ready(connection);
    tcp_.close(connection, now_);
}

void StackTransport::reconcile_receive(TcpConnection& connection) {
    if (!connection.is_open) return;
    const bool wanted = !connection.receive_paused || connection.close_when_sent;
    if (wanted == connection.receiving) return;
    connection.receiving = wanted;
    tcp_.set_paused(connection, !wanted, now_);
}

// False when the link has no more room: the connection is the next one then, at the next flush.
bool StackTransport::send_output(TcpConnection& connection) {
    if (!tcp_.on_output(connection, now_)) return true;
    RingPlace place;
    OutSegment segment;
    while (true) {
        if (!sender_.has_room()) {
            output_.push_front(connection);
            return false;
        }
        if (!tcp_.depart(connection, segment, now_, sender_.burst_bytes(), sender_.slices_max())) {
            return true;
        }
        if (segment.payload_bytes > 0) counters_.sends.add();
        sender_.stage(connection.flow, segment, connection.out, place, connection.mss);
    }
}

// Only a connection that we opened can lack its peer's MAC address. False when it has to wait, or
// can't be reached.
bool StackTransport::has_neighbor(TcpConnection& connection) {
    if (!connection.flow.mac.is_zero()) return true;
    const std::optional<IpAddress> hop = interface_.next_hop(connection.flow.key.remote);
    NeighborTable::Answer answer{NeighborTable::State::failed, {}, false};
    if (hop) answer = neighbors_.resolve(*hop, now_);
    else stack_counters_.connect_no_route.add();
    if (answer.ask_now) ask(*hop);
    switch (answer.state) {
    case NeighborTable::State::known:
        connection.flow.mac = answer.mac;
        return true;
    case NeighborTable::State::asked:
        waiting_.push_back(connection);
        waiting_look_at_ = std::min(waiting_look_at_, now_ + waiting_look_interval);
        return false;
    case NeighborTable::State::failed:
    case NeighborTable::State::unknown:
        break;
    }
    if (hop) stack_counters_.connect_no_neighbor.add();
    tcp_.release(connection);
    leave_table(connection);
    connection.closing = true;
    if (connection.close_reason == CloseReason::none) {
        connection.close_reason = CloseReason::connect_failed;
    }
    attention_.push_back(connection);
    return false;
}

}  // namespace millrace
