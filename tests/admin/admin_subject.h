// A server of two shards for the admin layer's tests.
// Owned by: the test. Thread: one.
#pragma once

#include <map>
#include <string>

#include "admin/subject.h"
#include "runtime/ledger.h"

namespace millrace::test {

struct FakeSubject final : AdminSubject {
    FakeSubject() {
        for (size_t index = 0; index < 2; ++index) {
            ledgers[index].line("sessions").bytes.set(100 + index);
            figures.push_back({&broker[index], &transport[index], &ledgers[index], &loop[index],
                               &delivery[index]});
        }
    }
    ServiceState state() const override { return service_state; }
    const std::vector<ShardFigures>& shards() const override { return figures; }
    std::optional<Duration> processor_time(uint32_t shard) const override {
        return shard == 0 ? std::optional(Duration::ms(1'500)) : std::nullopt;
    }
    std::vector<SharedMemoryLine> shared_memory() const override {
        return {{"mail rings", 2, 200, 300}};
    }
    KernelMemory kernel_memory() const override { return {.socket_bytes_estimate = 4'727}; }
    uint64_t shard_memory_bytes_max() const override { return 4'096; }
    uint64_t shard_connections_max() const override { return 77; }
    std::string_view network() const override { return "uring"; }
    uint32_t ask() override { return ++questions; }
    std::vector<uint32_t> silent_since(uint32_t question) const override {
        ++looks;
        std::vector<uint32_t> silent;
        for (const auto& [shard, answered] : answers) {
            if (answered < question) silent.push_back(shard);
        }
        return silent;
    }
    bool post(uint32_t, std::shared_ptr<ShardTask>) override { return false; }
    std::optional<Error> publish(std::string_view, std::span<const uint8_t>, uint8_t,
                                 bool) override {
        return std::nullopt;
    }

    BrokerCounters broker[2];
    TransportCounters transport[2];
    Ledger ledgers[2];
    LoopFigures loop[2];
    DurationHistogram delivery[2];
    std::vector<ShardFigures> figures;
    ServiceState service_state = ServiceState::serving;
    uint32_t questions = 0;
    mutable uint32_t looks = 0;
    // By shard: the last question that it has answered. A shard that isn't here answers all.
    std::map<uint32_t, uint32_t> answers;
};

}  // namespace millrace::test
