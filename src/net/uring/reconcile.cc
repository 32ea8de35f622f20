// What flush() does for one marked connection: compares what it is with what it should be, and
// prepares the entries that lead there. At most entries_per_connection of them.
#include <algorithm>

#include "net/uring/submission.h"
#include "net/uring/uring_transport.h"

namespace millrace {

using namespace uring;

namespace {

// Enough for a burst of separate frames; what is left follows with the completion.
constexpr uint32_t vectors_max = 64;

}  // namespace

bool UringTransport::is_in_flight(const Connection& connection) {
    return connection.sending || connection.receiving || connection.connecting ||
           connection.installing || connection.shutting_down;
}

void UringTransport::start_closing(Connection& connection, CloseReason reason) {
    if (connection.close_reason == CloseReason::none) connection.close_reason = reason;
    connection.closing = true;
    if (!connection.lingering) return;
    connection.lingering = false;
    lingering_.remove(connection);
}

void UringTransport::reconcile(Connection& connection) {
    if (connection.told_closed) return;
    if (connection.close_now && !connection.closing) {
        start_closing(connection, CloseReason::local);
    }
    if (connection.closing) return advance_close(connection);
    if (!connection.is_open) return;
    if (connection.close_when_sent && !connection.lingering && !connection.sending &&
        (connection.out.empty() || connection.send_failed)) {
        finish_sending(connection);
        if (connection.closing) return advance_close(connection);
    }
    if (connection.send_failed && connection.receive_paused && !connection.receiving) {
        // Nobody reads on, so nothing would ever tell that the connection is dead.
        start_closing(connection, CloseReason::peer_reset);
        return advance_close(connection);
    }
    reconcile_receive(connection);
    if (connection.out.empty() || connection.sending || connection.send_failed ||
        connection.lingering) {
        return;
    }
    start_send(connection);
}

void UringTransport::reconcile_receive(Connection& connection) {
    const bool wanted = !connection.peer_finished &&
                        (!connection.receive_paused || connection.close_when_sent);
    if (wanted == connection.receiving || connection.cancels > 0) return;
    if (wanted) {
        prepare_receive(ring_->next(), connection);
        connection.receiving = true;
    } else {
        cancel(connection, Operation::receive);
        return;
    }
    ++connection.operations;
}

void UringTransport::cancel(Connection& connection, Operation operation) {
    prepare_cancel(ring_->next(), connection, operation);
    ++connection.cancels;
    ++connection.operations;
}

void UringTransport::shut_down(Connection& connection, int how) {
    prepare_shutdown(ring_->next(), connection, how);
    connection.shutting_down = true;
    ++connection.operations;
}

// First everything in flight ends, then the slot is closed: until then it can't be anyone else's.
// A shutdown ends receives and sends whatever their number is; finding them to cancel them takes
// the longer the more connections there are (11,000 of them closed three times as fast so). What it
// couldn't end, a connect above all, is cancelled.
void UringTransport::advance_close(Connection& connection) {
    if (is_in_flight(connection)) {
        if (connection.cancels > 0 || connection.shutting_down) return;
        if (connection.is_open && !connection.is_shut) {
            connection.is_shut = true;
            return shut_down(connection, SHUT_RDWR);
        }
        if (connection.connecting) cancel(connection, Operation::connect);
        if (connection.receiving) cancel(connection, Operation::receive);
        if (connection.sending) {
            cancel(connection, connection.awaits_room ? Operation::room : Operation::send);
        }
        return;
    }
    if (!connection.has_slot || connection.close_submitted) return;
    prepare_close(ring_->next(), connection);
    connection.close_submitted = true;
    ++connection.operations;
}

// All output is with the kernel. Closing now could still lose it: the kernel answers data that
// arrives, or that nobody read, with a reset, which discards what the peer hasn't read yet.
void UringTransport::finish_sending(Connection& connection) {
    connection.out.clear(heap_, blocks_);
    if (connection.peer_finished || connection.send_failed ||
        !lingering_.add(connection, now_)) {
        start_closing(connection, CloseReason::local);
        return;
    }
    connection.lingering = true;
    shut_down(connection, SHUT_WR);
}

void UringTransport::start_send(Connection& connection) {
    connection.send_progress_ms = now_ms_;
    connection.sending = true;
    ++connection.operations;
    if (connection.awaits_room) return prepare_room(ring_->next(), connection);
    sends_are_new_ = true;
    if (connection.out.slot_count() > 1 && start_gathered_send(connection)) return;
    const Slice slice = connection.out.at(0);
    const Capabilities& kernel = ring_->capabilities();
    if (ZeroCopySend* send = try_zero_copy(connection, 1, slice.length, kernel.send_zero_copy)) {
        prepare_send_zero_copy(ring_->next(), *send, slice, kernel.zero_copy_report);
    } else {
        prepare_send(ring_->next(), connection, slice);
    }
}

// False when there's no scratch memory: the first slot alone goes out then.
bool UringTransport::start_gathered_send(Connection& connection) {
    const uint32_t count = std::min(connection.out.slot_count(), vectors_max);
    const auto vectors_bytes = static_cast<uint32_t>(count * sizeof(iovec));
    if (!scratch_has(static_cast<uint32_t>(sizeof(msghdr)) + vectors_bytes)) return false;
    auto* message = new (scratch_.take(sizeof(msghdr))) msghdr{};
    auto* vectors = static_cast<iovec*>(scratch_.take(vectors_bytes));
    message->msg_iov = vectors;
    message->msg_iovlen = connection.out.gather({vectors, count});
    uint64_t bytes = 0;
    for (uint32_t index = 0; index < count; ++index) bytes += vectors[index].iov_len;

    const Capabilities& kernel = ring_->capabilities();
    if (ZeroCopySend* send =
            try_zero_copy(connection, count, bytes, kernel.sendmsg_zero_copy)) {
        prepare_sendmsg_zero_copy(ring_->next(), *send, *message, kernel.zero_copy_report);
    } else {
        prepare_sendmsg(ring_->next(), connection, *message);
    }
    return true;
}

// Null when this send goes the plain way.
ZeroCopySend* UringTransport::try_zero_copy(Connection& connection, uint32_t slot_count,
                                            uint64_t bytes, bool supported) {
    if (fixed_buffers_ == nullptr || !supported || zero_copy_refused_) return nullptr;
    if (bytes < options_.zero_copy_bytes_min || connection.route_copies) return nullptr;
    if (connection.send_plain) {
        connection.send_plain = false;
        return nullptr;
    }
    return ZeroCopySend::try_make(heap_, blocks_, connection, slot_count);
}

// Scratch memory is free again once the kernel has taken over all that points into it.
bool UringTransport::scratch_has(uint32_t bytes) {
    if (scratch_.has(bytes)) return true;
    if (!ring_->submit()) return false;
    scratch_.reset();
    return scratch_.has(bytes);
}

}  // namespace millrace
