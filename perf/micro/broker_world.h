// Brokers without sockets or threads: any number of shards in one thread, joined by their real
// mailboxes, whose clients are connections that nobody reads from but the benchmark.
// Owned by: one benchmark.
// Holds:    time stands still. What a client is sent is counted and dropped at the end of a turn,
//           after its acknowledgements were noted: they arrive with the next turn.
// Not here: a network's costs; that is what the programs in Python measure.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"

namespace millrace::perf {

struct WorldClient {
    Connection connection{};
    uint32_t shard = 0;
    std::vector<uint8_t> acknowledgements;   // not yet handed to the broker
};

class BrokerWorld {
public:
    explicit BrokerWorld(uint32_t shard_count);
    ~BrokerWorld();

    // A 3.1.1 client, connected.
    WorldClient& connect(uint32_t shard, std::string_view client_id);
    void subscribe(WorldClient& client, std::string_view filter, mqtt::Qos qos);
    // One receive event with these bytes, and turns until nothing moves any more.
    void feed(WorldClient& client, Bytes bytes);

    uint64_t publishes_sent() const;
    uint64_t bytes_sent() const { return bytes_sent_; }

private:
    struct Shard;

    bool turn(Shard& shard);
    bool acknowledge(Shard& shard);
    void flush(Shard& shard);
    void note_acknowledgements(Shard& shard, WorldClient& client, Bytes sent);
    void settle();

    LiveConfig live_;
    Pressure pressure_;
    std::unique_ptr<MailMesh> mesh_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::deque<WorldClient> clients_;
    uint64_t bytes_sent_ = 0;
};

// `count` PUBLISH packets of a 3.1.1 client in a row; packet identifiers from 1 on.
std::vector<uint8_t> publish_packets(std::string_view topic, uint32_t payload_bytes, mqtt::Qos qos,
                                     uint32_t count);

// One publisher and its receivers, spread over the shards in turn.
class FanoutWorld {
public:
    struct Options {
        uint32_t shards = 1;
        uint32_t receivers = 1'000;
        uint32_t payload_bytes = 64;
        mqtt::Qos qos = mqtt::Qos::at_most_once;
        uint32_t window = 1;  // publishes that arrive in one receive
    };
    explicit FanoutWorld(const Options& options);

    // One window of publishes to every receiver, acknowledged by all.
    void publish() { world_.feed(*publisher_, packets_); }
    uint64_t deliveries_per_publish() const {
        return uint64_t{options_.receivers} * options_.window;
    }
    BrokerWorld& world() { return world_; }

private:
    Options options_;
    BrokerWorld world_;
    WorldClient* publisher_;
    std::vector<uint8_t> packets_;
};

}  // namespace millrace::perf
