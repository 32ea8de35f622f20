// One end of the simulated wire: a shard's memory, a stack, and the programs that talk through it.
// Owned by: a run. Thread: one.
// Holds:    a turn is what runtime/shard_loop.h does: poll, act on events, flush. Every byte that
//           arrives is compared with what the other end wrote; events come in a legal order.
// Not here: the wire (tcp_network.h), when a turn is due (tcp_run.h).
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/arena.h"
#include "stack/stack_transport.h"
#include "tcp_network.h"

namespace millrace::sim {

// A checker's verdict: the run is over.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// One end of a connection, as its program sees it. It outlives the connection.
struct End {
    enum class Plan : uint8_t { close_when_sent, close_now, wait_for_peer };

    uint32_t id = 0;
    uint32_t host = 0;
    Connection* connection = nullptr;  // until `closed`
    FlowKey key;
    End* peer = nullptr;               // null until the other end is known
    Plan plan = Plan::close_when_sent;
    uint64_t to_write = 0;
    uint64_t written = 0;
    uint64_t received = 0;
    bool is_client = false;
    // A server's end that was let in by a cookie which had been good once before, or that one's
    // client. Cookies have no memory (RFC 4987, 3.6): when a reset is late or lost, the numbers of
    // the new connection are those of the old one, and so may be some of its bytes.
    bool is_repeated = false;
    bool was_opened = false;           // `accepted` or `connected`
    bool asked_when_sent = false;
    bool asked_now = false;
    bool awaits_drained = false;
    bool is_closed = false;
    CloseReason reason = CloseReason::none;  // with is_closed

    bool has_asked() const { return asked_when_sent || asked_now; }
};

struct HostDraws {
    LinkDraws link;
    StackOptions stack;
    uint64_t arena_bytes = uint64_t{32} << 20;
    uint32_t to_connect = 0;            // how many connections it opens
    uint32_t write_bytes_max = 100'000; // of a connection
    uint32_t write_part_max = 10'000;
    Duration action_interval = Duration::ms(10);
    double pause_chance = 0;            // a turn and connection
};

// What the ends of both hosts know of each other.
struct EndBook {
    std::vector<std::unique_ptr<End>> ends;
    // The newest client's end with these addresses, as the server sees them.
    End* client_of(const FlowKey& server_key) const;
};

class Host {
public:
    Host(uint32_t index, const HostDraws& draws, Network& network, EndBook& book, Prng& random);
    ~Host();

    // Everything that is due now.
    void turn(Instant now);
    Instant next_turn() const { return next_turn_; }
    void wake_at(Instant at) { next_turn_ = std::min(next_turn_, at); }
    // Nothing more is written or closed, and everybody reads.
    void begin_draining() { set_phase(Phase::draining); }
    // What nobody has asked to close, at both ends, has arrived.
    bool is_drained() const;
    // Whatever is open is closed, when sent.
    void begin_closing() { set_phase(Phase::closing); }
    // Nothing is left that time would end.
    bool is_empty() const;
    // Takes all memory that is there, and gives it back.
    void exhaust();
    void relieve();
    // Ends the stack; whatever it had borrowed must be back.
    void check_memory();
    void trace() { traced_ = true; }
    const StackTransport& stack() const { return *net_; }
    const TcpCounters& counters() const { return net_->tcp_counters(); }
    std::string open_ends() const;

private:
    enum class Phase : uint8_t { busy, draining, closing };
    struct Taken {
        void* memory;
        uint32_t bytes;
    };

    void set_phase(Phase phase);
    void handle(const Event& event);
    void on_accepted(Connection& connection);
    void on_received(End& end, Bytes bytes);
    void on_closed(End& end);
    void check_end_of_stream(const End& end) const;
    End& make_end(Connection& connection, bool is_client);
    End& end_of(Connection& connection);

    void act();
    void act_on(End& end);
    void end_in_peace(End& end);
    void try_connect();
    void write(End& end);
    void close(End& end);
    void toggle_pause(End& end);
    void look_for_half_close(End& end);

    [[noreturn]] void fail(const End& end, const std::string& what) const;
    void note(const End& end, const std::string& what) const;

    const uint32_t index_;
    const HostDraws draws_;
    EndBook& book_;
    Prng& random_;
    Instant now_;
    std::unique_ptr<Arena> arena_;
    Ledger ledger_;
    std::unique_ptr<Heap> heap_;
    std::unique_ptr<BlockPool> blocks_;
    std::unique_ptr<BlockStream> stream_;
    std::unique_ptr<Waker> waker_;
    std::unique_ptr<StackTransport> net_;
    std::unique_ptr<TimerWheel> unused_wheel_;   // of verifier_
    TcpCounters unused_counters_;
    std::unique_ptr<Tcp> verifier_;
    std::vector<End*> open_;
    std::vector<Taken> taken_;
    std::vector<std::byte*> taken_chunks_;
    uint32_t to_connect_;
    Instant next_action_{};
    Instant next_turn_{};
    Phase phase_ = Phase::busy;
    bool traced_ = false;
};

}  // namespace millrace::sim
