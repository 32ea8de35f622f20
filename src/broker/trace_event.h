// What a trace tells of one packet or one moment of a client, and its form in a trace ring.
// Owned by: a value that borrows its texts. `reason` is one of the program's own words, which stay.
// Holds:    as a record it's a head and the bytes of client id, topic and data behind it.
// Not here: which clients are traced (tracer.h), JSON (admin).
#pragma once

#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "codec/mqtt/packet.h"

namespace millrace {

enum class TraceKind : uint8_t {
    // Below that: the MQTT packet type of the same number.
    accepted = 16,  // the client is connected
    closed,         // its connection has ended
    dropped,        // a message for it
    queued,         // a message waits for it: for its window, its ring, or its return
};
enum class TraceDirection : uint8_t { in, out, none };

std::string_view name_of(TraceKind kind);
std::string_view name_of(TraceDirection direction);

struct TraceEvent {
    static constexpr uint32_t client_id_bytes_max = 256;
    static constexpr uint32_t topic_bytes_max = 512;
    static constexpr uint32_t data_bytes_max = 4096;

    uint32_t trace = 0;              // its id
    Instant time{};
    TraceKind kind{};
    TraceDirection direction = TraceDirection::none;
    bool has_qos = false;
    bool has_receivers = false;
    bool has_took = false;
    uint8_t qos = 0;                 // valid with has_qos
    uint16_t packet_id = 0;          // 0: none
    uint16_t shard = 0;
    uint32_t bytes = 0;              // of the whole packet
    uint32_t receivers = 0;          // valid with has_receivers
    Duration took{};                 // valid with has_took: processing it
    std::string_view reason;         // empty: none
    std::string_view client_id;      // empty: of several
    std::string_view topic;          // empty: none
    Bytes data;                      // the packet's first bytes
};

// What the first bytes of a packet say: what isn't there, or can't be read, stays empty.
void describe_packet(mqtt::Version version, Bytes packet, TraceEvent& event);

uint32_t record_bytes(const TraceEvent& event);
void write_record(uint8_t* out, const TraceEvent& event);
// A field that is known only when the record stands.
void patch_record(uint8_t* record, Duration took, std::string_view reason);
TraceEvent read_record(const uint8_t* record);

}  // namespace millrace
