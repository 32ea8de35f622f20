// The server as the admin listener sees it.
// Owned by: the server, which outlives the listener. Called on the admin thread alone.
// Holds:    nothing here waits for a shard, takes a lock that a shard takes, or changes the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/time.h"
#include "broker/system_topics.h"

namespace millrace {

enum class ServiceState : uint8_t { starting, serving, draining, stopping };

constexpr std::string_view service_state_name(ServiceState state) {
    switch (state) {
    case ServiceState::starting: return "starting";
    case ServiceState::serving:  return "serving";
    case ServiceState::draining: return "draining";
    case ServiceState::stopping: return "stopping";
    }
    MR_UNREACHABLE();
}

class AdminSubject {
public:
    virtual ~AdminSubject() = default;

    virtual ServiceState state() const = 0;
    // In the order of their index; no pointer of them is null.
    virtual const std::vector<ShardFigures>& shards() const = 0;
    // Processor time of that shard's thread so far; empty before it runs.
    virtual std::optional<Duration> processor_time(uint32_t shard) const = 0;
    // What each shard may have at most.
    virtual uint64_t shard_memory_bytes_max() const = 0;
    virtual uint64_t shard_connections_max() const = 0;
    virtual std::string_view network() const = 0;  // "uring" or "dpdk"

    // Asks every shard to turn its loop and wakes those that sleep; the number of the question.
    virtual uint32_t ask() = 0;
    // Those whose loop hasn't turned since. A shard that has ended isn't silent.
    virtual std::vector<uint32_t> silent_since(uint32_t question) const = 0;
};

}  // namespace millrace
