// Whom to trace: what whoever asks posts to all shards.
// Owned by: shared; nobody changes it. A shard keeps it until it's given another.
// Not here: how it gets there, who reads the rings.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "broker/trace_ring.h"

namespace millrace {

struct TraceTarget {
    enum class By : uint8_t { client_id, topic };
    uint32_t id = 0;          // never used again
    uint32_t slot = 0;        // below TraceRing::slots_max, its own while it runs
    By by = By::client_id;
    std::string text;         // the client id, or a topic filter
    uint32_t data_bytes_max = 256;  // of a packet, to be told
    Instant ends = Instant::never();
};

struct TraceList {
    std::vector<TraceTarget> targets;  // TraceRing::slots_max at most
    std::vector<TraceRing*> rings;     // by shard
};

}  // namespace millrace
