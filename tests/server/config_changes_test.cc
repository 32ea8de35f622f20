#include "server/config_changes.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

#include "server/config_keys.h"

using namespace millrace;

namespace {

// Another valid value of that key alone. Empty lists become one entry, and the other way round.
Config with_other_value(const ConfigKey& key) {
    static const std::map<std::string_view, std::string_view> texts{
        {"listen", "10.0.0.1:1"},         {"net", "dpdk"},
        {"mqtt.denied_filters", "a/#"},   {"shards.cpus", "0"},
        {"shards.huge_pages", "off"},     {"dpdk.device", "0000:03:00.0"},
        {"dpdk.eal_arguments", "--a"},    {"dpdk.mac", "02:00:00:00:00:01"},
        {"dpdk.addresses", "10.0.0.1/8"}, {"dpdk.source_ranges", "10.0.0.0/8"},
        {"dpdk.gateway", "10.0.0.2"},     {"dpdk.gateway_ipv6", "fe80::1"},
        {"dpdk.vlan", "7"},               {"dpdk.idle", "spin"},
        {"dpdk.congestion", "reno"},      {"dpdk.capture_path", "a.pcap"},
        {"drain.server_reference", "b:1"}, {"log.level", "debug"},
        {"log.format", "json"},           {"admin.listen", "127.0.0.1:9"},
        {"admin.token_file", "/run/token"},
        {"admin.history_dir", "/run/history"}};
    Config config;
    if (key.get != nullptr) {
        const uint64_t value = key.get(config);
        key.set(config, value == key.smallest ? key.largest : key.smallest);
        return config;
    }
    REQUIRE_MESSAGE(texts.contains(key.name), key.name);
    if (key.clear != nullptr) key.clear(config);
    REQUIRE(key.put(config, texts.at(key.name)));
    return config;
}

struct Documented {
    std::string change;   // the second column
    std::string concerns; // the third
};

// The rows of README.md whose first column names keys, in backticks: by key.
std::map<std::string, Documented> documented_keys() {
    std::ifstream file(MR_SERVER_README);
    REQUIRE(file.is_open());
    std::map<std::string, Documented> keys;
    for (std::string line; std::getline(file, line);) {
        std::vector<std::string> columns;
        std::istringstream row(line);
        for (std::string column; std::getline(row, column, '|');) columns.push_back(column);
        if (columns.size() != 4 || (columns[2] != " live " && columns[2] != " at start ")) continue;
        std::istringstream names(columns[1]);
        std::string name;
        while (std::getline(names, name, '`') && std::getline(names, name, '`')) {
            CHECK_MESSAGE(!keys.contains(name), name, " stands there twice");
            keys[name] = {columns[2], columns[3]};
        }
    }
    return keys;
}

}  // namespace

TEST_CASE("config changes: equal configurations have none") {
    const ConfigChanges changes = compare_configs(Config{}, Config{});
    CHECK(changes.changed.empty());
    CHECK(changes.refused.empty());
}

TEST_CASE("config changes: every key is seen, by its name, alone, and changed when it's live") {
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        const Config in_force;
        const Config wanted = with_other_value(key);
        REQUIRE_FALSE(has_same_value(key, in_force, wanted));
        const ConfigChanges changes = compare_configs(in_force, wanted);
        const auto& list = key.live ? changes.changed : changes.refused;
        const auto& other = key.live ? changes.refused : changes.changed;
        CHECK(other.empty());
        REQUIRE(list.size() == 1);
        CHECK(list[0].key == key.name);
        CHECK(list[0].in_force == value_text(key, in_force));
        CHECK(list[0].wanted == value_text(key, wanted));
        CHECK(list[0].wanted != list[0].in_force);
        CHECK(has_same_value(key, changes.merged, key.live ? wanted : in_force));
        for (const ConfigKey& one : config_keys()) {
            if (&one != &key) CHECK(has_same_value(one, changes.merged, in_force));
        }
    }
}

TEST_CASE("config changes: a file with both kinds changes what it can") {
    Config wanted;
    wanted.shards.count = 5;
    wanted.mqtt.denied_filters = {"a/#", "b"};
    wanted.queues.inflight_max = 3;
    const ConfigChanges changes = compare_configs(Config{}, wanted);
    REQUIRE(changes.changed.size() == 2);
    CHECK(changes.changed[0].key == "mqtt.denied_filters");
    CHECK(changes.changed[0].in_force == "[]");
    CHECK(changes.changed[0].wanted == R"(["a/#", "b"])");
    CHECK(changes.changed[1].wanted == "3");
    REQUIRE(changes.refused.size() == 1);
    CHECK(changes.refused[0].key == "shards.count");
    CHECK(changes.merged.shards.count == 0);
    CHECK(changes.merged.queues.inflight_max == 3);
}

TEST_CASE("config changes: a long list is cut for a message, and compared as a whole") {
    Config one;
    for (int number = 0; number < 1'000; ++number) {
        one.mqtt.denied_filters.push_back("filter/" + std::to_string(number));
    }
    Config other = one;
    other.mqtt.denied_filters.back() += "x";
    const ConfigChanges changes = compare_configs(one, other);
    REQUIRE(changes.changed.size() == 1);
    CHECK(changes.changed[0].wanted.size() < 500);
    CHECK(changes.merged.mqtt.denied_filters == other.mqtt.denied_filters);
}

TEST_CASE("config changes: README.md says of every key what a reload does with it") {
    std::map<std::string, Documented> documented = documented_keys();
    for (const ConfigKey& key : config_keys()) {
        CAPTURE(key.name);
        std::string name(key.name);
        // Of a table that is fixed as a whole one row speaks: `dpdk.*`.
        const std::string whole_table = name.substr(0, name.find('.')) + ".*";
        if (!key.live && documented.contains(whole_table)) name = whole_table;
        REQUIRE(documented.contains(name));
        CHECK(documented[name].change == (key.live ? " live " : " at start "));
        CHECK(documented[name].concerns.size() > 5);
    }
    // And of nothing that isn't a key.
    for (const auto& entry : documented) {
        const std::string& name = entry.first;
        CAPTURE(name);
        if (name.ends_with(".*")) {
            CHECK(is_config_table(name.substr(0, name.size() - 2)));
            CHECK(entry.second.change == " at start ");
        } else {
            CHECK(find_config_key(name) != nullptr);
        }
    }
}
