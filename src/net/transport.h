// The contract of a network backend: io_uring, DPDK with its own TCP, or a simulation.
// Owned by: one shard each; every call on the shard's thread.
// Holds:    for every connection: `accepted` or (after connect()) `connected` comes first,
//           `closed` comes last and exactly once, and no event follows it. A connection from
//           connect() that fails gets `closed` alone.
//           Events come in the order in which the bytes came.
// Not here: timers, MQTT, threads.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "net/connection.h"
#include "net/outbox.h"

namespace millrace {

struct Event {
    enum class Kind : uint8_t {
        accepted,   // `connection` is new; its user room is raw memory
        connected,  // a connect() has succeeded
        received,   // `bytes`, borrowed until the next poll
        drained,    // `tell_when_drained` was set and the ring is now below a quarter of what it was, or empty
        closed,     // `connection.close_reason` says why; its memory goes after this turn
    };
    Kind kind;
    Connection* connection;
    Bytes bytes;
};

struct Endpoint {
    std::string host;  // IPv4 or IPv6 address in text
    uint16_t port = 0;
};

struct ConnectOptions {
    Endpoint remote;
    std::string source_host;  // empty: the system chooses
};

// Totals since the start, written by the shard, readable anywhere.
struct TransportCounters {
    Counter accepted, connected, closed;
    Counter accept_failures;        // EMFILE, ENFILE, memory: accepting paused for a moment
    Counter bytes_received, bytes_sent;
    Counter receives, sends;        // completions
    Counter sends_zero_copy, sends_zero_copy_copied;
    Counter receive_buffer_shortages;
    Counter completion_overflows;
};

template <class T>
concept Transport = requires(T& net, Instant now, Duration timeout, const Endpoint& local,
                             const ConnectOptions& to) {
    // Accepts on `local`, with other shards beside it; returns the bound port (0 picks one).
    { net.listen(local) } -> std::same_as<Outcome<uint16_t>>;
    { net.stop_listening() } -> std::same_as<void>;
    // How long sent data may go without progress before the peer counts as gone. Connections that
    // are there follow, or keep what they had: the backend says which.
    { net.set_send_timeout(timeout) } -> std::same_as<void>;
    // Null when a pool or the descriptor table is full.
    { net.connect(to) } -> std::same_as<Connection*>;
    // Waits for an event, a wake-up or `wait_until` (not at all when that has passed); returns
    // at most a bounded batch. Events and their bytes are valid until the next poll or flush
    // has ended the turn.
    { net.poll(now) } -> std::same_as<std::span<const Event>>;
    // When the last poll had nothing left to do but wait: all output had been handed over by then.
    // never() if it didn't wait; then that holds for its return.
    { net.waited_since() } -> std::same_as<Instant>;
    // Acts on the outbox. Connections whose `closed` was delivered are freed here.
    { net.flush(now) } -> std::same_as<void>;
    { net.outbox() } -> std::same_as<Outbox&>;
    { net.connection_count() } -> std::convertible_to<uint32_t>;
};

}  // namespace millrace
