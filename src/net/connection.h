// One connection, as every backend and the layers above see it.
// Owned by: the transport, from `accepted` (or connect()) until the turn that delivered `closed`
//           has ended. On its own shard only.
// Holds:    `out` is written by the layer above and drained by the transport; `user` belongs to
//           the layer above, which makes and destroys what stands in it.
// Not here: what a backend needs beside it (a derived struct), MQTT.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>

#include "net/send_ring.h"

namespace millrace {

enum class CloseReason : uint8_t {
    none,
    peer_closed,      // FIN
    peer_reset,       // RST, or an error of the socket
    local,            // the layer above asked for it
    connect_failed,
    handshake_timeout,
    slow_receiver,
    exhausted,        // memory or descriptors
    shutdown,
};

// For the log: it stays the same for ever.
constexpr std::string_view name_of(CloseReason reason) {
    switch (reason) {
    case CloseReason::none: return "none";
    case CloseReason::peer_closed: return "peer_closed";
    case CloseReason::peer_reset: return "peer_reset";
    case CloseReason::local: return "local";
    case CloseReason::connect_failed: return "connect_failed";
    case CloseReason::handshake_timeout: return "handshake_timeout";
    case CloseReason::slow_receiver: return "slow_receiver";
    case CloseReason::exhausted: return "exhausted";
    case CloseReason::shutdown: return "shutdown";
    }
    return "";
}

struct Connection {
    static constexpr uint32_t user_bytes = 56;

    SendRing out;
    Connection* next_dirty = nullptr;     // valid while `dirty`
    uint32_t file_index = 0;              // backend's
    uint32_t send_progress_ms = 0;        // shard time (ms, wraps) when output last moved, or
                                          // when it stopped being empty (outbox.h)
    uint16_t operations = 0;              // backend's: completions still to come

    // Written by the layer above, all but the last through Outbox.
    bool dirty : 1 = false;               // stands in the outbox's list
    bool close_when_sent : 1 = false;
    bool close_now : 1 = false;
    bool receive_paused : 1 = false;
    bool tell_when_drained : 1 = false;   // wants an Event::drained; cleared by it
    bool is_traced : 1 = false;           // the layer above's own; the transport doesn't look at it

    // Backend's.
    bool sending : 1 = false;             // one send is in flight
    bool receiving : 1 = false;           // a receive is armed
    bool closing : 1 = false;             // no event but `closed` will come
    bool close_submitted : 1 = false;
    bool is_client : 1 = false;
    bool is_open : 1 = false;
    bool has_slot : 1 = false;            // file_index names a slot of the file table
    bool connecting : 1 = false;          // the connect's completion is to come
    bool installing : 1 = false;          // its way into the file table is to come
    uint8_t cancels : 2 = 0;              // in flight
    bool shutting_down : 1 = false;       // the shutdown's completion is to come
    bool is_shut : 1 = false;             // both ways, to end what is in flight
    bool lingering : 1 = false;           // all is sent: waits for the peer to close first
    bool peer_finished : 1 = false;       // nothing more will be received
    bool send_failed : 1 = false;         // what was received before is still to be read
    bool send_plain : 1 = false;          // zero copy was refused once
    bool route_copies : 1 = false;        // the kernel copied all the same: zero copy only costs
    bool awaits_room : 1 = false;         // `sending` stands for a wait for room to send
    bool told_closed : 1 = false;         // `closed` has been delivered
    CloseReason close_reason = CloseReason::none;

    alignas(8) std::byte user[user_bytes];

    template <class T>
    T& as() {
        static_assert(sizeof(T) <= user_bytes && alignof(T) <= 8);
        return *std::launder(reinterpret_cast<T*>(user));
    }
    // The connection whose `user` room holds `part`.
    template <class T>
    static Connection& of(T& part) {
        return *reinterpret_cast<Connection*>(reinterpret_cast<std::byte*>(&part) -
                                              offsetof(Connection, user));
    }
};
static_assert(sizeof(Connection) == 104);

}  // namespace millrace
