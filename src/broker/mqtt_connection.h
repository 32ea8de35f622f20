// What MQTT adds to a network connection.
// Owned by: it stands in the connection's `user` room; made at `accepted`, destroyed at `closed`.
// Holds:    `session` is set exactly in the states `connected` and `leaving`.
#pragma once

#include "broker/session.h"
#include "broker/terms.h"
#include "net/stream_tail.h"

namespace millrace {

// The kinds of TimerEntry that a shard's broker starts.
enum class TimerKind : uint8_t { connection = 1, session = 2, system_topics = 3, drain = 4, traces = 5 };

// What an MQTT 5.0 client asked for beyond the defaults; exists only then.
struct ClientLimits {
    static constexpr uint32_t outgoing_aliases_max = 16;
    struct Alias {
        char* topic = nullptr;   // from the heap
        uint16_t topic_bytes = 0;
    };

    uint32_t maximum_packet_bytes = UINT32_MAX;
    uint16_t receive_maximum = UINT16_MAX;
    uint16_t outgoing_aliases = 0;                       // the client's topic alias maximum, capped
    uint16_t incoming_capacity = 0;                      // entries behind `incoming`
    Alias* incoming = nullptr;                           // aliases that the client has set
    uint32_t known_generations[outgoing_aliases_max]{};  // see topic_aliases.h; 0: never sent
};

struct MqttConnection {
    enum class State : uint8_t {
        awaiting_connect,
        claiming,    // the client id's home shard is being asked
        connected,
        leaving,     // its publishes don't count any more: it'll be told to go (broker_drain.cc)
        ended,       // no packet is processed any more
    };

    Session* session = nullptr;
    ClientLimits* limits = nullptr;
    StreamTail tail;
    TimerEntry timer;
    union {
        uint32_t last_received_ms = 0;   // shard time, wraps
        uint32_t claim_ticket;           // in state `claiming`
    };
    uint16_t keep_alive_s = 0;       // 0: none
    mqtt::Version version = mqtt::Version::v5;
    State state : 3 = State::awaiting_connect;
    bool is_held : 1 = false;        // what it sends waits in Broker::held_ until an answer is ready
    uint8_t terms : TermsTable::index_bits = 0;  // what it was promised

    uint32_t maximum_packet_bytes() const {
        return limits == nullptr ? UINT32_MAX : limits->maximum_packet_bytes;
    }
    uint16_t receive_maximum() const {
        return limits == nullptr ? UINT16_MAX : limits->receive_maximum;
    }
    bool is_v5() const { return version == mqtt::Version::v5; }
};
static_assert(sizeof(MqttConnection) == Connection::user_bytes);
static_assert(static_cast<uint8_t>(MqttConnection::State::ended) < 1 << 3);

inline MqttConnection& mqtt_of(Connection& connection) { return connection.as<MqttConnection>(); }

}  // namespace millrace
