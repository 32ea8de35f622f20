// Mailboxes and slabs: what every message between shards, and every object, pays.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <vector>

#include "runtime/clock.h"
#include "runtime/mailbox.h"
#include "runtime/slab.h"

namespace millrace::perf {
namespace {

// Both ends in one thread: the work, without the cache lines' way between cores. `items` are mails.
void mailbox_post_drain(benchmark::State& state) {
    const auto mail_bytes = static_cast<uint32_t>(state.range(0));
    const auto batch = static_cast<uint32_t>(state.range(1));
    auto mesh = MailMesh::create(2, 262'144);
    MR_ASSERT(mesh.has_value());
    Mailbox sender(**mesh, 0);
    Mailbox receiver(**mesh, 1);
    uint64_t checksum = 0;
    for (auto _ : state) {
        for (uint32_t count = 0; count < batch; ++count) {
            std::memset(sender.reserve(1, mail_bytes).data(), 0x5a, mail_bytes);
            sender.post();
        }
        sender.flush(monotonic_now());
        receiver.drain(monotonic_now(), 1u << 20,
                       [&checksum](uint32_t, Bytes mail) { checksum += mail[0]; });
    }
    state.SetItemsProcessed(state.iterations() * batch);
    state.counters["checksum"] = static_cast<double>(checksum % 1'000'003);
}
BENCHMARK(mailbox_post_drain)->ArgNames({"bytes", "batch"})->ArgsProduct({{64, 4'096}, {1, 32}});

std::unique_ptr<Arena> make_arena() {
    auto arena = Arena::create({.bytes_max = uint64_t{1} << 30, .huge_pages = HugePages::off});
    MR_ASSERT(arena.has_value());
    return std::move(*arena);
}

// `batch` objects taken, then given back in the same order. `items` are pairs of both.
void slab_allocate_free(benchmark::State& state) {
    const auto batch = static_cast<size_t>(state.range(0));
    const std::unique_ptr<Arena> arena = make_arena();
    Ledger ledger;
    SlabClass objects(*arena, ledger.line("benchmark"), 104);
    std::vector<void*> taken(batch);
    for (auto _ : state) {
        for (void*& object : taken) object = objects.try_allocate();
        for (void* object : taken) objects.free(object);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["checksum"] = static_cast<double>(ledger.line("benchmark").objects.read());
}
BENCHMARK(slab_allocate_free)->ArgName("batch")->Arg(1)->Arg(100'000);

void heap_allocate_free(benchmark::State& state) {
    const auto bytes = static_cast<uint32_t>(state.range(0));
    const std::unique_ptr<Arena> arena = make_arena();
    Ledger ledger;
    Heap heap(*arena, ledger);
    for (auto _ : state) {
        void* memory = heap.try_allocate(bytes);
        benchmark::DoNotOptimize(memory);
        heap.free(memory, bytes);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(heap_allocate_free)->ArgName("bytes")->Arg(64)->Arg(1'000)->Arg(20'000);

}  // namespace
}  // namespace millrace::perf
