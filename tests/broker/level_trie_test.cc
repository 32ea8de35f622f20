#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "broker/level_trie.h"
#include "codec/mqtt/topic_name.h"

using namespace millrace;

namespace {

struct Memory {
    explicit Memory(uint64_t bytes_max = uint64_t{256} << 20)
        : arena(std::move(*Arena::create({.bytes_max = bytes_max, .huge_pages = HugePages::off}))),
          heap(*arena, ledger) {}

    uint64_t bytes_out() const {
        uint64_t bytes = 0;
        for (const LedgerLine& line : ledger.lines()) bytes += line.bytes.read();
        return bytes;
    }

    Ledger ledger;
    std::unique_ptr<Arena> arena;
    Heap heap;
};

using Trie = LevelTrie<const std::string*>;
using Keys = std::vector<std::string>;

Keys by_topic(const Trie& trie, std::string_view topic) {
    Keys found;
    trie.match_topic(topic, [&](const std::string* key) { found.push_back(*key); });
    std::sort(found.begin(), found.end());
    return found;
}
Keys by_filter(const Trie& trie, std::string_view filter) {
    Keys found;
    trie.match_filter(filter, [&](const std::string* key) { found.push_back(*key); });
    std::sort(found.begin(), found.end());
    return found;
}

// Holds keys and stores each under itself, so that a match tells which key it was.
struct KeyedTrie {
    KeyedTrie(Memory& memory, const Keys& keys) : stored(keys), trie(memory.heap, HashKey{11}) {
        for (const std::string& key : stored) REQUIRE(trie.insert(key, &key));
    }
    Keys stored;
    Trie trie;
};

// Mostly short keys over few levels, so that they share prefixes and match each other.
std::string random_key(Prng& random, bool is_filter) {
    static const char* const words[] = {"a", "b", "", "$", "$a", "ab"};
    std::string key;
    const uint32_t levels = 1 + random.below(5);
    for (uint32_t level = 0; level < levels; ++level) {
        if (level > 0) key += '/';
        if (is_filter && random.chance(0.3)) key += '+';
        else if (is_filter && level + 1 == levels && random.chance(0.4)) key += '#';
        else key += words[random.below(6)];
    }
    return key.empty() ? "a" : key;
}

}  // namespace

TEST_CASE("level trie: a key is found by all of its levels only") {
    Memory memory;
    KeyedTrie keyed(memory, {"a/b/c", "a", "a//c", "/", "a/"});
    for (const std::string& key : keyed.stored) CHECK(keyed.trie.find(key) == &key);
    for (const char* other : {"a/b", "a/b/c/", "b", "", "//", "a//", "A", "a/+/c", "#"}) {
        CHECK(keyed.trie.find(other) == nullptr);
    }
    CHECK(keyed.trie.count() == 5);
}

TEST_CASE("level trie: inserting a key again replaces its value") {
    Memory memory;
    Trie trie(memory.heap);
    const std::string one = "one", two = "two";
    CHECK(trie.insert("a/+", &one));
    CHECK(trie.insert("a/+", &two));
    CHECK(trie.count() == 1);
    CHECK(trie.find("a/+") == &two);
    CHECK(trie.erase("a/+") == &two);
    CHECK(trie.erase("a/+") == nullptr);
    CHECK(trie.count() == 0);
}

TEST_CASE("level trie: wildcards match as the standard's examples say") {
    Memory memory;
    KeyedTrie keyed(memory, {"sport/tennis/player1/#", "sport/#", "#", "sport/tennis/+", "+",
                             "sport/+", "+/+", "/+", "+/monitor/Clients", "$SYS/#",
                             "$SYS/monitor/+"});
    const Trie& trie = keyed.trie;
    CHECK(by_topic(trie, "sport/tennis/player1") ==
          Keys{"#", "sport/#", "sport/tennis/+", "sport/tennis/player1/#"});
    CHECK(by_topic(trie, "sport/tennis/player1/ranking") ==
          Keys{"#", "sport/#", "sport/tennis/player1/#"});
    CHECK(by_topic(trie, "sport") == Keys{"#", "+", "sport/#"});
    CHECK(by_topic(trie, "sport/") == Keys{"#", "+/+", "sport/#", "sport/+"});
    CHECK(by_topic(trie, "/finance") == Keys{"#", "+/+", "/+"});
    CHECK(by_topic(trie, "$SYS/monitor/Clients") == Keys{"$SYS/#", "$SYS/monitor/+"});
    CHECK(by_topic(trie, "$SYS") == Keys{"$SYS/#"});
    CHECK(by_topic(trie, "x/monitor/Clients") == Keys{"#", "+/monitor/Clients"});
}

