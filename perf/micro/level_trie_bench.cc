// Matching topics against filters with wildcards, as a shard keeps them for all shards.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "broker/level_trie.h"

namespace millrace::perf {
namespace {

std::string plant(uint32_t number) { return "plant-" + std::to_string(number); }
std::string device(uint32_t number) { return "device-" + std::to_string(number); }

// Per plant one filter for everything, one a device for any kind of message; a few for all plants.
struct Filters {
    explicit Filters(uint32_t filter_count) : count(filter_count) {
        auto made = Arena::create({.bytes_max = uint64_t{1} << 31, .huge_pages = HugePages::off});
        MR_ASSERT(made.has_value());
        arena = std::move(*made);
        heap = std::make_unique<Heap>(*arena, ledger);
        trie = std::make_unique<LevelTrie<uint64_t>>(*heap, HashKey{0x5eed});
        uint64_t value = 0;
        MR_ASSERT(trie->insert("fleet/+/+/alarm", ++value));
        MR_ASSERT(trie->insert("fleet/#", ++value));
        for (uint32_t number = 0; value < count; ++number) {
            const std::string prefix = "fleet/" + plant(number / 100) + "/";
            if (number % 100 == 0) MR_ASSERT(trie->insert(prefix + "#", ++value));
            MR_ASSERT(trie->insert(prefix + device(number) + "/+", ++value));
        }
    }

    uint32_t count;
    std::unique_ptr<Arena> arena;
    Ledger ledger;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<LevelTrie<uint64_t>> trie;
};

void trie_match_topic(benchmark::State& state) {
    const Filters filters(static_cast<uint32_t>(state.range(0)));
    Prng random(42);
    std::vector<std::string> topics;
    for (uint32_t index = 0; index < 4'096; ++index) {
        const uint32_t number = random.below(filters.count);
        topics.push_back("fleet/" + plant(number / 100) + "/" + device(number) + "/push");
    }
    uint64_t matches = 0;
    uint64_t checksum = 0;
    size_t next = 0;
    for (auto _ : state) {
        filters.trie->match_topic(topics[next++ % topics.size()], [&](uint64_t value) {
            ++matches;
            checksum += value;
        });
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["matches"] =
        static_cast<double>(matches) / static_cast<double>(state.iterations());
    state.counters["checksum"] = static_cast<double>(checksum % 1'000'003);
}
BENCHMARK(trie_match_topic)->ArgName("filters")->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace millrace::perf
