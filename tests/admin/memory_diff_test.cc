#include "admin/memory_diff.h"

#include <doctest/doctest.h>

#include "runtime/arena.h"
#include "runtime/slab.h"

using namespace millrace;

namespace {

MemorySnapshot with_shards(std::vector<std::vector<MemoryLine>> shards) {
    MemorySnapshot snapshot;
    snapshot.shards = std::move(shards);
    return snapshot;
}

std::string names(const std::vector<MemoryChange>& changes) {
    std::string all;
    for (const MemoryChange& change : changes) {
        all += change.name;
        if (change.shard) all += "@" + std::to_string(*change.shard);
        all += " ";
    }
    return all;
}

MemorySnapshot snapshot_of(const Ledger& left, const Ledger& right) {
    MemorySnapshot snapshot = with_shards({{}, {}});
    const auto copy = [](const Ledger& ledger, std::vector<MemoryLine>& lines) {
        ledger.for_each([&](const LedgerLine& line) {
            lines.push_back({line.name, line.objects.read(), line.bytes.read(),
                             line.reserved_bytes.read()});
        });
    };
    copy(left, snapshot.shards[0]);
    copy(right, snapshot.shards[1]);
    return snapshot;
}

}  // namespace

TEST_CASE("memory diff: nothing differs between a snapshot and itself") {
    const auto one = with_shards({{{"a", 1, 2, 3}}, {{"a", 4, 5, 6}}});
    const MemoryDiff diff = diff_memory(one, one);
    CHECK(diff.classes.empty());
    CHECK(diff.shards.empty());
    CHECK(diff.resident_bytes == 0);
    CHECK_FALSE(diff.restarted);
}

TEST_CASE("memory diff: the largest growth comes first, what shrank comes last") {
    const auto from = with_shards({{{"a", 1, 100, 0}, {"b", 1, 100, 0}, {"c", 1, 100, 0}},
                                   {{"a", 1, 100, 0}, {"b", 1, 100, 0}, {"same", 1, 1, 1}}});
    const auto to = with_shards({{{"a", 2, 150, 0}, {"b", 0, 0, 0}, {"c", 9, 900, 0}},
                                 {{"a", 3, 200, 0}, {"b", 1, 101, 0}, {"same", 1, 1, 1}}});
    const MemoryDiff diff = diff_memory(from, to);
    CHECK(names(diff.classes) == "c a b ");
    CHECK(diff.classes[0] == MemoryChange{std::nullopt, "c", 8, 800, 0});
    CHECK(diff.classes[1] == MemoryChange{std::nullopt, "a", 3, 150, 0});
    CHECK(diff.classes[2] == MemoryChange{std::nullopt, "b", -1, -99, 0});
    CHECK(names(diff.shards) == "c@0 a@1 a@0 b@1 b@0 ");
}

TEST_CASE("memory diff: lines and shards that one of the two lacks count as nothing there") {
    const auto from = with_shards({{{"old", 1, 10, 100}}});
    auto to = with_shards({{{"new", 2, 20, 200}}, {{"new", 3, 30, 300}}});
    to.shared = {{"mail rings", 1, 5, 5}};
    const MemoryDiff diff = diff_memory(from, to);
    CHECK(names(diff.classes) == "new mail rings old ");
    CHECK(diff.classes[0] == MemoryChange{std::nullopt, "new", 5, 50, 500});
    CHECK(names(diff.shards) == "new@1 new@0 mail rings old@0 ");
    CHECK_FALSE(diff.shards[2].shard);
    const MemoryDiff back = diff_memory(to, from);
    CHECK(back.classes[0] == MemoryChange{std::nullopt, "old", 1, 10, 100});
}

