// An MQTT session (MQTT 5.0, 4.1): what outlives a network connection.
// Owned by: the shard that holds it; found by client id in that shard's SessionTable.
// Holds:    `connection` is set exactly while a client is attached. An idle session is this
//           struct, its client id behind it and its subscriptions; all else hangs on `extras`,
//           which exists only while something is in flight, waiting, or due.
// Not here: what packets do to it (packet handlers in broker_*.cc).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/intrusive.h"
#include "broker/inflight.h"
#include "broker/message_queue.h"
#include "broker/packet_id_set.h"
#include "net/connection.h"
#include "runtime/timer_wheel.h"

namespace millrace {

struct Session;
struct Subscription;

// A will to be published (3.1.2.5), made at CONNECT.
struct Will {
    StoredMessage* message;
    uint32_t delay_s;
    uint32_t expiry_s;   // message expiry interval, counted from its publication
    bool has_expiry;
};

// Names its session, so that the wheel's owner finds it.
struct SessionTimer : TimerEntry {
    Session* session = nullptr;
};

// A session on its way between two shards (broker_move.cc): it stands on both for a while, and
// each home shard delivers to one of them at any moment.
struct SessionMove {
    uint32_t move;             // the number that the shard which it leaves has for it
    uint32_t claimant;         // the shard that it goes to
    uint32_t ticket;           // the claimant's
    uint64_t served_by;        // home shards whose messages count here

    bool is_served_by(uint32_t home) const { return (served_by >> home & 1) != 0; }
};

struct SessionExtras {
    Inflight inflight;             // to the client
    PacketIdSet received_qos2;     // from the client
    MessageQueue waiting;          // for the window, the send ring or the client to come back
    Will* will = nullptr;
    SessionTimer timer;            // started while no client is attached and something is due
    Instant expires = Instant::never();   // of the session; valid while no client is attached
    Instant will_due = Instant::never();  // likewise
    SessionMove* move = nullptr;   // while `is_moving`

    bool unused() const {
        return inflight.empty() && received_qos2.count() == 0 && waiting.empty() &&
               will == nullptr && move == nullptr && !timer.started() &&
               expires == Instant::never() && will_due == Instant::never();
    }
};

struct Session {
    static constexpr uint32_t never_expires = 0xffff'ffff;

    Session* table_next = nullptr;
    uint64_t hash = 0;                 // ShardContext::hash(client_id())
    Connection* connection = nullptr;
    Subscription* subscriptions = nullptr;
    SessionExtras* extras = nullptr;
    uint32_t expiry_s = 0;             // 0: ends with its connection
    uint16_t subscription_count = 0;
    uint16_t pending_count = 0;        // subscribes that wait for other shards
    bool is_moving : 1 = false;        // to another shard, or from one
    bool is_traced : 1 = false;        // see tracer.h
    bool is_special : 1 = false;       // one of them: a delivery looks at one bit
    uint8_t client_id_bytes_high = 0;
    uint8_t client_id_bytes_low = 0;

    uint32_t client_id_bytes() const {
        return (uint32_t{client_id_bytes_high} << 8) | client_id_bytes_low;
    }
    // The id stands directly behind this struct's last field.
    std::string_view client_id() const {
        return {reinterpret_cast<const char*>(&client_id_bytes_low + 1), client_id_bytes()};
    }
    void set_moving(bool moving) {
        is_moving = moving;
        is_special = is_moving || is_traced;
    }
    void set_traced(bool traced) {
        is_traced = traced;
        is_special = is_moving || is_traced;
    }
    bool is_kept() const { return expiry_s != 0; }
    // What was sent with that identifier and is open. Null when there's none: it may be left over
    // from before a reconnection.
    InflightEntry* find_inflight(uint16_t packet_id) {
        return extras == nullptr ? nullptr : extras->inflight.find(packet_id);
    }
};

}  // namespace millrace
