#include <algorithm>
#include <deque>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "flow_keys.h"
#include "runtime/shard_memory.h"
#include "tcp/flow_table.h"

using namespace millrace;
using millrace::test::flow_from;
using millrace::test::ShardMemory;

namespace {

constexpr HashKey flow_table_secret{0x9876543210};

FlowKey numbered_flow(uint32_t number) {
    return flow_from(IpAddress::from_ipv4(0x0b000000 + number / 60'000),
                     static_cast<uint16_t>(number % 60'000));
}

FlowNode node_of(uint32_t number) {
    FlowNode node;
    node.key = numbered_flow(number);
    return node;
}

struct FlowTableFixture {
    explicit FlowTableFixture(uint64_t bytes_max = 64 << 20)
        : memory(bytes_max),
          line(memory.ledger.line("flow table")),
          table(*memory.arena, line, flow_table_secret) {}

    // Flow `nodes.size()`; false when it was refused.
    bool try_add_next() {
        FlowNode& node = nodes.emplace_back(node_of(static_cast<uint32_t>(nodes.size())));
        return table.try_insert(table.hash(node.key), node);
    }
    FlowNode* find(const FlowKey& key) const { return table.find(table.hash(key), key); }
    void erase(const FlowNode& node) { table.erase(table.hash(node.key), node); }
    double load() const {
        return static_cast<double>(table.count()) /
               (table.line_count() * FlowTable::slots_per_line);
    }
    // Of flows 0 to `count`, how many aren't found as the node they are.
    uint32_t missing(uint32_t count) const {
        uint32_t missing = 0;
        for (uint32_t index = 0; index < count; ++index) {
            if (find(nodes[index].key) != &nodes[index]) ++missing;
        }
        return missing;
    }

    ShardMemory memory;
    LedgerLine& line;
    FlowTable table;
    std::deque<FlowNode> nodes;  // which don't move
};

// A few flows, drawn again and again, with a map that knows what the table has to know.
struct Model {
    explicit Model(uint32_t node_count) {
        for (uint32_t number = 0; number < node_count; ++number) {
            nodes.push_back(node_of(number));
        }
    }
    void insert_fresh(FlowTable& table) {
        FlowNode& node = nodes[next];
        REQUIRE(table.try_insert(table.hash(node.key), node));
        present.emplace(next, numbers.size());
        numbers.push_back(next);
        ++next;
    }
    void erase_any(FlowTable& table) {
        const size_t place = random.below(static_cast<uint32_t>(numbers.size()));
        const uint32_t number = numbers[place];
        table.erase(table.hash(nodes[number].key), nodes[number]);
        present.erase(number);
        numbers[place] = numbers.back();
        numbers.pop_back();
        if (place < numbers.size()) present[numbers[place]] = place;
    }
    // One flow of all, whether it's there or not.
    bool agrees(const FlowTable& table) {
        const uint32_t number = random.below(static_cast<uint32_t>(nodes.size()));
        const FlowNode* expected = present.contains(number) ? &nodes[number] : nullptr;
        return table.find(table.hash(nodes[number].key), nodes[number].key) == expected;
    }
    uint32_t disagreements(const FlowTable& table) const {
        uint32_t wrong = 0;
        for (uint32_t number = 0; number < nodes.size(); ++number) {
            const FlowNode* expected = present.contains(number) ? &nodes[number] : nullptr;
            const FlowKey& key = nodes[number].key;
            if (table.find(table.hash(key), key) != expected) ++wrong;
        }
        return wrong;
    }

    std::deque<FlowNode> nodes;
    std::unordered_map<uint32_t, size_t> present;  // number to its place in `numbers`
    std::vector<uint32_t> numbers;
    uint32_t next = 0;
    Prng random{11};
};

}  // namespace

TEST_CASE("flow table: an empty one finds nothing and owns no memory") {
    FlowTableFixture fixture;
    const uint64_t hash = fixture.table.hash(numbered_flow(1));
    fixture.table.prefetch(hash);
    fixture.table.prefetch_node(hash);
    CHECK(fixture.table.find(hash, numbered_flow(1)) == nullptr);
    CHECK(fixture.table.count() == 0);
    CHECK(fixture.memory.arena->taken_bytes() == 0);
}

TEST_CASE("flow table: a key is found until it's erased") {
    FlowTableFixture fixture;
    REQUIRE(fixture.try_add_next());
    REQUIRE(fixture.try_add_next());
    CHECK(fixture.find(numbered_flow(0)) == &fixture.nodes[0]);
    CHECK(fixture.find(numbered_flow(1)) == &fixture.nodes[1]);
    CHECK(fixture.find(numbered_flow(2)) == nullptr);
    fixture.erase(fixture.nodes[0]);
    CHECK(fixture.find(numbered_flow(0)) == nullptr);
    CHECK(fixture.find(numbered_flow(1)) == &fixture.nodes[1]);
    CHECK(fixture.table.count() == 1);
}

TEST_CASE("flow table: keys that differ in one field are different") {
    FlowTableFixture fixture;
    REQUIRE(fixture.try_add_next());
    FlowKey port = numbered_flow(0);
    port.remote_port += 1;
    FlowKey local = numbered_flow(0);
    local.local_port += 1;
    FlowKey swapped = numbered_flow(0);
    std::swap(swapped.local, swapped.remote);
    CHECK(fixture.find(port) == nullptr);
    CHECK(fixture.find(local) == nullptr);
    CHECK(fixture.find(swapped) == nullptr);
    // Even with the same hash, which says where to look, the key decides.
    CHECK(fixture.table.find(fixture.table.hash(numbered_flow(0)), port) == nullptr);
}

TEST_CASE("flow table: keys of one hash fill its line and are all found") {
    FlowTableFixture fixture;
    constexpr uint64_t same_hash = 0;  // whose tag is that of empty slots, too
    for (uint32_t number = 0; number < FlowTable::slots_per_line; ++number) {
        FlowNode& node = fixture.nodes.emplace_back(node_of(number));
        REQUIRE(fixture.table.try_insert(same_hash, node));
        CHECK(fixture.table.find(same_hash, numbered_flow(number)) == &node);
    }
    CHECK(fixture.table.find(same_hash, numbered_flow(100)) == nullptr);
    for (const FlowNode& node : fixture.nodes) fixture.table.erase(same_hash, node);
    CHECK(fixture.table.count() == 0);
    CHECK(fixture.table.find(same_hash, numbered_flow(0)) == nullptr);
}

TEST_CASE("flow table: replace puts another node of the key in its place") {
    FlowTableFixture fixture;
    REQUIRE(fixture.try_add_next());
    FlowNode successor = node_of(0);
    const uint64_t hash = fixture.table.hash(successor.key);
    fixture.table.replace(hash, fixture.nodes[0], successor);
    CHECK(fixture.table.find(hash, successor.key) == &successor);
    CHECK(fixture.table.count() == 1);
    fixture.table.erase(hash, successor);
    CHECK(fixture.table.find(hash, successor.key) == nullptr);
}

TEST_CASE("flow table: it agrees with a map through growth to 300,000 and erasures") {
    ShardMemory memory(64 << 20);
    FlowTable table(*memory.arena, memory.ledger.line("flow table"), flow_table_secret);
    Model model(450'000);
    uint32_t wrong = 0;
    while (model.numbers.size() < 300'000) {
        if (model.numbers.empty() || model.random.below(4) != 0) model.insert_fresh(table);
        else model.erase_any(table);
        wrong += model.agrees(table) ? 0 : 1;
        if (model.next == model.nodes.size()) break;
    }
    CHECK(table.count() == model.numbers.size());
    CHECK(table.line_count() > 16'384);
    CHECK(wrong == 0);
    CHECK(model.disagreements(table) == 0);
    while (!model.numbers.empty()) model.erase_any(table);
    CHECK(table.count() == 0);
    CHECK(model.disagreements(table) == 0);
}

TEST_CASE("flow table: it stays right while half of it is erased and filled again and again") {
    FlowTableFixture fixture;
    constexpr uint32_t flow_count = 20'000;
    for (uint32_t number = 0; number < flow_count; ++number) REQUIRE(fixture.try_add_next());
    Prng random(3);
    for (int turn = 0; turn < 20; ++turn) {
        std::vector<FlowNode*> erased;
        for (FlowNode& node : fixture.nodes) {
            if (random.below(2) == 0) continue;
            fixture.erase(node);
            erased.push_back(&node);
        }
        uint32_t still_there = 0;
        for (const FlowNode* node : erased) still_there += fixture.find(node->key) != nullptr;
        CHECK(still_there == 0);
        for (FlowNode* node : erased) {
            REQUIRE(fixture.table.try_insert(fixture.table.hash(node->key), *node));
        }
        CHECK(fixture.missing(flow_count) == 0);
    }
    CHECK(fixture.load() < 0.86);
}

TEST_CASE("flow table: no insertion splits more than a line, moves more than nine references or "
          "takes more than a chunk") {
    FlowTableFixture fixture;
    REQUIRE(fixture.try_add_next());  // the first takes the directory, too
    uint32_t lines_added_max = 0;
    uint64_t moved_max = 0;
    uint64_t chunk_bytes_max = 0;
    for (uint32_t number = 1; number < 300'000; ++number) {
        const uint32_t lines = fixture.table.line_count();
        const uint64_t moved = fixture.table.moved_count();
        const uint64_t taken = fixture.memory.arena->taken_bytes();
        REQUIRE(fixture.try_add_next());
        lines_added_max = std::max(lines_added_max, fixture.table.line_count() - lines);
        moved_max = std::max(moved_max, fixture.table.moved_count() - moved);
        chunk_bytes_max = std::max(chunk_bytes_max, fixture.memory.arena->taken_bytes() - taken);
    }
    CHECK(lines_added_max == 1);
    CHECK(moved_max <= FlowTable::slots_per_line + 1);
    CHECK(chunk_bytes_max == Arena::chunk_bytes);
    CHECK(fixture.table.moved_count() > 100'000);  // it did grow by moving
}

TEST_CASE("flow table: a connection costs less than 17 bytes at any time, and under 10 at best") {
    FlowTableFixture fixture;
    double bytes_min = 1e9;
    double bytes_max = 0;
    for (uint32_t number = 0; number < 300'000; ++number) {
        REQUIRE(fixture.try_add_next());
        if (number < 100'000) continue;  // the directory and the newest segment weigh on few
        const double bytes = static_cast<double>(fixture.memory.arena->taken_bytes()) /
                             static_cast<double>(fixture.table.count());
        bytes_min = std::min(bytes_min, bytes);
        bytes_max = std::max(bytes_max, bytes);
    }
    CHECK(bytes_max < 17.5);
    CHECK(bytes_min < 10.0);
}

TEST_CASE("flow table: without memory to grow it fills to nine tenths, then refuses") {
    FlowTableFixture fixture(uint64_t{5} * Arena::chunk_bytes);  // the directory and four segments
    while (fixture.try_add_next()) {}
    CHECK(fixture.load() > 0.9);
    CHECK(fixture.table.line_count() == 4 * Arena::chunk_bytes / 64);
    const auto added = static_cast<uint32_t>(fixture.table.count());
    CHECK(added == fixture.nodes.size() - 1);
    CHECK(fixture.missing(added) == 0);
    CHECK(fixture.find(fixture.nodes.back().key) == nullptr);
}

TEST_CASE("flow table: a refused insertion goes well once something is erased or memory is back") {
    FlowTableFixture fixture(uint64_t{4} * Arena::chunk_bytes);
    std::byte* chunk = fixture.memory.arena->try_take_chunk();
    while (fixture.try_add_next()) {}
    // In the middle of a round: two segments are there and a third isn't.
    FlowNode refused = fixture.nodes.back();
    fixture.nodes.pop_back();
    const uint64_t hash = fixture.table.hash(refused.key);
    CHECK(!fixture.table.try_insert(hash, refused));
    SUBCASE("erased") {
        uint32_t erased = 0;
        while (!fixture.table.try_insert(hash, refused)) fixture.erase(fixture.nodes[erased++]);
        CHECK(erased > 0);
        CHECK(fixture.find(refused.key) == &refused);
        fixture.memory.arena->give_back_chunk(chunk);
    }
    SUBCASE("memory is back") {
        fixture.memory.arena->give_back_chunk(chunk);
        uint32_t refusals = 0;
        while (!fixture.table.try_insert(hash, refused)) ++refusals;
        CHECK(refusals < 10'000);  // every attempt splits a line, until it's the right one
        CHECK(fixture.find(refused.key) == &refused);
        CHECK(fixture.missing(static_cast<uint32_t>(fixture.nodes.size())) == 0);
    }
}

TEST_CASE("flow table: without any memory an insertion is refused") {
    for (const uint64_t chunk_count : {1, 2}) {
        FlowTableFixture fixture(chunk_count * Arena::chunk_bytes);
        CHECK(fixture.try_add_next() == (chunk_count == 2));
        CHECK(fixture.find(numbered_flow(1)) == nullptr);
        CHECK(fixture.table.count() == chunk_count - 1);
    }
}

TEST_CASE("flow table: the ledger counts it, and its end gives everything back") {
    ShardMemory memory(4 << 20);
    LedgerLine& line = memory.ledger.line("flow table");
    std::deque<FlowNode> nodes;
    {
        FlowTable table(*memory.arena, line, flow_table_secret);
        for (uint32_t number = 0; number < 10'000; ++number) {
            nodes.push_back(node_of(number));
            REQUIRE(table.try_insert(table.hash(nodes.back().key), nodes.back()));
        }
        CHECK(line.objects.read() == 10'000);
        CHECK(line.bytes.read() == 80'000);
        CHECK(line.reserved_bytes.read() == memory.arena->taken_bytes());
    }
    CHECK(line.objects.read() == 0);
    CHECK(line.bytes.read() == 0);
    CHECK(line.reserved_bytes.read() == 0);
    CHECK(memory.arena->taken_bytes() == 0);
}