TEST_CASE("memory diff: classes of a same growth of objects go by what they hold") {
    const auto to = with_shards({{{"a", 1, 0, 0}, {"b", 0, 0, 65'536}, {"c", 2, 0, 0}}});
    CHECK(names(diff_memory(with_shards({{}}), to).classes) == "b c a ");
}

TEST_CASE("memory diff: the kind comes before the length that it's rounded up to") {
    const auto from = with_shards({{{"heap 96", 0, 0, 0}, {"heap 64", 0, 0, 0}}});
    const auto to = with_shards(
        {{{"heap 96", 10, 960, 0}, {"retained", 10, 900, 0}, {"heap 64", 100, 6'400, 0}}});
    CHECK(names(diff_memory(from, to).classes) == "heap 64 retained heap 96 ");
    CHECK(names(diff_memory(to, from).classes) == "retained heap 96 heap 64 ");
}

TEST_CASE("memory diff: numbers that a broken file may hold do no harm") {
    const auto from = with_shards({{{"a", UINT64_MAX, UINT64_MAX, 0}}, {{"a", 5, UINT64_MAX, 0}}});
    const auto to = with_shards({{{"a", 0, 1, 0}}, {{"a", UINT64_MAX, INT64_MAX, 0}}});
    CHECK(diff_memory(from, to).classes.size() == 1);
    CHECK(diff_memory(to, from).classes.size() == 1);
}

TEST_CASE("memory diff: another process is told apart, a clock that was set a little is not") {
    MemorySnapshot from;
    MemorySnapshot to;
    from.started = 1'000;
    to.started = 1'002;
    CHECK_FALSE(diff_memory(from, to).restarted);
    to.started = 1'060;
    CHECK(diff_memory(from, to).restarted);
}

TEST_CASE("memory diff: the process's memory, and the heap's where both know it") {
    MemorySnapshot from;
    MemorySnapshot to;
    from.resident_bytes = 100;
    to.resident_bytes = 70;
    to.heap_committed_bytes = 5;
    CHECK(diff_memory(from, to).resident_bytes == -30);
    CHECK_FALSE(diff_memory(from, to).heap_committed_bytes);
    from.heap_committed_bytes = 2;
    CHECK(diff_memory(from, to).heap_committed_bytes == 3);
}

TEST_CASE("memory diff: objects that are taken and never given back come first, with their shard") {
    Ledger left;
    Ledger right;
    const auto arena = Arena::create({.bytes_max = 64 << 20, .huge_pages = HugePages::off});
    REQUIRE(arena);
    struct Small { char bytes[40]; };
    struct Large { char bytes[400]; };
    Slab<Small> leaky(**arena, right.line("leaky"));
    Slab<Large> busy(**arena, right.line("busy"));
    Slab<Large> steady(**arena, left.line("steady"));
    std::vector<Large*> alive;
    for (int count = 0; count < 100; ++count) alive.push_back(steady.try_make());
    const MemorySnapshot before = snapshot_of(left, right);
    for (int round = 0; round < 5'000; ++round) {
        Large* passing = busy.try_make();  // much work that leaves nothing
        REQUIRE(passing != nullptr);
        REQUIRE(leaky.try_make() != nullptr);  // the leak
        busy.destroy(passing);
    }
    busy.try_make();
    const MemoryDiff diff = diff_memory(before, snapshot_of(left, right));
    CHECK(names(diff.classes) == "leaky busy ");
    CHECK(diff.classes[0].objects == 5'000);
    CHECK(diff.classes[0].bytes == 5'000 * 40);
    CHECK(diff.shards[0].shard == 1);
    CHECK(diff.shards[0].name == "leaky");
}

TEST_CASE("memory diff: as JSON it names what was compared") {
    const auto from = with_shards({{{"a", 1, 2, 3}}});
    const auto to = with_shards({{{"a", 2, 1, 3}}});
    CHECK(to_json(diff_memory(from, to), {"20261130T120000Z", 1, "now", 2.5}) ==
          R"({"from":{"id":"20261130T120000Z","time":1.000},"to":{"id":"now","time":2.500},)"
          R"("restarted":false,"classes":[{"class":"a","objects":1,"bytes":-1,"reserved_bytes":0}],)"
          R"("shards":[{"shard":0,"class":"a","objects":1,"bytes":-1,"reserved_bytes":0}],)"
          R"("process":{"resident_bytes":0,"huge_page_bytes":0,"virtual_bytes":0,)"
          R"("heap_committed_bytes":null}})");
}
