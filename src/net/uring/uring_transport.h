// The transport over io_uring: kernel TCP, one ring a shard.
// Owned by: the server (or a test) that made it; used on the shard's thread. create() and
//           listen() may be called on another thread before the first poll.
// Holds:    a completion changes state and may give one event, but submits nothing: it marks its
//           connection, and flush() submits what the marked ones need (reconcile.cc). So a turn
//           is one walk and one enter call, the one of the next poll.
//           A connection's memory outlives every operation on it (`operations`), so that no
//           completion can be about another one.
// Not here: MQTT, timers of the layers above.
//
//   connect() ─► connecting ─┐                       ┌► lingering ─┐
//   accept ──────────────────┴─► open ─► (draining) ─┴─────────────┴─► closing ─► told_closed
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/transport.h"
#include "net/uring/linger.h"
#include "net/uring/receive_buffers.h"
#include "net/uring/ring.h"
#include "net/uring/submission.h"
#include "net/uring/turn_scratch.h"
#include "net/uring/zero_copy.h"
#include "runtime/arena.h"
#include "runtime/block.h"
#include "runtime/ledger.h"
#include "runtime/slab.h"
#include "runtime/waker.h"

namespace millrace {

struct UringTransportOptions {
    uint32_t submission_entries = 4'096;
    uint32_t completion_entries = 16'384;
    uint32_t receive_buffer_bytes = 16'384;  // at most 64 KiB is used
    uint32_t receive_buffer_count = 512;
    uint32_t zero_copy_bytes_min = 0;        // sends at least that long go zero-copy, unless
                                             // the kernel copied one; 0: never
    uint32_t napi_busy_poll_us = 0;          // 0: off
    uint32_t listen_backlog = 4'096;
    uint32_t socket_send_bytes = 0;          // SO_SNDBUF; 0: the kernel's own tuning
    // An accepted connection whose sent data isn't acknowledged that long, or meets a closed
    // window that long, is reset by the kernel (TCP_USER_TIMEOUT, RFC 5482). 0: its own limit.
    uint32_t send_timeout_ms = 0;
    uint32_t connections_max = 1'000'000;    // slots of the file table, RLIMIT_NOFILE at most
    bool incremental_buffers = true;         // when the kernel has them
};

class UringTransport {
public:
    static constexpr uint32_t events_max = 1'024;             // a poll
    static constexpr uint32_t drained_below_bytes = 65'536;
    static constexpr Duration accept_pause = Duration::ms(100);

    static Outcome<std::unique_ptr<UringTransport>> create(const UringTransportOptions& options,
                                                           Arena& arena, Ledger& ledger,
                                                           Heap& heap, BlockPool& blocks,
                                                           Waker& waker);
    ~UringTransport();
    UringTransport(const UringTransport&) = delete;
    UringTransport& operator=(const UringTransport&) = delete;

    Outcome<uint16_t> listen(const Endpoint& local);
    void stop_listening();
    void set_send_timeout(Duration timeout);  // of those accepted from here on
    Connection* connect(const ConnectOptions& options);
    std::span<const Event> poll(Instant wait_until);
    Instant waited_since() const { return waited_since_; }
    void flush(Instant now);

    Outbox& outbox() { return outbox_; }
    uint32_t connection_count() const { return connection_count_; }
    const TransportCounters& counters() const { return counters_; }
    // The same, for who reads them after this transport has gone.
    std::shared_ptr<const TransportCounters> share_counters() const { return shared_counters_; }
    // The kernel features in use, for the start-up line.
    std::string describe() const;
    // State and every counter that isn't zero, for a person.
    void dump(std::string& out) const;
    // How often this transport entered the kernel.
    uint64_t enter_count() const { return ring_->enter_count(); }

private:
    struct Listener {
        int descriptor;           // -1 once stopped
        bool armed = false;       // a multishot accept is in flight
        bool cancelling = false;  // and its cancel is on the way
    };
    // Entries that reconcile() takes for one connection at the most.
    static constexpr uint32_t entries_per_connection = 4;
    static constexpr uint32_t completions_per_poll = 4'096;