TEST_CASE("level trie: a filter finds stored topics as the standard's examples say") {
    Memory memory;
    KeyedTrie keyed(memory, {"a", "a/b", "a/b/c", "a//c", "/", "$SYS", "$SYS/x", "b/$x"});
    const Trie& trie = keyed.trie;
    CHECK(by_filter(trie, "#") == Keys{"/", "a", "a//c", "a/b", "a/b/c", "b/$x"});
    CHECK(by_filter(trie, "+") == Keys{"a"});
    CHECK(by_filter(trie, "+/+") == Keys{"/", "a/b", "b/$x"});
    CHECK(by_filter(trie, "a/#") == Keys{"a", "a//c", "a/b", "a/b/c"});
    CHECK(by_filter(trie, "a/+/c") == Keys{"a//c", "a/b/c"});
    CHECK(by_filter(trie, "$SYS/#") == Keys{"$SYS", "$SYS/x"});
    CHECK(by_filter(trie, "$SYS/+") == Keys{"$SYS/x"});
    CHECK(by_filter(trie, "+/x") == Keys{});
    CHECK(by_filter(trie, "a/b") == Keys{"a/b"});
    CHECK(by_filter(trie, "a/b/c/d") == Keys{});
    CHECK(by_filter(trie, "+/$x") == Keys{"b/$x"});
}

TEST_CASE("level trie: stored filters agree with a list of them over random operations") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Memory memory;
        Prng random(seed);
        std::map<std::string, bool> model;  // whether it is stored; the keys never move
        Trie trie(memory.heap, HashKey{seed});
        uint64_t count = 0;
        for (int step = 0; step < 1'500; ++step) {
            auto& [key, is_stored] = *model.emplace(random_key(random, true), false).first;
            REQUIRE(trie.find(key) == (is_stored ? &key : nullptr));
            if (is_stored) REQUIRE(trie.erase(key) == &key);
            else REQUIRE(trie.insert(key, &key));
            is_stored = !is_stored;
            if (is_stored) ++count;
            else --count;
            REQUIRE(trie.count() == count);
            const std::string topic = random_key(random, false);
            Keys expected;
            for (const auto& [filter, stored] : model) {
                if (stored && mqtt::matches(filter, topic)) expected.push_back(filter);
            }
            REQUIRE_MESSAGE(by_topic(trie, topic) == expected, "seed ", seed, " topic ", topic);
        }
    }
}

TEST_CASE("level trie: stored topics agree with a list of them over random operations") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Memory memory;
        Prng random(seed);
        std::map<std::string, bool> model;
        Trie trie(memory.heap, HashKey{seed});
        for (int step = 0; step < 1'500; ++step) {
            auto& [key, is_stored] = *model.emplace(random_key(random, false), false).first;
            if (is_stored) REQUIRE(trie.erase(key) == &key);
            else REQUIRE(trie.insert(key, &key));
            is_stored = !is_stored;
            const std::string filter = random_key(random, true);
            Keys expected;
            for (const auto& [topic, stored] : model) {
                if (stored && mqtt::matches(filter, topic)) expected.push_back(topic);
            }
            REQUIRE_MESSAGE(by_filter(trie, filter) == expected, "seed ", seed, " filter ", filter);
        }
    }
}

