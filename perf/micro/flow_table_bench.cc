// The flow table from a thousand flows to ten million: what demultiplexing a segment costs, one by
// one and in bursts with prefetch, and what an accepted connection adds, growth included.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>

#include "base/prng.h"
#include "runtime/slab.h"
#include "tcp/flow_table.h"

namespace millrace::perf {
namespace {

constexpr uint32_t burst = 32;
constexpr HashKey secret{0x1234567};

FlowKey flow(uint32_t number) {
    return {.local = IpAddress::from_ipv4(0x0a000001),
            .remote = IpAddress::from_ipv4(0x0b000000 + number / 60'000),
            .local_port = 1883,
            .remote_port = static_cast<uint16_t>(number % 60'000)};
}

// A connection's line with the 4-tuple.
struct alignas(64) Node : FlowNode {};

std::unique_ptr<Node[]> make_nodes(uint32_t count) {
    auto nodes = std::make_unique<Node[]>(count);
    for (uint32_t number = 0; number < count; ++number) nodes[number].key = flow(number);
    return nodes;
}

struct TableMemory {
    TableMemory() {
        auto made = Arena::create({.bytes_max = uint64_t{256} << 20, .huge_pages = HugePages::off});
        MR_ASSERT(made.has_value());
        arena = std::move(*made);
    }
    std::unique_ptr<Arena> arena;
    Ledger ledger;
};

void insert_all(FlowTable& table, Node* nodes, uint32_t count) {
    for (uint32_t number = 0; number < count; ++number) {
        const bool inserted = table.try_insert(table.hash(nodes[number].key), nodes[number]);
        MR_ASSERT(inserted);
    }
}

struct Flows {
    explicit Flows(uint32_t flow_count)
        : nodes(make_nodes(flow_count)),
          table(*memory.arena, memory.ledger.line("flow table"), secret),
          count(flow_count) {
        insert_all(table, nodes.get(), count);
    }

    TableMemory memory;
    std::unique_ptr<Node[]> nodes;
    FlowTable table;
    uint32_t count;
    Prng random{42};
};

// Made anew when another count is asked for: ten million take longer than what is measured.
Flows& flows_of(benchmark::State& state) {
    static std::unique_ptr<Flows> flows;
    const auto count = static_cast<uint32_t>(state.range(0));
    if (flows == nullptr || flows->count != count) {
        flows.reset();
        flows = std::make_unique<Flows>(count);
    }
    return *flows;
}

void find_one_by_one(benchmark::State& state, bool hit) {
    Flows& flows = flows_of(state);
    const uint32_t first = hit ? 0 : flows.count;
    uint64_t found = 0;
    for (auto _ : state) {
        const FlowKey key = flow(first + flows.random.below(flows.count));
        found += flows.table.find(flows.table.hash(key), key) != nullptr ? 1 : 0;
    }
    MR_ASSERT(found == (hit ? static_cast<uint64_t>(state.iterations()) : 0));
    state.SetItemsProcessed(state.iterations());
    state.counters["checksum"] = static_cast<double>(found);
}

void find_in_bursts(benchmark::State& state, bool hit) {
    Flows& flows = flows_of(state);
    const uint32_t first = hit ? 0 : flows.count;
    std::array<FlowKey, burst> keys;
    std::array<uint64_t, burst> hashes;
    uint64_t found = 0;
    for (auto _ : state) {
        for (uint32_t index = 0; index < burst; ++index) {
            keys[index] = flow(first + flows.random.below(flows.count));
            hashes[index] = flows.table.hash(keys[index]);
            flows.table.prefetch(hashes[index]);
        }
        for (const uint64_t hash : hashes) flows.table.prefetch_node(hash);
        for (uint32_t index = 0; index < burst; ++index) {
            found += flows.table.find(hashes[index], keys[index]) != nullptr ? 1 : 0;
        }
    }
    MR_ASSERT(found == (hit ? static_cast<uint64_t>(state.iterations()) * burst : 0));
    state.SetItemsProcessed(state.iterations() * burst);
    state.counters["checksum"] = static_cast<double>(found);
}

void flow_find_hit(benchmark::State& state) { find_one_by_one(state, true); }
void flow_find_miss(benchmark::State& state) { find_one_by_one(state, false); }
void flow_burst_hit(benchmark::State& state) { find_in_bursts(state, true); }
void flow_burst_miss(benchmark::State& state) { find_in_bursts(state, false); }

// From an empty table on. `items` are insertions.
void flow_insert(benchmark::State& state) {
    const auto count = static_cast<uint32_t>(state.range(0));
    const std::unique_ptr<Node[]> nodes = make_nodes(count);
    TableMemory memory;
    double bytes_each = 0;
    for (auto _ : state) {
        FlowTable table(*memory.arena, memory.ledger.line("flow table"), secret);
        insert_all(table, nodes.get(), count);
        bytes_each = static_cast<double>(memory.arena->taken_bytes()) / count;
    }
    state.SetItemsProcessed(state.iterations() * count);
    state.counters["bytes_each"] = bytes_each;
    state.counters["checksum"] = count;
}

// One goes and one comes, as in a steady state. `items` are pairs of both.
void flow_erase_insert(benchmark::State& state) {
    Flows& flows = flows_of(state);
    for (auto _ : state) {
        Node& node = flows.nodes[flows.random.below(flows.count)];
        const uint64_t hash = flows.table.hash(node.key);
        flows.table.erase(hash, node);
        const bool inserted = flows.table.try_insert(hash, node);
        MR_ASSERT(inserted);
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["checksum"] = static_cast<double>(flows.table.count());
}

// In the order of the counts, so that each set of flows is made once.
const bool are_registered = [] {
    for (const int64_t count : {1'000, 1'000'000, 10'000'000}) {
        benchmark::RegisterBenchmark("flow_find_hit", flow_find_hit)->Arg(count);
        benchmark::RegisterBenchmark("flow_find_miss", flow_find_miss)->Arg(count);
        benchmark::RegisterBenchmark("flow_burst_hit", flow_burst_hit)->Arg(count);
        benchmark::RegisterBenchmark("flow_burst_miss", flow_burst_miss)->Arg(count);
        benchmark::RegisterBenchmark("flow_erase_insert", flow_erase_insert)->Arg(count);
        benchmark::RegisterBenchmark("flow_insert", flow_insert)
            ->Arg(count)->Unit(benchmark::kMillisecond);
    }
    return true;
}();

}  // namespace
}  // namespace millrace::perf
