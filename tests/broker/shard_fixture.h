// One shard without threads, sockets or a clock: what a part of the broker needs to be tested.
// Owned by: one test.
// Holds:    `memory` is small enough that a test can use it up, and its ledger shows what is left.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "broker/context.h"

namespace millrace::test {

inline std::unique_ptr<Arena> make_shard_arena(uint64_t bytes_max) {
    auto arena = Arena::create({.bytes_max = bytes_max, .huge_pages = HugePages::off});
    REQUIRE(arena.has_value());
    return std::move(*arena);
}

inline std::unique_ptr<MailMesh> make_mesh(uint32_t shard_count) {
    auto mesh = MailMesh::create(shard_count, 65'536);
    REQUIRE(mesh.has_value());
    return std::move(*mesh);
}

constexpr uint64_t shard_bytes_max = uint64_t{256} << 20;

// `mesh` is shared by the shards of one test.
struct Shard {
    explicit Shard(MailMesh& mesh, uint32_t self, uint64_t bytes_max = shard_bytes_max,
                   const Config& given = {})
        : live(live_config_of(given)),
          arena(make_shard_arena(bytes_max)),
          heap(*arena, ledger),
          blocks(heap, ledger),
          outbox(heap, blocks),
          wheel(start),
          mailbox(mesh, self),
          context{&live,   heap,   blocks,   outbox, wheel,
                  mailbox, ledger, counters, {0x5eed}, Prng(1), start} {}

    uint64_t objects(std::string_view line) { return ledger.line(line).objects.read(); }
    uint64_t bytes(std::string_view line) { return ledger.line(line).bytes.read(); }
    // Of the heap's classes, together.
    uint64_t heap_objects() const {
        uint64_t objects = 0;
        for (const LedgerLine& line : ledger.lines()) {
            if (line.name.starts_with("heap")) objects += line.objects.read();
        }
        return objects;
    }

    // Far enough from zero that nothing depends on it.
    static constexpr Instant start = Instant::at_ms(1'000'000);

    LiveConfig live;
    Ledger ledger;
    std::unique_ptr<Arena> arena;
    Heap heap;
    BlockPool blocks;
    Outbox outbox;
    TimerWheel wheel;
    Mailbox mailbox;
    BrokerCounters counters;
    ShardContext context;
};

// The only shard of its mesh.
struct LoneMesh {
    std::unique_ptr<MailMesh> mesh = make_mesh(1);
};
struct ShardFixture : LoneMesh, Shard {
    explicit ShardFixture(uint64_t bytes_max = shard_bytes_max, const Config& given = {})
        : Shard(*mesh, 0, bytes_max, given) {}
};

}  // namespace millrace::test
