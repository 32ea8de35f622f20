// The $SYS statistics: a topic for every counter, with its value.
#include "broker/system_topics.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

using namespace millrace;

namespace {

using Published = std::map<std::string, std::string>;

Published published(const std::vector<ShardFigures>& shards, Instant now = Instant{}) {
    Published all;
    SystemTopics(shards, Instant{}).for_each(now, [&](std::string_view topic,
                                                      std::string_view text) {
        CHECK(all.emplace(topic, text).second);  // no topic twice
    });
    return all;
}

}  // namespace

TEST_CASE("system topics: every counter of a broker has a topic of its own") {
    BrokerCounters counters;
    // They are all of one type (system_topics.cc relies on it), so that they can be walked.
    constexpr size_t count = sizeof(BrokerCounters) / sizeof(Counter);
    auto* const first = reinterpret_cast<Counter*>(&counters);
    constexpr uint64_t mark = 7'000'000;
    for (size_t index = 0; index < count; ++index) first[index].set(mark + index);
    std::set<std::string> values;
    for (const auto& [topic, text] : published({{.broker = &counters, .transport = nullptr}})) {
        CHECK(topic.starts_with("$SYS/broker/"));
        if (text.starts_with("70000")) values.insert(text);
    }
    for (size_t index = 0; index < count; ++index) {
        INFO(index);
        CHECK(values.contains(std::to_string(mark + index)));
    }
}

TEST_CASE("system topics: figures are sums over the shards") {
    BrokerCounters one;
    BrokerCounters two;
    TransportCounters transport;
    one.refused_quota.add(3);
    two.refused_quota.add(4);
    transport.bytes_sent.add(10);
    Published all = published({{.broker = &one, .transport = &transport},
                               {.broker = &two, .transport = &transport}},
                              Instant{} + Duration::s(90));
    CHECK(all["$SYS/broker/publish/messages/refused"] == "7");
    CHECK(all["$SYS/broker/bytes/sent"] == "20");
    CHECK(all["$SYS/broker/shards/count"] == "2");
    CHECK(all["$SYS/broker/uptime"] == "90 seconds");
}
