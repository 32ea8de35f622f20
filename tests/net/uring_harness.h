// A UringTransport with its shard's memory, and plain kernel sockets as its peers.
// Owned by: one test. Everything on the test's thread unless it starts another one.
// Not here: a broker: tests answer events by a function.
#pragma once

#include <cerrno>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "net/uring/uring_transport.h"
#include "runtime/clock.h"

namespace millrace::test {

// A blocking loopback socket with a time limit on every call.
class Peer {
public:
    Peer() = default;
    explicit Peer(int descriptor) : descriptor_(descriptor) {}
    Peer(Peer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Peer& operator=(Peer&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Peer() { close(); }

    // `receive_bytes` bounds SO_RCVBUF, to be slow on purpose; 0 leaves it to the kernel.
    static Peer connect(uint16_t port, int receive_bytes = 0) {
        Peer peer{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (receive_bytes > 0) {
            ::setsockopt(peer.descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(int));
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int result =
            ::connect(peer.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
        REQUIRE(result == 0);
        const timeval limit{10, 0};
        ::setsockopt(peer.descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        ::setsockopt(peer.descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        return peer;
    }

    void send(std::string_view text) const {
        REQUIRE(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    // What is there now, without waiting; sets `ended` at FIN, `reset` at an error.
    std::string take(size_t bytes_max = 65'536) {
        std::string text(bytes_max, '\0');
        const ssize_t count = ::recv(descriptor_, text.data(), text.size(), MSG_DONTWAIT);
        if (count == 0) ended = true;
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) reset = true;
        text.resize(count > 0 ? static_cast<size_t>(count) : 0);
        return text;
    }
    void finish() const { ::shutdown(descriptor_, SHUT_WR); }
    void close() {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }
    void abort() {  // closes with a reset
        const linger none{1, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        close();
    }
    int descriptor() const { return descriptor_; }

    bool ended = false;
    bool reset = false;

private:
    int descriptor_ = -1;
};

struct Shard {
    std::unique_ptr<Arena> arena;
    Ledger ledger;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
    std::unique_ptr<BlockStream> stream;
    std::unique_ptr<Waker> waker;
    std::unique_ptr<UringTransport> net;
    uint16_t port = 0;
    Instant now{};

    std::vector<Connection*> accepted, connected, drained;
    std::vector<std::pair<Connection*, CloseReason>> closed;
    std::string received;  // of all connections
    std::function<void(const Event&)> on_event = [](const Event&) {};

    // False when this kernel has no io_uring for us: the test is skipped, with the reason.
    bool make(const UringTransportOptions& options = small(), uint64_t arena_bytes = 64 << 20) {
        arena = std::move(*Arena::create({arena_bytes, HugePages::off}));
        heap = std::make_unique<Heap>(*arena, ledger);
        blocks = std::make_unique<BlockPool>(*heap, ledger);
        stream = std::make_unique<BlockStream>(*blocks);
        waker = std::make_unique<Waker>(std::move(*Waker::create()));
        auto made = UringTransport::create(options, *arena, ledger, *heap, *blocks, *waker);
        if (!made) {
            std::printf("skipped: %s\n", made.error().message.c_str());
            return false;
        }
        net = std::move(*made);
        now = monotonic_now();
        return true;
    }
    ~Shard() {
        net.reset();
        stream.reset();
    }

    static UringTransportOptions small() {
        UringTransportOptions options;
        options.submission_entries = 256;
        options.completion_entries = 1'024;
        options.receive_buffer_count = 64;
        options.receive_buffer_bytes = 4'096;
        options.connections_max = 1'000;
        return options;
    }
    void listen() {
        const auto bound = net->listen({"127.0.0.1", 0});
        REQUIRE(bound);
        port = *bound;
    }

    // One turn of the loop; waits for an event `wait` at the most.
    void turn(Duration wait = Duration::ms(5)) {
        for (const Event& event : net->poll(now + wait)) {
            note(event);
            on_event(event);
        }
        now = monotonic_now();
        net->flush(now);
    }
    template <class Condition>
    bool run_until(Condition&& condition, Duration limit = Duration::s(10)) {
        const Instant end = monotonic_now() + limit;
        while (!condition()) {
            if (monotonic_now() > end) return false;
            turn();
        }
        return true;
    }
    void run_for(Duration span) {
        const Instant end = monotonic_now() + span;
        while (monotonic_now() < end) turn();
    }

    bool send(Connection& connection, std::string_view text) {
        const std::span<uint8_t> room = stream->try_reserve(static_cast<uint32_t>(text.size()));
        if (room.size() < text.size()) return false;
        std::copy(text.begin(), text.end(), room.begin());
        return net->outbox().send(connection, stream->commit(static_cast<uint32_t>(text.size())));
    }
    // As send(), but what is sent next isn't adjacent: it needs a slot of its own.
    bool send_apart(Connection& connection, std::string_view text) {
        if (!send(connection, text)) return false;
        const std::span<uint8_t> gap = stream->try_reserve(8);
        if (gap.empty()) return false;
        stream->commit(8);
        return true;
    }
    Connection& accept_one(Peer& peer, int receive_bytes = 0) {
        const size_t before = accepted.size();
        peer = Peer::connect(port, receive_bytes);
        REQUIRE(run_until([&] { return accepted.size() > before; }));
        return *accepted.back();
    }
    // Turns until `peer` has got `bytes`, or its stream has ended.
    std::string gather(Peer& peer, size_t bytes) {
        std::string text;
        run_until([&] {
            while (true) {
                const std::string part = peer.take();
                if (part.empty()) break;
                text += part;
            }
            return text.size() >= bytes || peer.ended || peer.reset;
        });
        return text;
    }
    // Every connection's memory and every block beside the stream's own has gone home.
    uint64_t connections_alive() { return ledger.line("connections").objects.read(); }

private:
    void note(const Event& event) {
        switch (event.kind) {
        case Event::Kind::accepted:
            accepted.push_back(event.connection);
            break;
        case Event::Kind::connected:
            connected.push_back(event.connection);
            break;
        case Event::Kind::received:
            received += as_text(event.bytes);
            break;
        case Event::Kind::drained:
            drained.push_back(event.connection);
            break;
        case Event::Kind::closed:
            closed.push_back({event.connection, event.connection->close_reason});
            break;
        }
    }
};

// Text whose every place can be told from its neighbours.
inline std::string pattern(size_t bytes) {
    std::string text(bytes, '\0');
    for (size_t index = 0; index < bytes; ++index) {
        text[index] = static_cast<char>((index * 2'654'435'761u) >> 13);
    }
    return text;
}

}  // namespace millrace::test