TEST_CASE("level trie: erasing everything gives all memory back") {
    Memory memory;
    Prng random(5);
    Trie trie(memory.heap);
    CHECK(memory.bytes_out() == 0);
    const std::string value = "value";
    Keys keys;
    for (int step = 0; step < 5'000; ++step) {
        keys.push_back(random_key(random, true) + "/" + std::to_string(random.below(1'000)));
        REQUIRE(trie.insert(keys.back(), &value));
    }
    CHECK(memory.bytes_out() > 0);
    for (const std::string& key : keys) trie.erase(key);
    CHECK(trie.count() == 0);
    CHECK(trie.node_count() == 0);
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("level trie: erasing a key keeps those above, below and beside it") {
    Memory memory;
    KeyedTrie keyed(memory, {"a", "a/b/c", "a/b/c/d", "a/b/x", "a/b/+", "a/b/#"});
    CHECK(keyed.trie.node_count() == 7);
    CHECK(keyed.trie.erase("a/b") == nullptr);
    CHECK(keyed.trie.erase("a/b/c") != nullptr);
    CHECK(keyed.trie.node_count() == 7);
    CHECK(keyed.trie.erase("a/b/c/d") != nullptr);
    CHECK(keyed.trie.node_count() == 5);
    CHECK(by_topic(keyed.trie, "a/b/x") == Keys{"a/b/#", "a/b/+", "a/b/x"});
    CHECK(keyed.trie.find("a") != nullptr);
}

TEST_CASE("level trie: clearing drops everything, and it can be used again") {
    Memory memory;
    KeyedTrie keyed(memory, {"a/b/c", "+/#", "+/+/+", "#", "a"});
    keyed.trie.clear();
    CHECK(keyed.trie.count() == 0);
    CHECK(keyed.trie.node_count() == 0);
    CHECK(memory.bytes_out() == 0);
    CHECK(by_topic(keyed.trie, "a/b/c") == Keys{});
    CHECK(keyed.trie.insert("a", &keyed.stored[4]));
    CHECK(by_topic(keyed.trie, "a") == Keys{"a"});
}

TEST_CASE("level trie: a hundred thousand children of one level are found and given back") {
    Memory memory;
    {
        Trie trie(memory.heap);
        const std::string value = "value";
        for (int child = 0; child < 100'000; ++child) {
            REQUIRE(trie.insert("wide/" + std::to_string(child) + "/end", &value));
        }
        CHECK(trie.node_count() == 200'001);
        for (int child = 0; child < 100'000; child += 997) {
            CHECK(trie.find("wide/" + std::to_string(child) + "/end") == &value);
        }
        uint32_t seen = 0;
        trie.match_filter("wide/+/end", [&](const std::string*) { ++seen; });
        CHECK(seen == 100'000);
        trie.match_filter("wide/#", [&](const std::string*) { ++seen; });
        CHECK(seen == 200'000);
        for (int child = 0; child < 100'000; child += 2) {
            REQUIRE(trie.erase("wide/" + std::to_string(child) + "/end") == &value);
        }
        seen = 0;
        trie.match_filter("#", [&](const std::string*) { ++seen; });
        CHECK(seen == 50'000);
    }
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("level trie: the deepest keys work, deeper ones are refused") {
    Memory memory;
    Trie trie(memory.heap);
    std::string deepest = "a", plus = "+";
    for (uint32_t level = 1; level < levels_max; ++level) {
        deepest += "/a";
        plus += "/+";
    }
    CHECK(level_count(deepest) == levels_max);
    CHECK(trie.insert(deepest, &deepest));
    CHECK(trie.insert(plus, &plus));
    CHECK_FALSE(trie.insert(deepest + "/a", &deepest));
    CHECK(trie.count() == 2);
    CHECK(by_topic(trie, deepest).size() == 2);
    CHECK(by_topic(trie, deepest + "/a").empty());
    CHECK(trie.erase(plus) == &plus);
    CHECK(by_filter(trie, plus).size() == 1);
    CHECK(by_filter(trie, plus + "/+").empty());
    CHECK(by_filter(trie, plus + "/#").size() == 1);
}

TEST_CASE("level trie: sixty-five thousand levels end where the stored keys do") {
    Memory memory;
    KeyedTrie keyed(memory, {"#", "//#", "+/+/+", "/"});
    const std::string slashes(65'535, '/');
    CHECK_FALSE(keyed.trie.insert(slashes, &slashes));
    CHECK(keyed.trie.find(slashes) == nullptr);
    CHECK(keyed.trie.erase(slashes) == nullptr);
    CHECK(by_topic(keyed.trie, slashes) == Keys{"#", "//#"});
    CHECK(by_filter(keyed.trie, slashes).empty());
    std::string wildcards = "+";
    while (wildcards.size() < 65'000) wildcards += "/+";
    CHECK(by_filter(keyed.trie, wildcards).empty());
}

TEST_CASE("level trie: a level of sixty-five thousand bytes works, a longer key is refused") {
    Memory memory;
    Trie trie(memory.heap);
    std::string key(65'535, 'x');
    CHECK(trie.insert(key, &key));
    CHECK(trie.find(key) == &key);
    CHECK(by_topic(trie, key).size() == 1);
    key.back() = 'y';
    CHECK(trie.find(key) == nullptr);
    CHECK_FALSE(trie.insert(key + "z", &key));
    CHECK_FALSE(trie.insert(std::string(70'000, 'x'), &key));
}

TEST_CASE("level trie: filters that aren't valid do no harm") {
    Memory memory;
    KeyedTrie keyed(memory, {"#/a", "a/#/b", "#/+/#"});
    CHECK(by_topic(keyed.trie, "a/x").empty());
    CHECK(by_topic(keyed.trie, "#/a").empty());
    CHECK(keyed.trie.find("#/a") != nullptr);
    CHECK(keyed.trie.erase("#/a") != nullptr);
    CHECK(keyed.trie.erase("a/#/b") != nullptr);
    CHECK(keyed.trie.erase("#/+/#") != nullptr);
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("level trie: without memory an insertion changes nothing") {
    Memory memory(1 << 20);
    Trie trie(memory.heap);
    const std::string value = "value";
    uint32_t stored = 0;
    const auto key_of = [](uint32_t id) {
        return "level/" + std::to_string(id) + "/" + std::to_string(id * 7) + "/+/#";
    };
    while (trie.insert(key_of(stored), &value)) ++stored;
    CHECK(stored > 1'000);
    CHECK(trie.count() == stored);
    const uint64_t nodes = trie.node_count();
    CHECK_FALSE(trie.insert(key_of(stored), &value));
    CHECK(trie.node_count() == nodes);
    CHECK(trie.find(key_of(stored)) == nullptr);
    for (uint32_t id = 0; id < stored; ++id) REQUIRE(trie.find(key_of(id)) == &value);
    for (uint32_t id = 0; id < stored; ++id) REQUIRE(trie.erase(key_of(id)) == &value);
    CHECK(memory.bytes_out() == 0);
    CHECK(trie.insert(key_of(stored), &value));
}

TEST_CASE("level trie: a visit that returns false ends the walk") {
    Memory memory;
    KeyedTrie filters(memory, {"#", "+", "a", "a/#"});
    KeyedTrie topics(memory, {"a", "b", "c", "a/b"});
    for (const char* filter : {"#", "+"}) {
        int seen = 0;
        topics.trie.match_filter(filter, [&](const std::string*) { return ++seen < 2; });
        CHECK(seen == 2);
    }
    int seen = 0;
    filters.trie.match_topic("a", [&](const std::string*) { return ++seen < 3; });
    CHECK(seen == 3);
}

TEST_CASE("level trie: many wildcards at every level are each looked at once") {
    // Every filter of twelve levels, each "a" or "+": 4,096 of them, and all of them match.
    Memory memory;
    Trie trie(memory.heap);
    const std::string value = "value";
    for (uint32_t bits = 0; bits < 4'096; ++bits) {
        std::string filter;
        for (uint32_t level = 0; level < 12; ++level) {
            filter += level == 0 ? "" : "/";
            filter += (bits >> level & 1) != 0 ? "+" : "a";
        }
        REQUIRE(trie.insert(filter, &value));
    }
    uint32_t seen = 0;
    trie.match_topic("a/a/a/a/a/a/a/a/a/a/a/a", [&](const std::string*) { ++seen; });
    CHECK(seen == 4'096);
}
