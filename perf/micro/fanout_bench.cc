// Fan-out inside the broker: from a received PUBLISH to references in the receivers' send rings,
// and for QoS 1 the receivers' PUBACKs too. `items` are deliveries.
#include <benchmark/benchmark.h>

#include "broker_world.h"

namespace millrace::perf {
namespace {

void fanout(benchmark::State& state) {
    FanoutWorld world({.receivers = 1'000,
                       .payload_bytes = static_cast<uint32_t>(state.range(0)),
                       .qos = static_cast<mqtt::Qos>(state.range(1)),
                       .window = static_cast<uint32_t>(state.range(2))});
    for (auto _ : state) world.publish();
    state.SetItemsProcessed(state.iterations() *
                            static_cast<int64_t>(world.deliveries_per_publish()));
    state.counters["checksum"] = static_cast<double>(world.world().publishes_sent());
}
BENCHMARK(fanout)
    ->ArgNames({"payload", "qos", "window"})
    ->ArgsProduct({{64, 4'096}, {0, 1}, {1, 32}})
    ->Unit(benchmark::kMicrosecond);

void fanout_over_shards(benchmark::State& state) {
    FanoutWorld world({.shards = static_cast<uint32_t>(state.range(0)), .window = 32});
    for (auto _ : state) world.publish();
    state.SetItemsProcessed(state.iterations() *
                            static_cast<int64_t>(world.deliveries_per_publish()));
}
BENCHMARK(fanout_over_shards)
    ->ArgName("shards")
    ->Arg(1)
    ->Arg(2)
    ->Arg(4)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace millrace::perf
