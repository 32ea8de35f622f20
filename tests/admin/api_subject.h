// A server of one shard whose broker works within the calls of a test, for the API's routes.
// Owned by: the test. Thread: one.
#pragma once

#include <string>
#include <vector>

#include "../broker/broker_fixture.h"
#include "admin/requests.h"

namespace millrace::test {

struct ApiSubject final : AdminSubject {
    ServiceState state() const override { return ServiceState::serving; }
    const std::vector<ShardFigures>& shards() const override { return figures; }
    std::optional<Duration> processor_time(uint32_t) const override { return Duration::ms(1'500); }
    std::vector<SharedMemoryLine> shared_memory() const override { return {}; }
    KernelMemory kernel_memory() const override { return {}; }
    uint64_t shard_memory_bytes_max() const override { return 4'096; }
    uint64_t shard_connections_max() const override { return 77; }
    std::string_view network() const override { return "uring"; }
    uint32_t ask() override { return 0; }
    std::vector<uint32_t> silent_since(uint32_t) const override { return {}; }

    // Its turns come at once.
    bool post(uint32_t index, std::shared_ptr<ShardTask> task) override {
        REQUIRE(index == 0);
        if (is_hanging || !tasks.post(std::move(task))) return false;
        while (!tasks.empty()) tasks.run_step(*shard.broker);
        shard.flush();
        return true;
    }
    std::optional<Error> publish(std::string_view topic, std::span<const uint8_t> payload,
                                 uint8_t qos, bool retain) override {
        published.push_back({std::string(topic), std::string(payload.begin(), payload.end()), qos,
                             retain});
        return publish_error;
    }

    struct Published {
        std::string topic;
        std::string payload;
        uint8_t qos;
        bool retain;
    };

    BrokerFixture shard;
    TransportCounters transport;
    TaskQueue tasks;
    LoopFigures loop;
    DurationHistogram delivery;
    std::vector<ShardFigures> figures{
        {&shard.counters, &transport, &shard.ledger, &loop, &delivery}};
    bool is_hanging = false;
    std::optional<Error> publish_error;
    std::vector<Published> published;
};

// As the listener does it, in one thread.
inline AdminResponse ask(AdminRequests& requests, AdminRequest request) {
    if (request.method.empty()) request.method = "GET";
    request.has_body = request.has_body || !request.body.empty();
    AdminRequests::Outlook outlook = requests.look(request);
    if (outlook.response) return std::move(*outlook.response);
    return requests.answer(*outlook.route, request);
}

inline AdminRequest get(std::string target) { return {.method = "GET", .target = std::move(target)}; }
inline AdminRequest post(std::string target, std::string body) {
    return {.method = "POST", .target = std::move(target), .content_type = "application/json",
            .body = std::move(body)};
}

}  // namespace millrace::test
