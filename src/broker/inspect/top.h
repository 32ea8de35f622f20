// What a shard's top lists and tracer are asked for, and told, by another thread.
// Owned by: tasks (shard_task.h).
// Holds:    a step copies one list, or looks for `names_per_step` names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/shard_task.h"
#include "broker/top_lists.h"
#include "broker/trace_list.h"

namespace millrace {

class TopListCopy final : public ShardTask {
public:
    enum class Of : uint8_t { topics, receivers };
    explicit TopListCopy(Of of) : of_(of) {}

    bool step(Broker& broker) override;

    // Valid once done.
    const TopLists::Recent& list() const { return list_; }

private:
    const Of of_;
    TopLists::Recent list_{Instant{}, Duration{}};
};

// How many subscribers this shard has for each of some topics. Ask every shard.
class SubscriberCounts final : public ShardTask {
public:
    static constexpr size_t names_per_step = 8;

    explicit SubscriberCounts(std::shared_ptr<const std::vector<std::string>> topics)
        : topics_(std::move(topics)) {}

    bool step(Broker& broker) override;

    const std::vector<uint64_t>& counts() const { return counts_; }

private:
    const std::shared_ptr<const std::vector<std::string>> topics_;
    std::vector<uint64_t> counts_;
};

// How it stands with each of some clients, as far as this shard has them. Ask every shard.
class ReceiverStates final : public ShardTask {
public:
    static constexpr size_t names_per_step = 32;

    explicit ReceiverStates(std::shared_ptr<const std::vector<std::string>> client_ids)
        : client_ids_(std::move(client_ids)) {}

    bool step(Broker& broker) override;

    struct State {
        bool is_here = false;
        bool is_connected = false;
        uint32_t queued_bytes = 0;      // in its ring
        uint32_t waiting_messages = 0;
    };
    const std::vector<State>& states() const { return states_; }

private:
    const std::shared_ptr<const std::vector<std::string>> client_ids_;
    std::vector<State> states_;
};

class AdoptTraces final : public ShardTask {
public:
    explicit AdoptTraces(std::shared_ptr<const TraceList> list) : list_(std::move(list)) {}

    bool step(Broker& broker) override;

private:
    const std::shared_ptr<const TraceList> list_;
};

}  // namespace millrace
