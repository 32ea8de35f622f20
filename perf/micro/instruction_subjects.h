// What `instructions` runs: each does its work `count` times, without a clock or a random number.
// The comment on each says what one operation is.
// Owned by: values. Thread: one.
// Holds:    two runs whose counts differ are told apart by the operations alone: whatever stands
//           before them is the same in both.
// Not here: counting instructions; perf/instructions.py and perf/shards.py do.
#pragma once

#include <cstdint>

#include "broker_world.h"

namespace millrace::perf {

struct Work {
    uint64_t operations = 0;
    uint64_t checksum = 0;
};

// A PUBLISH of each version, encoded and decoded.
Work run_codec_publish(uint32_t count);
// What a client says first, likewise: CONNECT and SUBSCRIBE.
Work run_codec_connect(uint32_t count);
// A topic looked up among thousands of filters, those without wildcards and those with.
Work run_match(uint32_t count);
// A delivery. `count` windows of publishes.
Work run_fanout(uint32_t count, const FanoutWorld::Options& options);
// A 256-byte segment received in order, up to the layer above; every second is acknowledged.
Work run_tcp_receive(uint32_t count);
// A 64-byte message sent, its acknowledgement included.
Work run_tcp_send(uint32_t count);

}  // namespace millrace::perf
