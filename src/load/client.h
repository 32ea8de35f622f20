// One simulated terminal, and the publishing side of those that publish.
// Owned by: its LoadShard, for the whole run; connections come and go.
// Holds:    `connection` is set from connect() until its `closed` event; the connection's user room
//           holds a ClientLink back.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "load/packet_window.h"
#include "net/connection.h"
#include "net/stream_tail.h"

namespace millrace {

enum class ClientRole : uint8_t { subscriber, publisher };

enum class ClientState : uint8_t {
    closed,       // no connection
    connecting,   // the transport is at it
    greeting,     // CONNECT is sent
    subscribing,  // SUBSCRIBE is sent
    ready,
    leaving,      // we close, or have found a fault; what arrives is ignored
};

constexpr bool may_follow(ClientState from, ClientState to) {
    switch (from) {
    case ClientState::closed: return to == ClientState::connecting;
    case ClientState::connecting:
        return to == ClientState::greeting || to == ClientState::leaving ||
               to == ClientState::closed;
    case ClientState::greeting:
        return to == ClientState::subscribing || to == ClientState::ready ||
               to == ClientState::leaving || to == ClientState::closed;
    case ClientState::subscribing:
        return to == ClientState::ready || to == ClientState::leaving || to == ClientState::closed;
    case ClientState::ready: return to == ClientState::leaving || to == ClientState::closed;
    case ClientState::leaving: return to == ClientState::closed;
    }
    MR_UNREACHABLE();
}

class Client {
public:
    Client(uint32_t number_, ClientRole role_, uint32_t local_)
        : number(number_), local(local_), role(role_) {}

    ClientState state() const { return state_; }
    void set_state(ClientState to) {
        MR_ASSERT(may_follow(state_, to));
        state_ = to;
    }
    // From the first attempt until it's ready: counts as outstanding.
    bool opening() const {
        return state_ == ClientState::connecting || state_ == ClientState::greeting ||
               state_ == ClientState::subscribing;
    }

    Connection* connection = nullptr;
    StreamTail tail;
    int64_t opened_at_ns = 0;  // when it was to be opened; valid while opening()
    uint32_t number;           // in the run
    uint32_t local;            // among its role on this shard
    ClientRole role;

private:
    ClientState state_ = ClientState::closed;
};
static_assert(sizeof(Client) == 40);

struct ClientLink {
    Client* client;
};

struct Publisher {
    Client* client = nullptr;
    PacketWindow packets;        // QoS 1 and 2
    uint64_t sent = 0;           // also the next message's sequence number
    uint64_t phase_first = 0;    // `sent` when the phase began
    uint64_t due = 0;            // may send up to here now
    uint64_t limit = 0;          // of the phase
    uint64_t complete = 0;       // closed loop: all receivers have what is below
    uint32_t number = 0;         // among all publishers
    bool waiting_in_line = false;  // stands in the shard's line of publishers with work
    bool finished = true;        // counted as such
};

}  // namespace millrace