    UringTransport(const UringTransportOptions& options, Arena& arena, Ledger& ledger, Heap& heap,
                   BlockPool& blocks, Waker& waker);
    std::optional<Error> set_up(Arena& arena, Ledger& ledger);
    bool register_file_table();
    void start();
    void arm_standing();
    void cancel_accept(Listener& listener);
    void enter(Instant wait_until);
    bool take_completions();
    void submit_and_wait(Duration wait);
    bool accept_allowed() const;

    // completions.cc: one completion each.
    void on_completion(const io_uring_cqe& completion);
    void on_accept(Listener& listener, int result, uint32_t flags);
    void on_receive(Connection& connection, int result, uint32_t flags);
    void on_receive_end(Connection& connection, int error);
    void on_send(Connection& connection, int result);
    void on_sent(Connection& connection, uint32_t bytes);
    void on_send_error(Connection& connection, int error);
    void on_zero_copy(uring::ZeroCopySend& send, int result, uint32_t flags);
    void on_connect(Connection& connection, int result);
    void on_install(Connection& connection, int result);
    void on_connect_part(Connection& connection);
    void on_accept_failure(int error);
    void settle(Connection& connection);
    void drop_operation(Connection& connection);
    void emit(Event::Kind kind, Connection& connection, Bytes bytes = {});
    void tell_closed(Connection& connection);

    // reconcile.cc: from what a connection is to what it should be.
    void reconcile(Connection& connection);
    void reconcile_receive(Connection& connection);
    void advance_close(Connection& connection);
    void cancel(Connection& connection, uring::Operation operation);
    void shut_down(Connection& connection, int how);
    void finish_sending(Connection& connection);
    void start_closing(Connection& connection, CloseReason reason);
    void start_send(Connection& connection);
    bool start_gathered_send(Connection& connection);
    uring::ZeroCopySend* try_zero_copy(Connection& connection, uint32_t slot_count,
                                       uint64_t bytes, bool supported);
    bool scratch_has(uint32_t bytes);
    static bool is_in_flight(const Connection& connection);
    void expire(Instant now);
    void shed_accepts();
    void free_closed();

    const UringTransportOptions options_;
    Heap& heap_;
    BlockPool& blocks_;
    Waker& waker_;
    std::unique_ptr<uring::Ring> ring_;
    std::unique_ptr<uring::ReceiveBuffers> buffers_;
    std::unique_ptr<uring::FixedBuffers> fixed_buffers_;  // null when zero copy is off
    uring::TurnScratch scratch_;
    uring::LingerList lingering_;
    Slab<Connection> connections_;
    Outbox outbox_;
    const std::shared_ptr<TransportCounters> shared_counters_ =
        std::make_shared<TransportCounters>();
    TransportCounters& counters_ = *shared_counters_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<Event> events_;
    std::vector<Connection*> freed_next_;   // told closed, no operation left
    std::vector<uint32_t> orphan_slots_;    // accepted, but no memory for the connection

    Instant now_{};                  // of the last flush
    Instant waited_since_ = Instant::never();  // in the last poll
    Instant accept_again_{};         // no accept is armed before
    uint32_t now_ms_ = 0;
    uint32_t connection_count_ = 0;
    uint32_t slots_ = 0;
    uint32_t slots_used_ = 0;
    bool started_ = false;
    bool cancel_accepts_ = false;    // no memory: accepting has to stop for a moment
    bool waker_armed_ = false;
    bool sends_are_new_ = false;     // the kernel hasn't seen the last flush's
    bool work_left_ = false;         // the ring was full: flush has to be called again
    bool zero_copy_refused_ = false; // by the kernel, for good
    bool napi_on_ = false;
};

static_assert(Transport<UringTransport>);

}  // namespace millrace
