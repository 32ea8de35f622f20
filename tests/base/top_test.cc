#include <map>
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "base/hash.h"
#include "base/prng.h"
#include "base/recent_top.h"
#include "base/top_list.h"
#include "base/top_sketch.h"

using namespace millrace;

namespace {

uint64_t hash_of(std::string_view name) { return hash_text(name, HashKey{7}); }

using Exact = std::map<std::string, uint64_t>;

template <class Sketch>
void add(Sketch& sketch, std::string_view name, uint64_t weight = 1, uint64_t part = 0) {
    sketch.add(hash_of(name), name, weight, part);
}

// A stream in which low numbers come much oftener, and which shifts.
std::string draw_name(Prng& random, uint32_t names, uint32_t shift) {
    uint32_t number = random.below(names);
    for (uint32_t step = random.below(4); step > 0; --step) number = random.below(number + 1);
    return "topic/" + std::to_string(number + shift);
}

void check_bounds(const TopList& list, const Exact& exact) {
    Exact listed;
    for (const TopList::Entry& entry : list.heaviest(SIZE_MAX)) {
        listed[entry.name] = entry.count;
        const auto place = exact.find(entry.name);
        const uint64_t truly = place == exact.end() ? 0 : place->second;
        CHECK(entry.count >= truly);
        CHECK(entry.count - entry.error <= truly);
        CHECK(entry.part <= truly);
    }
    for (const auto& [name, count] : exact) {
        if (!listed.contains(name)) CHECK(count <= list.count_min());
    }
}

}  // namespace

TEST_CASE("top sketch: few names are counted exactly") {
    auto sketch = std::make_unique<TopSketch<4>>();
    add(*sketch, "a", 3, 1);
    add(*sketch, "b");
    add(*sketch, "a", 2, 2);
    const auto top = TopList(*sketch, 5).heaviest(10);
    REQUIRE(top.size() == 2);
    CHECK(top[0].name == "a");
    CHECK(top[0].count == 5);
    CHECK(top[0].error == 0);
    CHECK(top[0].part == 3);
    CHECK(top[0].source == 5);
    CHECK(top[1].name == "b");
    CHECK(sketch->count_min() == 0);
    CHECK(sketch->total() == 6);
}

TEST_CASE("top sketch: a newcomer takes the smallest one's place and inherits its count as error") {
    auto sketch = std::make_unique<TopSketch<2>>();
    add(*sketch, "large", 10);
    add(*sketch, "small", 3, 3);
    add(*sketch, "new");
    const auto top = TopList(*sketch, 0).heaviest(10);
    REQUIRE(top.size() == 2);
    CHECK(top[1].name == "new");
    CHECK(top[1].count == 4);
    CHECK(top[1].error == 3);
    CHECK(top[1].part == 0);
    CHECK(sketch->count_min() == 4);
}

TEST_CASE("top sketch: a long name is kept in part, and says so") {
    auto sketch = std::make_unique<TopSketch<2>>();
    const std::string longest(TopEntry::name_bytes_max, 'x');
    add(*sketch, longest);
    add(*sketch, longest + "y");
    CHECK(sketch->entries()[0].name() == longest);
    CHECK(!sketch->entries()[0].is_name_cut);
    CHECK(sketch->entries()[1].name() == longest);
    CHECK(sketch->entries()[1].is_name_cut);
    add(*sketch, "");
    CHECK(TopList(*sketch, 0).heaviest(9)[0].name.empty());
}

