// What a completion means for its connection: state, counters, at most one event, and a mark in
// the outbox when flush() has something to do for it.
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "net/uring/kernel_constants.h"
#include "net/uring/submission.h"
#include "net/uring/uring_transport.h"
#include "runtime/clock.h"

namespace millrace {

using namespace uring;

void UringTransport::emit(Event::Kind kind, Connection& connection, Bytes bytes) {
    events_.push_back({kind, &connection, bytes});
}

void UringTransport::drop_operation(Connection& connection) {
    MR_ASSERT(connection.operations > 0);
    --connection.operations;
    if (connection.operations == 0 && connection.told_closed) freed_next_.push_back(&connection);
}

void UringTransport::tell_closed(Connection& connection) {
    MR_ASSERT(!connection.told_closed);
    connection.told_closed = true;
    connection.is_open = false;
    --connection_count_;
    counters_.closed.add();
    emit(Event::Kind::closed, connection);
    if (connection.operations == 0) freed_next_.push_back(&connection);
}

void UringTransport::on_completion(const io_uring_cqe& completion) {
    const int result = completion.res;
    const uint32_t flags = completion.flags;
    switch (operation_of(completion.user_data)) {
    case Operation::ignored:
        return;
    case Operation::waker:
        waker_.clear();
        if ((flags & IORING_CQE_F_MORE) == 0) waker_armed_ = false;
        return;
    case Operation::accept:
        return on_accept(object_of<Listener>(completion.user_data), result, flags);
    case Operation::zero_copy:
        return on_zero_copy(object_of<ZeroCopySend>(completion.user_data), result, flags);
    default:
        break;
    }
    Connection& connection = object_of<Connection>(completion.user_data);
    switch (operation_of(completion.user_data)) {
    case Operation::receive:
        on_receive(connection, result, flags);
        break;
    case Operation::send:
        connection.sending = false;
        on_send(connection, result);
        break;
    case Operation::room:
        connection.sending = false;
        connection.awaits_room = false;
        outbox_.mark(connection);
        break;
    case Operation::connect:
        on_connect(connection, result);
        break;
    case Operation::install:
        on_install(connection, result);
        break;
    case Operation::shutdown:
        connection.shutting_down = false;
        break;
    case Operation::close:
        // The slot is free whatever the result says: nothing else can be wrong with it.
        connection.has_slot = false;
        --slots_used_;
        break;
    case Operation::cancel:
        // It may have come too late or too early for its aim: settle() looks what is left.
        --connection.cancels;
        outbox_.mark(connection);
        break;
    default:
        MR_UNREACHABLE();
    }
    settle(connection);
    if (operation_of(completion.user_data) != Operation::receive ||
        (flags & IORING_CQE_F_MORE) == 0) {
        drop_operation(connection);
    }
}

// Moves a closing connection on: everything in flight ends first, then its slot is closed.
void UringTransport::settle(Connection& connection) {
    if (!connection.closing || connection.told_closed) return;
    if (is_in_flight(connection) || connection.has_slot) {
        outbox_.mark(connection);
    } else {
        tell_closed(connection);
    }
}

void UringTransport::on_accept_failure(int error) {
    counters_.accept_failures.add();
    MR_LOG_LIMITED(LogLevel::warning, 1, "accepting paused", field("error", std::strerror(error)));
    accept_again_ = monotonic_now() + accept_pause;
}

void UringTransport::on_accept(Listener& listener, int result, uint32_t flags) {
    if ((flags & IORING_CQE_F_MORE) == 0) {
        listener.armed = false;
        listener.cancelling = false;
    }
    if (result < 0) {
        // A peer that gave up while it waited, or our own cancel: accepting goes on.
        const bool harmless = result == -ECANCELED || result == -ECONNABORTED ||
                              result == -EINTR || result == -EAGAIN || result == -EPROTO;
        if (!harmless) on_accept_failure(-result);
        return;
    }
    ++slots_used_;
    Connection* connection = connections_.try_make();
    if (connection == nullptr) {
        orphan_slots_.push_back(static_cast<uint32_t>(result));
        on_accept_failure(ENOMEM);
        cancel_accepts_ = true;
        return;
    }
    connection->file_index = static_cast<uint32_t>(result);
    connection->has_slot = true;
    connection->is_open = true;
    ++connection_count_;
    counters_.accepted.add();
    outbox_.mark(*connection);
    emit(Event::Kind::accepted, *connection);
}

void UringTransport::on_receive(Connection& connection, int result, uint32_t flags) {
    if ((flags & IORING_CQE_F_MORE) == 0) {
        connection.receiving = false;
        outbox_.mark(connection);
    }
    const uint32_t bytes = result > 0 ? static_cast<uint32_t>(result) : 0;
    Bytes received;
    if ((flags & IORING_CQE_F_BUFFER) != 0) received = buffers_->take(flags, bytes);
    if (result <= 0) return on_receive_end(connection, -result);
    counters_.receives.add();
    counters_.bytes_received.add(bytes);
    if (connection.closing || connection.close_now || connection.close_when_sent) return;
    emit(Event::Kind::received, connection, received);
}

void UringTransport::on_receive_end(Connection& connection, int error) {
    switch (error) {
    case ENOBUFS:
        // Armed again by the flush, which gives buffers back before.
        counters_.receive_buffer_shortages.add();
        return;
    case ECANCELED:
    case EINTR:
    case EAGAIN:
        return;
    case 0:
        connection.peer_finished = true;
        // A peer that only stopped sending still gets what was promised to it.
        if (connection.close_when_sent && !connection.lingering && !connection.send_failed) return;
        return start_closing(connection, CloseReason::peer_closed);
    default:
        connection.peer_finished = true;
        return start_closing(connection, CloseReason::peer_reset);
    }
}

void UringTransport::on_send(Connection& connection, int result) {
    if (result > 0) {
        on_sent(connection, static_cast<uint32_t>(result));
    } else {
        on_send_error(connection, -result);
    }
}

void UringTransport::on_sent(Connection& connection, uint32_t bytes) {
    counters_.sends.add();
    counters_.bytes_sent.add(bytes);
    connection.out.consume(heap_, blocks_, bytes);
    connection.send_progress_ms = now_ms_;
    if (!connection.out.empty() || connection.close_when_sent) outbox_.mark(connection);
    if (connection.tell_when_drained && !connection.closing && !connection.close_now &&
        connection.out.bytes_queued() < drained_below_bytes) {
        connection.tell_when_drained = false;
        emit(Event::Kind::drained, connection);
    }
}

void UringTransport::on_send_error(Connection& connection, int error) {
    outbox_.mark(connection);
    switch (error) {
    case ECANCELED:
    case EINTR:
    case EAGAIN:
        return;  // sent again by the flush
    case ENOMEM:
    case ENOBUFS:
        return start_closing(connection, CloseReason::exhausted);
    case EPIPE:
    case ECONNRESET:
        if (!connection.receiving) break;
        // The peer is gone, but what it sent before may still lie in the kernel: the receive that
        // is armed reads it, and ends by itself.
        connection.send_failed = true;
        if (connection.close_reason == CloseReason::none) {
            connection.close_reason = CloseReason::peer_reset;
        }
        return;
    default:
        break;
    }
    start_closing(connection, CloseReason::peer_reset);
}

void UringTransport::on_zero_copy(ZeroCopySend& send, int result, uint32_t flags) {
    Connection& connection = *send.connection;
    if ((flags & IORING_CQE_F_NOTIF) != 0) {
        if ((static_cast<uint32_t>(result) & notification_copied) != 0) {
            counters_.sends_zero_copy_copied.add();
            connection.route_copies = true;
        }
    } else {
        connection.sending = false;
        if (result > 0) {
            counters_.sends_zero_copy.add();
            on_sent(connection, static_cast<uint32_t>(result));
        } else if (result == -ENOMEM || result == -ENOBUFS) {
            connection.send_plain = true;
            outbox_.mark(connection);
        } else if (result == -EAGAIN) {
            connection.awaits_room = true;
            outbox_.mark(connection);
        } else if (result == -EOPNOTSUPP || result == -EINVAL || result == -EFAULT) {
            zero_copy_refused_ = true;
            outbox_.mark(connection);
        } else {
            on_send_error(connection, -result);
        }
        settle(connection);
    }
    if ((flags & IORING_CQE_F_MORE) != 0) return;
    ZeroCopySend::drop(heap_, blocks_, &send);
    drop_operation(connection);
}

void UringTransport::on_connect(Connection& connection, int result) {
    connection.connecting = false;
    if (result < 0) start_closing(connection, CloseReason::connect_failed);
    else on_connect_part(connection);
}

void UringTransport::on_install(Connection& connection, int result) {
    connection.installing = false;
    if (result == 1) {
        connection.has_slot = true;
        on_connect_part(connection);
        return;
    }
    --slots_used_;
    start_closing(connection, CloseReason::exhausted);
}

// A client connection is open when both parts are done, in whatever order they end.
void UringTransport::on_connect_part(Connection& connection) {
    if (connection.connecting || connection.installing || connection.closing) return;
    if (connection.close_now) return;  // asked for in this turn: no event but `closed`
    connection.is_open = true;
    counters_.connected.add();
    outbox_.mark(connection);
    emit(Event::Kind::connected, connection);
}

}  // namespace millrace
