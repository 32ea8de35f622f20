#include "broker/system_topics.h"

#include <iterator>
#include <map>

#include <fmt/format.h>

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
    struct BrokerRow {
        std::string_view topic;
        Counter BrokerCounters::*counter;
    };
    static constexpr BrokerRow broker_rows[] = {
        {"$SYS/broker/clients/connected", &BrokerCounters::connections},
        {"$SYS/broker/sessions/count", &BrokerCounters::sessions},
        {"$SYS/broker/subscriptions/count", &BrokerCounters::subscriptions},
        {"$SYS/broker/retained messages/count", &BrokerCounters::retained_messages},
        {"$SYS/broker/retained messages/bytes", &BrokerCounters::retained_bytes},
        {"$SYS/broker/messages/waiting", &BrokerCounters::waiting_messages},
        {"$SYS/broker/publish/messages/received", &BrokerCounters::publishes_received},
        {"$SYS/broker/publish/messages/sent", &BrokerCounters::publishes_sent},
        {"$SYS/broker/publish/messages/denied", &BrokerCounters::publishes_denied},
        {"$SYS/broker/publish/messages/refused", &BrokerCounters::refused_quota},
        {"$SYS/broker/publish/dropped/slow receiver", &BrokerCounters::dropped_slow_receiver},
        {"$SYS/broker/publish/dropped/queue full", &BrokerCounters::dropped_queue_full},
        {"$SYS/broker/publish/dropped/too large", &BrokerCounters::dropped_too_large},
        {"$SYS/broker/publish/dropped/expired", &BrokerCounters::dropped_expired},
        {"$SYS/broker/publish/dropped/exhausted", &BrokerCounters::dropped_exhausted},
        {"$SYS/broker/connects/accepted", &BrokerCounters::connects_accepted},
        {"$SYS/broker/connects/refused", &BrokerCounters::connects_refused},
        {"$SYS/broker/connects/takeovers", &BrokerCounters::takeovers},
        {"$SYS/broker/sessions/moved", &BrokerCounters::session_moves},
        {"$SYS/broker/errors/protocol", &BrokerCounters::protocol_errors},
        {"$SYS/broker/timeouts/keep alive", &BrokerCounters::keep_alive_timeouts},
        {"$SYS/broker/timeouts/connect", &BrokerCounters::connect_timeouts},
        {"$SYS/broker/timeouts/slow receiver", &BrokerCounters::slow_receivers_closed},
        {"$SYS/broker/drain/told", &BrokerCounters::sheds},
        {"$SYS/broker/drain/told late", &BrokerCounters::sheds_late},
    };
    static_assert(std::size(broker_rows) * sizeof(Counter) == sizeof(BrokerCounters),
                  "a counter has no topic");
    struct TransportRow {
        std::string_view topic;
        Counter TransportCounters::*counter;
    };
    static constexpr TransportRow transport_rows[] = {
        {"$SYS/broker/bytes/received", &TransportCounters::bytes_received},
        {"$SYS/broker/bytes/sent", &TransportCounters::bytes_sent},
        {"$SYS/broker/sockets/accepted", &TransportCounters::accepted},
        {"$SYS/broker/sockets/accept failures", &TransportCounters::accept_failures},
    };
    publish("$SYS/broker/version", "millrace " MILLRACE_VERSION);
    publish("$SYS/broker/uptime", fmt::format("{} seconds", (now - started_).to_s()));
    publish("$SYS/broker/shards/count", fmt::format("{}", shards_.size()));
    for (const BrokerRow& row : broker_rows) {
        publish(row.topic, fmt::format("{}", total(shards_, &ShardFigures::broker, row.counter)));
    }
    for (const TransportRow& row : transport_rows) {
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
