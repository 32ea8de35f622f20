// The $SYS statistics: totals over all shards, as retained messages.
// Owned by: the server; used by the shard that publishes them.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "broker/counters.h"
#include "net/transport.h"
#include "runtime/loop_figures.h"

namespace millrace {

// One shard, as statistics see it.
struct ShardFigures {
    const BrokerCounters* broker;
    const TransportCounters* transport;   // null in simulations
    const Ledger* ledger = nullptr;       // likewise
    const LoopFigures* loop = nullptr;    // likewise
    const DurationHistogram* delivery = nullptr;  // likewise
};

class SystemTopics {
public:
    SystemTopics(std::vector<ShardFigures> shards, Instant started)
        : shards_(std::move(shards)), started_(started) {}

    // Calls publish(topic, text) for each statistic.
    void for_each(Instant now,
                  const std::function<void(std::string_view, std::string_view)>& publish) const;

private:
    void for_each_memory_class(
        const std::function<void(std::string_view, std::string_view)>& publish) const;

    std::vector<ShardFigures> shards_;
    Instant started_;
};

}  // namespace millrace
