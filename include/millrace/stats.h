// Totals of a running server, summed over its shards.
// Owned by: a value; taken by Server::stats(). Thread: any.
#pragma once

#include <cstdint>

namespace millrace {

struct Stats {
    uint64_t connections = 0;            // MQTT connections now
    uint64_t sessions = 0;               // connected or not
    uint64_t subscriptions = 0;
    uint64_t retained_messages = 0;
    uint64_t publishes_received = 0;     // since the start, as all below
    uint64_t publishes_sent = 0;
    uint64_t publishes_dropped = 0;      // QoS 0 past a full send ring, or a full session queue
    uint64_t connects_refused = 0;
    uint64_t protocol_errors = 0;
    uint64_t bytes_received = 0;
    uint64_t bytes_sent = 0;
    uint64_t memory_bytes = 0;           // alive in slabs and blocks
};

}  // namespace millrace
