#include <doctest/doctest.h>

#include <algorithm>
#include <new>
#include <set>
#include <vector>

#include "base/hash_table.h"
#include "base/prng.h"

using namespace millrace;

namespace {

struct Item {
    uint64_t hash = 0;
    uint32_t id = 0;
    Item* next = nullptr;
};
struct ItemTraits {
    static Item*& next(Item& item) { return item.next; }
    static uint64_t hash(const Item& item) { return item.hash; }
};
using Table = IntrusiveHashTable<Item, ItemTraits>;

Item* find(Table& table, uint64_t hash, uint32_t id) {
    return table.find(hash, [&](const Item& item) { return item.id == id; });
}

std::vector<Item> make_items(uint32_t count, uint64_t seed = 1) {
    Prng random(seed);
    std::vector<Item> items(count);
    for (uint32_t id = 0; id < count; ++id) items[id] = {random.next(), id};
    return items;
}

// Counts what is out, and refuses when told to.
struct Memory {
    uint64_t bytes_out = 0;
    uint64_t calls = 0;
    bool refuses = false;

    SegmentMemory functions() {
        return {this,
                [](void* context, uint32_t bytes) -> void* {
                    auto& self = *static_cast<Memory*>(context);
                    ++self.calls;
                    if (self.refuses) return nullptr;
                    self.bytes_out += bytes;
                    return ::operator new(bytes);
                },
                [](void* context, void* memory, uint32_t bytes) {
                    static_cast<Memory*>(context)->bytes_out -= bytes;
                    ::operator delete(memory);
                }};
    }
};

}  // namespace