TEST_CASE("top sketch: its bounds hold whatever the stream, and the sum of its counts is the total") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Prng random(seed);
        auto sketch = std::make_unique<TopSketch<32>>();
        Exact exact;
        const uint32_t names = 8 + random.below(400);
        for (uint32_t step = 0; step < 5'000; ++step) {
            const std::string name = draw_name(random, names, step / 1'000);
            const uint64_t weight = 1 + random.below(64);
            add(*sketch, name, weight, random.below(2) * weight);
            exact[name] += weight;
        }
        const TopList list(*sketch, 0);
        check_bounds(list, exact);
        uint64_t sum = 0;
        for (const TopEntry& entry : sketch->entries()) sum += entry.count;
        CHECK(sum == sketch->total());
        CHECK(sketch->count_min() <= sketch->total() / 32);
        // Whoever has more than that is there.
        const auto top = list.heaviest(SIZE_MAX);
        for (const auto& [name, count] : exact) {
            if (count <= sketch->total() / 32) continue;
            const auto is_same = [&wanted = name](const auto& e) { return e.name == wanted; };
            CHECK(std::any_of(top.begin(), top.end(), is_same));
        }
    }
}

TEST_CASE("top list: bounds hold for the sum of shards that share names, in any order of merging") {
    for (uint64_t seed = 1; seed <= 10; ++seed) {
        Prng random(seed);
        Exact exact;
        std::vector<TopSketch<16>> shards(3);
        for (uint32_t step = 0; step < 3'000; ++step) {
            const std::string name = draw_name(random, 60, 0);
            add(shards[random.below(3)], name, 1);
            ++exact[name];
        }
        TopList forward, backward;
        for (uint32_t index = 0; index < 3; ++index) {
            forward.merge(TopList(shards[index], index), TopList::Names::anywhere);
            backward.merge(TopList(shards[2 - index], 2 - index), TopList::Names::anywhere);
        }
        check_bounds(forward, exact);
        check_bounds(backward, exact);
        CHECK(forward.total() == 3'000);
    }
}

TEST_CASE("top list: a name that only one shard counts keeps its error when names are apart") {
    std::vector<TopSketch<2>> shards(2);
    add(shards[0], "a", 9);
    for (const char* name : {"b", "c", "d"}) add(shards[1], name, 5);
    TopList list(shards[0], 0);
    list.merge(TopList(shards[1], 1), TopList::Names::apart);
    const auto top = list.heaviest(2);
    CHECK(top[0].name == "d");
    CHECK(top[0].source == 1);
    CHECK(top[1].name == "a");
    CHECK(top[1].count == 9);
    CHECK(top[1].error == 0);
}

TEST_CASE("top list: of a name on two shards the one that counted more is its source") {
    std::vector<TopSketch<4>> shards(2);
    add(shards[0], "a", 2, 1);
    add(shards[1], "a", 3, 3);
    TopList list(shards[0], 0);
    list.merge(TopList(shards[1], 1), TopList::Names::anywhere);
    const auto top = list.heaviest(1);
    CHECK(top[0].count == 5);
    CHECK(top[0].part == 4);
    CHECK(top[0].source == 1);
}

TEST_CASE("recent top: what is older than two spans is forgotten, and since says from when on") {
    const Duration span = Duration::s(300);
    const Instant start = Instant::at_ms(1'000);
    auto recent = std::make_unique<RecentTop<4>>(start, span);
    const auto count_of = [&](std::string_view name) -> uint64_t {
        for (const auto& entry : recent->list(0).heaviest(9)) {
            if (entry.name == name) return entry.count;
        }
        return 0;
    };
    const auto add_at = [&](int64_t seconds, std::string_view name) {
        recent->add(start + Duration::s(seconds), hash_of(name), name, 1);
    };
    add_at(0, "old");
    add_at(299, "both");
    add_at(301, "both");
    CHECK(recent->since() == start);
    CHECK(count_of("old") == 1);
    CHECK(count_of("both") == 2);
    add_at(602, "new");
    CHECK(recent->since() == start + Duration::s(301));
    CHECK(count_of("old") == 0);
    CHECK(count_of("both") == 1);
    recent->forget_old(start + Duration::s(5'000));
    CHECK(recent->since() == start + Duration::s(5'000));
    CHECK(count_of("new") == 0);
}
