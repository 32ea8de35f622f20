// A network backend without a network: connections are pipes in memory, whose other ends belong
// to model clients. Bytes arrive in pieces of drawn lengths, at drawn turns.
// Owned by: one simulated shard.
// Holds:    what net/transport.h asks of a backend: accepted first, closed last and once, events
//           in the order of the bytes, each event's bytes valid until the flush.
// Not here: the turn itself (world.h), what the bytes are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "net/transport.h"

namespace millrace::sim {

// Both directions of one connection.
struct Pipe {
    std::string to_server;
    std::string to_client;
    size_t to_client_bytes_max = 65'536;   // what "the kernel" holds for a peer that doesn't read
    bool client_finished = false;          // FIN, behind what stands in to_server
    bool client_reset = false;             // nothing more is delivered in either direction
    bool server_finished = false;          // nothing more will come to the client
    bool server_closed = false;            // `closed` was delivered

    bool client_sees_end() const { return server_finished && to_client.empty(); }
};

class FakeTransport {
public:
    FakeTransport(Heap& heap, BlockPool& blocks, Prng& random)
        : heap_(heap), blocks_(blocks), random_(random), outbox_(heap, blocks) {}
    ~FakeTransport();
    FakeTransport(const FakeTransport&) = delete;
    FakeTransport& operator=(const FakeTransport&) = delete;

    // A client's connection attempt.
    void open(std::shared_ptr<Pipe> pipe);
    // The server's end of a pipe; null before it's accepted and when it has gone.
    Connection* find(const Pipe& pipe);
    // From now on nothing is delayed, and pieces are large.
    void calm_down() { calm_ = true; }
    bool did_something() const { return did_something_; }

    // net/transport.h
    Outcome<uint16_t> listen(const Endpoint& local) { return local.port; }
    void stop_listening() {}
    void set_send_timeout(Duration) {}
    Connection* connect(const ConnectOptions&) { return nullptr; }  // the table is always full
    std::span<const Event> poll(Instant now);
    Instant waited_since() const { return Instant::never(); }
    void flush(Instant now);
    Outbox& outbox() { return outbox_; }
    uint32_t connection_count() const { return static_cast<uint32_t>(sockets_.size()); }

private:
    struct Socket : Connection {
        std::shared_ptr<Pipe> pipe;
        bool was_accepted = false;
        uint32_t drain_mark_bytes = 0;   // queued when tell_when_drained was seen; 0: it wasn't
        uint32_t bytes_seen = 0;         // queued at the last flush
    };

    void poll_one(Socket& socket);
    bool tell(Event::Kind kind, Socket& socket, Bytes bytes = {});
    void tell_closed(Socket& socket, CloseReason reason);
    bool receive(Socket& socket);
    void tell_drained(Socket& socket);
    void flush_one(Socket& socket, Instant now);
    void send(Socket& socket, Instant now);
    bool likely() { return calm_ || random_.below(4) != 0; }
    size_t piece(size_t available);

    Heap& heap_;
    BlockPool& blocks_;
    Prng& random_;
    Outbox outbox_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::vector<Event> events_;
    std::vector<std::unique_ptr<uint8_t[]>> received_;   // exactly as long as their events' bytes
    bool calm_ = false;
    bool did_something_ = false;
};
static_assert(Transport<FakeTransport>);

}  // namespace millrace::sim
