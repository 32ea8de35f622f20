// One message to every connected client of a shard, whatever it subscribes to.
// Owned by: a task (shard_task.h).
// Holds:    each client that is connected throughout gets it once, some clients a turn. Who is slow
//           is shed as with any message (fanout.h).
// Not here: subscribers of a topic: that is a publish.
#pragma once

#include <string>
#include <vector>

#include "broker/inspect/session_walk.h"
#include "broker/message.h"
#include "broker/shard_task.h"

namespace millrace {

class Broadcast final : public ShardTask {
public:
    struct Text {
        std::string topic;      // a valid topic name
        std::vector<uint8_t> payload;
        mqtt::Qos qos = mqtt::Qos::at_most_once;
        std::string prefix;     // of client ids
    };
    explicit Broadcast(std::shared_ptr<const Text> text) : text_(std::move(text)), walk_(0) {}

    bool step(Broker& broker) override;

    // To whom it was given: sent, or it waits, or was shed as for any slow receiver.
    uint64_t client_count() const { return client_count_; }

private:
    const std::shared_ptr<const Text> text_;   // all shards' tasks share it
    SessionWalk walk_;
    uint64_t client_count_ = 0;
    std::vector<Session*> receivers_;   // valid within a step
};

}  // namespace millrace
