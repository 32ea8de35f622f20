// Which connection a segment belongs to: the 4-tuple, and its keyed hash.
// Owned by: values. Thread: any.
// Holds:    the key of the hash is drawn at start-up, so that a peer can't choose 4-tuples that
//           collide.
#pragma once

#include <cstdint>

#include "base/hash.h"
#include "wire/address.h"

namespace millrace {

struct FlowKey {
    IpAddress local;
    IpAddress remote;
    uint16_t local_port = 0;   // host order
    uint16_t remote_port = 0;

    bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 36);

inline uint64_t hash_flow(const FlowKey& key, HashKey secret) {
    return XXH3_64bits_withSeed(&key, sizeof(key), secret.value);
}

// What the flow table refers to: the base of a connection, of a handshake in the backlog and of a
// closed connection in TIME-WAIT.
struct FlowNode {
    enum class Kind : uint8_t { connection, half_open, time_wait };

    FlowKey key;
    MacAddress mac;            // where frames to `remote` go: zero until it's known
    Kind kind = Kind::connection;
};
static_assert(sizeof(FlowNode) == 44);

}  // namespace millrace
