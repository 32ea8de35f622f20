// What `millrace top` asked the server at one moment, as figures.
// Owned by: values. Thread: any.
// Holds:    what an answer lacks is 0, empty or nullopt: whatever the answers hold, there's a sample.
// Not here: asking (top_command.cc), and what two samples say together (top_view.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::remote {

// Counted since the server's start, by the upper bound of a bucket.
using Buckets = std::map<uint64_t, uint64_t>;

struct ShardSample {
    uint32_t shard = 0;
    // Now.
    uint64_t connected = 0;
    uint64_t active = 0;
    uint64_t idle = 0;
    uint64_t sessions = 0;
    uint64_t subscriptions = 0;
    uint64_t retained_messages = 0;
    uint64_t retained_bytes = 0;
    uint64_t waiting = 0;         // messages
    uint64_t mail_bytes = 0;      // that wait between shards
    uint64_t objects_bytes = 0;
    uint64_t reserved_bytes = 0;
    // Since the server's start.
    uint64_t opened = 0;          // CONNECTs that were accepted
    uint64_t closed = 0;          // sockets
    uint64_t failed = 0;          // accepts, CONNECTs that were refused, protocol errors
    uint64_t timeouts = 0;
    uint64_t received = 0;        // messages
    uint64_t sent = 0;
    uint64_t dropped = 0;         // for whatever reason
    uint64_t received_bytes = 0;
    uint64_t sent_bytes = 0;
    double cpu_seconds = 0;
    Buckets turn_us;
    Buckets delivery_us;
};

struct HotTopic {
    std::string topic;
    uint64_t messages = 0;
    uint64_t receivers = 0;
};

struct SlowReceiver {
    std::string client_id;
    uint64_t dropped = 0;
    std::optional<uint64_t> waiting_messages;
    bool connected = false;
};

struct MemoryClass {
    std::string name;
    uint64_t objects = 0;
    uint64_t bytes = 0;
};

struct TopSample {
    double time = 0;     // the server's clock, as the next
    double started = 0;
    std::string version;
    std::string network;
    std::string state;
    std::vector<ShardSample> shards;
    // Nullopt: the server doesn't say.
    std::optional<std::vector<HotTopic>> hot_topics;
    std::optional<std::vector<SlowReceiver>> slow_receivers;
    std::optional<std::vector<MemoryClass>> memory;  // over the shards, largest first
    uint64_t resident_bytes = 0;
    uint64_t kernel_bytes = 0;    // an estimate
};

// The server's answers, as JSON. An empty text: it has none for that.
struct TopAnswers {
    std::string server;
    std::string shards;
    std::string hot_topics;
    std::string slow_receivers;
    std::string memory;
};

// Nullopt when the first two aren't what they should be.
std::optional<TopSample> read_top_sample(const TopAnswers& answers);

}  // namespace millrace::remote
