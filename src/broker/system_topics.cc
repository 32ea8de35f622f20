#include "broker/system_topics.h"

#include <map>

#include <fmt/format.h>

#include "broker/counter_table.h"
#include "millrace/version.h"

namespace millrace {

namespace {

template <class Figures, class Pick>
uint64_t total(const std::vector<ShardFigures>& shards, const Figures* ShardFigures::*part,
               Pick pick) {
    uint64_t sum = 0;
    for (const ShardFigures& shard : shards) {
        if (shard.*part != nullptr) sum += (*(shard.*part).*pick).read();
    }
    return sum;
}

}  // namespace

void SystemTopics::for_each(
    Instant now, const std::function<void(std::string_view, std::string_view)>& publish) const {
    publish("$SYS/broker/version", "millrace " MILLRACE_VERSION);
    publish("$SYS/broker/uptime", fmt::format("{} seconds", (now - started_).to_s()));
    publish("$SYS/broker/shards/count", fmt::format("{}", shards_.size()));
    for (const auto& row : broker_counter_rows) {
        publish(row.topic, fmt::format("{}", total(shards_, &ShardFigures::broker, row.counter)));
    }
    for (const auto& row : transport_counter_rows) {
        if (row.topic.empty()) continue;
        publish(row.topic,
                fmt::format("{}", total(shards_, &ShardFigures::transport, row.counter)));
    }
    for_each_memory_class(publish);
}

// The ledgers' lines, summed over the shards. A session stands in the line of its class and in the
// heap's line of its length; only `reserved` adds up to what is taken.
void SystemTopics::for_each_memory_class(
    const std::function<void(std::string_view, std::string_view)>& publish) const {
    struct Sum {
        uint64_t objects = 0;
        uint64_t bytes = 0;
    };
    std::map<std::string, Sum> classes;
    uint64_t reserved_bytes = 0;
    for (const ShardFigures& shard : shards_) {
        if (shard.ledger == nullptr) continue;
        shard.ledger->for_each([&](const LedgerLine& line) {
            Sum& sum = classes[line.name];
            sum.objects += line.objects.read();
            sum.bytes += line.bytes.read();
            reserved_bytes += line.reserved_bytes.read();
        });
    }
    for (const auto& [name, sum] : classes) {
        if (sum.bytes == 0) continue;
        publish(fmt::format("$SYS/broker/memory/{}/objects", name), fmt::format("{}", sum.objects));
        publish(fmt::format("$SYS/broker/memory/{}/bytes", name), fmt::format("{}", sum.bytes));
    }
    publish("$SYS/broker/memory/reserved", fmt::format("{}", reserved_bytes));
}

}  // namespace millrace
