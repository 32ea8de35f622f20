#include <doctest/doctest.h>

#include <map>
#include <set>
#include <vector>

#include "base/prng.h"
#include "broker/shards_by_hash.h"

using namespace millrace;

namespace {

uint64_t mask_of(const std::set<uint32_t>& shards) {
    uint64_t mask = 0;
    for (const uint32_t shard : shards) mask |= uint64_t{1} << shard;
    return mask;
}

constexpr uint64_t hash_mask = (uint64_t{1} << 56) - 1;

}  // namespace

TEST_CASE("shards by hash: agrees with a plain map through growth and removal") {
    Ledger ledger;
    ShardsByHash table(ledger, "table");
    std::map<uint64_t, std::set<uint32_t>> model;
    std::vector<uint64_t> hashes;
    Prng random(11);
    for (uint32_t index = 0; index < 20'000; ++index) hashes.push_back(random.next() & hash_mask);
    uint64_t pairs = 0;
    for (uint32_t step = 0; step < 300'000; ++step) {
        // The hashes in use widen, then narrow: the table grows and empties.
        const uint32_t width = step < 150'000 ? 1 + step / 8 : 1 + (300'000 - step) / 8;
        const uint64_t hash = hashes[random.below(width)];
        const uint32_t shard = random.below(64);
        if (random.chance(step < 150'000 ? 0.7 : 0.3)) {
            REQUIRE(table.insert(hash, shard));
            pairs += model[hash].insert(shard).second ? 1 : 0;
        } else {
            const bool was_there = model[hash].erase(shard) == 1;
            pairs -= was_there ? 1 : 0;
            REQUIRE(table.erase(hash, shard) == was_there);
        }
        REQUIRE(table.mask(hash) == mask_of(model[hash]));
        REQUIRE(table.count() == pairs);
    }
    for (const auto& [hash, shards] : model) REQUIRE(table.mask(hash) == mask_of(shards));
    CHECK(ledger.line("table").objects.read() == pairs);
}

TEST_CASE("shards by hash: hashes that stand in one probe chain stay apart") {
    Ledger ledger;
    ShardsByHash table(ledger, "table");
    // One hash for all 64 shards makes a chain as long as the smallest table holds.
    for (uint32_t shard = 0; shard < 64; ++shard) REQUIRE(table.insert(42, shard));
    CHECK(table.mask(42) == ~uint64_t{0});
    for (uint32_t shard = 0; shard < 64; shard += 2) REQUIRE(table.erase(42, shard));
    CHECK(table.mask(42) == 0xaaaa'aaaa'aaaa'aaaau);
    CHECK(table.contains(42, 63));
    CHECK(!table.contains(42, 62));
    CHECK(!table.erase(42, 62));
    CHECK(table.mask(43) == 0);
}

TEST_CASE("shards by hash: inserting twice counts once, and nothing is left in the ledger") {
    Ledger ledger;
    {
        ShardsByHash table(ledger, "table");
        CHECK(table.insert(0, 0));
        CHECK(table.insert(0, 0));
        CHECK(table.count() == 1);
        CHECK(table.mask(0) == 1);
        CHECK(table.erase(0, 0));
        CHECK(table.count() == 0);
        for (uint64_t hash = 0; hash < 5'000; ++hash) REQUIRE(table.insert(hash, 3));
        CHECK(ledger.line("table").bytes.read() > 0);
    }
    CHECK(ledger.line("table").bytes.read() == 0);
}
