#include "server/remote/top_sample.h"

#include <algorithm>

#include "server/remote/json.h"

namespace millrace::remote {
namespace {

Buckets read_buckets(const JsonValue& histogram) {
    Buckets buckets;
    for (const JsonValue& one : histogram["buckets"].all()) {
        const std::vector<JsonValue> pair = one.all();
        if (pair.size() == 2) buckets[pair[0].count()] += pair[1].count();
    }
    return buckets;
}

void read_connections(ShardSample& sample, const JsonValue& connections) {
    sample.connected = connections["connected"].count();
    sample.active = connections["active"].count();
    sample.idle = connections["idle"].count();
    sample.opened = connections["connects_accepted"].count();
    sample.closed = connections["sockets_closed"].count();
    for (const std::string_view name : {"accept_failures", "connects_refused", "protocol_errors"}) {
        sample.failed += connections[name].count();
    }
    for (const std::string_view name :
         {"keep_alive_timeouts", "connect_timeouts", "slow_receivers_closed"}) {
        sample.timeouts += connections[name].count();
    }
}

ShardSample read_shard(const JsonValue& shard) {
    ShardSample sample;
    sample.shard = static_cast<uint32_t>(shard["shard"].count());
    read_connections(sample, shard["connections"]);
    sample.sessions = shard["sessions"].count();
    sample.subscriptions = shard["subscriptions"].count();
    sample.retained_messages = shard["retained_messages"].count();
    sample.retained_bytes = shard["retained_bytes"].count();
    const JsonValue messages = shard["messages"];
    sample.received = messages["received"].count();
    sample.sent = messages["sent"].count();
    sample.waiting = messages["waiting"].count();
    for (const std::string_view why :
         {"slow_receiver", "queue_full", "too_large", "expired", "exhausted"}) {
        sample.dropped += messages["dropped"][why].count();
    }
    sample.received_bytes = shard["bytes"]["received"].count();
    sample.sent_bytes = shard["bytes"]["sent"].count();
    sample.mail_bytes = shard["queues"]["mail_bytes_waiting"].count();
    sample.cpu_seconds = shard["cpu_seconds"].number().value_or(0);
    sample.objects_bytes = shard["memory"]["objects_bytes"].count();
    sample.reserved_bytes = shard["memory"]["reserved_bytes"].count();
    sample.turn_us = read_buckets(shard["loop"]["turn_us"]);
    sample.delivery_us = read_buckets(shard["delivery_us"]);
    return sample;
}

std::optional<std::vector<HotTopic>> read_hot_topics(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    if (!json || !json->root()["topics"].is_list()) return std::nullopt;
    std::vector<HotTopic> topics;
    for (const JsonValue& one : json->root()["topics"].all()) {
        topics.push_back({one["topic"].text_or_empty(), one["messages"].count(),
                          one["receivers"].count()});
    }
    return topics;
}

std::optional<std::vector<SlowReceiver>> read_slow_receivers(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    if (!json || !json->root()["receivers"].is_list()) return std::nullopt;
    std::vector<SlowReceiver> receivers;
    for (const JsonValue& one : json->root()["receivers"].all()) {
        SlowReceiver receiver{one["client_id"].text_or_empty(), one["dropped"].count(), {},
                              one["connected"].truth().value_or(false)};
        if (one["waiting_messages"].integer()) {
            receiver.waiting_messages = one["waiting_messages"].count();
        }
        receivers.push_back(std::move(receiver));
    }
    return receivers;
}

void read_memory(TopSample& sample, std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    if (!json || !json->root()["shards"].is_list()) return;
    std::map<std::string, MemoryClass> classes;
    const auto add = [&](const JsonValue& lines) {
        for (const JsonValue& line : lines.all()) {
            MemoryClass& one = classes[line["class"].text_or_empty()];
            one.objects += line["objects"].count();
            one.bytes += line["bytes"].count();
        }
    };
    for (const JsonValue& shard : json->root()["shards"].all()) add(shard["lines"]);
    add(json->root()["shared"]);
    std::vector<MemoryClass> list;
    for (auto& [name, one] : classes) {
        one.name = name;
        if (one.bytes != 0) list.push_back(one);
    }
    std::stable_sort(list.begin(), list.end(), [](const MemoryClass& left, const MemoryClass& right) {
        return left.bytes > right.bytes;
    });
    sample.memory = std::move(list);
    const JsonValue process = json->root()["process"];
    sample.resident_bytes = process["resident_bytes"].count() + process["huge_page_bytes"].count();
    const JsonValue kernel = json->root()["kernel"];
    sample.kernel_bytes =
        kernel["socket_bytes_estimate"].count() + kernel["rings_bytes_estimate"].count();
}

}  // namespace

std::optional<TopSample> read_top_sample(const TopAnswers& answers) {
    const std::optional<Json> server = Json::parse(answers.server);
    const std::optional<Json> shards = Json::parse(answers.shards);
    if (!server || !shards || !shards->root()["shards"].is_list()) return std::nullopt;
    TopSample sample;
    sample.time = shards->root()["time"].number().value_or(0);
    sample.started = server->root()["started"].number().value_or(0);
    sample.version = server->root()["version"].text_or_empty();
    sample.network = server->root()["network"].text_or_empty();
    sample.state = server->root()["state"].text_or_empty();
    for (const JsonValue& shard : shards->root()["shards"].all()) {
        sample.shards.push_back(read_shard(shard));
    }
    sample.hot_topics = read_hot_topics(answers.hot_topics);
    sample.slow_receivers = read_slow_receivers(answers.slow_receivers);
    read_memory(sample, answers.memory);
    return sample;
}

}  // namespace millrace::remote
