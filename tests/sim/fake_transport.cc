#include "fake_transport.h"

#include <algorithm>
#include <cstring>

namespace millrace::sim {

FakeTransport::~FakeTransport() {
    for (const auto& socket : sockets_) socket->out.clear(heap_, blocks_);
}

void FakeTransport::open(std::shared_ptr<Pipe> pipe) {
    sockets_.push_back(std::make_unique<Socket>());
    sockets_.back()->pipe = std::move(pipe);
    sockets_.back()->is_open = true;
}

Connection* FakeTransport::find(const Pipe& pipe) {
    for (const auto& socket : sockets_) {
        if (socket->pipe.get() == &pipe && socket->was_accepted) return socket.get();
    }
    return nullptr;
}

size_t FakeTransport::piece(size_t available) {
    if (calm_ || random_.below(3) == 0) return available;
    const uint32_t bytes_max = random_.below(4) == 0 ? 4 : 200;
    return std::min<size_t>(available, 1 + random_.below(bytes_max));
}

std::span<const Event> FakeTransport::poll(Instant) {
    did_something_ = false;
    events_.clear();
    received_.clear();
    const size_t count = sockets_.size();
    const size_t first = count == 0 ? 0 : random_.below(static_cast<uint32_t>(count));
    for (size_t step = 0; step < count; ++step) poll_one(*sockets_[(first + step) % count]);
    return events_;
}

bool FakeTransport::tell(Event::Kind kind, Socket& socket, Bytes bytes) {
    events_.push_back({kind, &socket, bytes});
    did_something_ = true;
    return true;
}

void FakeTransport::tell_closed(Socket& socket, CloseReason reason) {
    if (socket.close_reason == CloseReason::none) socket.close_reason = reason;
    socket.told_closed = true;
    socket.pipe->server_finished = true;
    socket.pipe->server_closed = true;
    tell(Event::Kind::closed, socket);
}

void FakeTransport::poll_one(Socket& socket) {
    Pipe& pipe = *socket.pipe;
    if (!likely()) return;
    if (!socket.was_accepted) {
        socket.was_accepted = tell(Event::Kind::accepted, socket);
        if (!likely()) return;
    }
    if (socket.closing) return tell_closed(socket, CloseReason::local);
    if (pipe.client_reset) return tell_closed(socket, CloseReason::peer_reset);
    tell_drained(socket);
    if (!socket.receive_paused) {
        while (receive(socket) && random_.below(2) == 0) {
        }
    }
    if (pipe.client_finished && pipe.to_server.empty()) tell_closed(socket, CloseReason::peer_closed);
}

bool FakeTransport::receive(Socket& socket) {
    std::string& waiting = socket.pipe->to_server;
    if (waiting.empty()) return false;
    const size_t bytes = piece(waiting.size());
    received_.push_back(std::make_unique<uint8_t[]>(bytes));
    std::memcpy(received_.back().get(), waiting.data(), bytes);
    waiting.erase(0, bytes);
    return tell(Event::Kind::received, socket, {received_.back().get(), bytes});
}

void FakeTransport::tell_drained(Socket& socket) {
    if (!socket.tell_when_drained || socket.close_when_sent) return;
    if (socket.drain_mark_bytes == 0) socket.drain_mark_bytes = socket.out.bytes_queued();
    if (!socket.out.empty() && socket.out.bytes_queued() >= socket.drain_mark_bytes / 4) return;
    socket.tell_when_drained = false;
    socket.drain_mark_bytes = 0;
    tell(Event::Kind::drained, socket);
}

void FakeTransport::flush(Instant now) {
    for (Connection* connection = outbox_.take_all(); connection != nullptr;) {
        Connection* next = connection->next_dirty;
        connection->dirty = false;
        connection = next;
        did_something_ = true;
    }
    for (const auto& socket : sockets_) flush_one(*socket, now);
    std::erase_if(sockets_, [](const auto& socket) { return socket->told_closed; });
}

void FakeTransport::flush_one(Socket& socket, Instant now) {
    if (socket.told_closed || socket.close_now) {
        socket.out.clear(heap_, blocks_);
        socket.closing = true;
        socket.pipe->server_finished = true;
        return;
    }
    if (socket.out.bytes_queued() > 0 && socket.bytes_seen == 0) {
        socket.send_progress_ms = static_cast<uint32_t>(now.to_ms());
    }
    if (likely()) send(socket, now);
    socket.bytes_seen = socket.out.bytes_queued();
    if (socket.close_when_sent && socket.out.empty()) {
        socket.closing = true;
        socket.pipe->server_finished = true;
    }
}

void FakeTransport::send(Socket& socket, Instant now) {
    Pipe& pipe = *socket.pipe;
    if (pipe.client_reset) return;
    const size_t room = pipe.to_client_bytes_max - std::min(pipe.to_client_bytes_max,
                                                            pipe.to_client.size());
    size_t left = std::min<size_t>(room, socket.out.bytes_queued());
    if (left == 0) return;
    left = piece(left);
    uint32_t sent = 0;
    iovec vectors[8];
    const uint32_t filled = socket.out.gather(vectors);
    for (uint32_t index = 0; index < filled && left > 0; ++index) {
        const size_t bytes = std::min(left, vectors[index].iov_len);
        pipe.to_client.append(static_cast<const char*>(vectors[index].iov_base), bytes);
        left -= bytes;
        sent += static_cast<uint32_t>(bytes);
    }
    socket.out.consume(heap_, blocks_, sent);
    socket.send_progress_ms = static_cast<uint32_t>(now.to_ms());
    did_something_ = true;
}

}  // namespace millrace::sim