TEST_CASE("hash table: what was inserted is found until it is erased") {
    auto items = make_items(5'000);
    Table table;
    CHECK(table.empty());
    for (Item& item : items) {
        CHECK(find(table, item.hash, item.id) == nullptr);
        table.insert(item);
        REQUIRE(find(table, item.hash, item.id) == &item);
    }
    CHECK(table.count() == 5'000);
    for (Item& item : items) REQUIRE(find(table, item.hash, item.id) == &item);
    for (Item& item : items) {
        table.erase(item);
        REQUIRE(find(table, item.hash, item.id) == nullptr);
    }
    CHECK(table.empty());
}

TEST_CASE("hash table: it agrees with a map over random operations on colliding hashes") {
    Prng random(2);
    std::vector<Item> items(3'000);
    for (uint32_t id = 0; id < 3'000; ++id) items[id] = {random.below(1'500), id};
    std::set<uint32_t> model;
    Table table;
    for (int step = 0; step < 60'000; ++step) {
        // Drift between growing and shrinking, to nothing now and then.
        const bool grows = (step / 10'000) % 2 == 0;
        Item& item = items[random.below(grows ? 3'000 : 1'500)];
        const bool known = model.contains(item.id);
        REQUIRE((find(table, item.hash, item.id) == &item) == known);
        if (!known && (grows || random.chance(0.1))) {
            table.insert(item);
            model.insert(item.id);
        } else if (known && !(grows && random.chance(0.9))) {
            table.erase(item);
            model.erase(item.id);
        }
        REQUIRE(table.count() == model.size());
    }
    std::set<uint32_t> seen;
    table.for_each([&](Item& item) { CHECK(seen.insert(item.id).second); });
    CHECK(seen == model);
}

TEST_CASE("hash table: it has about as many buckets as elements, at every count") {
    auto items = make_items(20'000);
    Table table;
    for (Item& item : items) {
        table.insert(item);
        REQUIRE(table.bucket_count() >= table.count());
        REQUIRE(table.bucket_count() <= std::max<uint64_t>(16, table.count()));
    }
}

TEST_CASE("hash table: one insertion takes at most one segment and a wider directory") {
    Memory memory;
    auto items = make_items(200'000);
    Table table(memory.functions());
    uint64_t calls = 0;
    for (Item& item : items) {
        table.insert(item);
        REQUIRE(memory.calls - calls <= 2);
        calls = memory.calls;
    }
    CHECK(memory.bytes_out < 200'000 * 8 + 16 * 1024);
    CHECK(memory.bytes_out >= 200'000 * 8);
}

TEST_CASE("hash table: an empty table gives all its memory back and can be filled again") {
    Memory memory;
    auto items = make_items(30'000);
    Table table(memory.functions());
    for (int round = 0; round < 3; ++round) {
        for (Item& item : items) table.insert(item);
        CHECK(memory.bytes_out > 0);
        for (Item& item : items) table.erase(item);
        CHECK(memory.bytes_out == 0);
        CHECK(table.bucket_count() == 16);
    }
    for (uint32_t index = 0; index < 16; ++index) table.insert(items[index]);
    CHECK(memory.bytes_out == 0);
}

TEST_CASE("hash table: a table that goes away gives its memory back") {
    Memory memory;
    auto items = make_items(30'000);
    {
        Table table(memory.functions());
        for (Item& item : items) table.insert(item);
    }
    CHECK(memory.bytes_out == 0);
}

TEST_CASE("hash table: without memory it gets denser, and catches up later") {
    for (const uint32_t fails_at : {0u, 16u, 1'000u, 16'384u, 20'000u}) {
        Memory memory;
        auto items = make_items(50'000);
        Table table(memory.functions());
        for (uint32_t index = 0; index < 25'000; ++index) {
            memory.refuses = index >= fails_at;
            table.insert(items[index]);
        }
        CHECK(table.bucket_count() < 25'000);
        for (uint32_t index = 0; index < 25'000; index += 7) {
            REQUIRE(find(table, items[index].hash, index) == &items[index]);
        }
        memory.refuses = false;
        for (uint32_t index = 25'000; index < 50'000; ++index) table.insert(items[index]);
        CHECK(table.bucket_count() >= 50'000 - 16);
        for (Item& item : items) REQUIRE(find(table, item.hash, item.id) == &item);
    }
}

TEST_CASE("hash table: a walk in parts sees each element once") {
    auto items = make_items(10'000);
    Table table;
    for (Item& item : items) table.insert(item);
    std::vector<int> seen(10'000);
    uint32_t cursor = 0;
    uint32_t turns = 0;
    do {
        cursor = table.for_each_from(cursor, 100, [&](Item& item) { ++seen[item.id]; });
        ++turns;
    } while (cursor != 0);
    CHECK(turns == (table.bucket_count() + 99) / 100);
    for (const int times : seen) REQUIRE(times == 1);
}

TEST_CASE("hash table: a walk in parts misses nothing that stays while the table grows") {
    auto items = make_items(40'000);
    Table table;
    for (uint32_t index = 0; index < 1'000; ++index) table.insert(items[index]);
    std::vector<int> seen(40'000);
    uint32_t inserted = 1'000;
    uint32_t cursor = 0;
    do {
        cursor = table.for_each_from(cursor, 10, [&](Item& item) { ++seen[item.id]; });
        for (int step = 0; step < 9 && inserted < 40'000; ++step) table.insert(items[inserted++]);
    } while (cursor != 0);
    for (uint32_t index = 0; index < 1'000; ++index) REQUIRE(seen[index] >= 1);
}

TEST_CASE("hash table: a walk by places visits what stays once, whatever the table does meanwhile") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        Prng random(seed);
        auto items = make_items(6'000, seed);
        const uint32_t staying = 1 + static_cast<uint32_t>(random.next() % 2'000);
        Table table;
        for (uint32_t index = 0; index < staying; ++index) table.insert(items[index]);
        std::vector<int> seen(items.size());
        uint32_t inserted = staying;
        uint32_t erased = staying;
        uint64_t place = 0;
        do {
            // The walk may go on from any element, not only from where a bucket begins.
            const uint64_t from = place;
            std::vector<uint32_t> found;
            uint64_t next = table.for_each_at(from, [&](Item& item) {
                if (Table::place_of(item.hash) >= from) found.push_back(item.id);
            });
            std::sort(found.begin(), found.end(), [&](uint32_t a, uint32_t b) {
                return Table::place_of(items[a].hash) < Table::place_of(items[b].hash);
            });
            const bool stops_between = found.size() > 1 && random.next() % 2 == 0;
            if (stops_between) {
                next = Table::place_of(items[found[1]].hash);
                found.resize(1);
            }
            for (const uint32_t id : found) ++seen[id];
            REQUIRE((next == 0 || next > from));
            place = next;
            for (uint64_t step = random.next() % 9; step > 0 && inserted < items.size(); --step) {
                table.insert(items[inserted++]);
            }
            if (random.next() % 3 == 0 && erased < inserted) table.erase(items[erased++]);
        } while (place != 0);
        for (uint32_t index = 0; index < staying; ++index) REQUIRE(seen[index] == 1);
        for (const int times : seen) REQUIRE(times <= 1);
    }
}

TEST_CASE("hash table: a walk may erase and destroy what it is given") {
    Table table;
    Prng random(9);
    for (uint32_t id = 0; id < 5'000; ++id) table.insert(*new Item{random.next(), id});
    table.for_each([&](Item& item) {
        if (item.id % 2 == 0) return;
        table.erase(item);
        delete &item;
    });
    CHECK(table.count() == 2'500);
    table.for_each([&](Item& item) {
        table.erase(item);
        delete &item;
    });
    CHECK(table.empty());
    CHECK(table.for_each_from(12'345, 10, [](Item&) { FAIL("nothing is there"); }) == 0);
}
