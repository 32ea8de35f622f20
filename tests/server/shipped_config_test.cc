// The configuration that the package ships, against the table of keys: whoever adds a key adds it
// to scripts/packaging/millrace.toml too. A line there is "key = value", "#key = value" (the
// default), or "# example: #key = value" (where there is nothing by default); all else is prose.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <string>

#include "server/config_file.h"
#include "server/config_keys.h"

using namespace millrace;

namespace {

constexpr std::string_view example_mark = "# example: #";

enum class Standing : uint8_t { set, commented, example };

struct ShippedFile {
    std::map<std::string, Standing> keys;  // by their full name
    std::string twice;                     // keys that stand there more than once
    std::string text;
    std::string defaults_uncommented;      // of the commented lines alone
    std::string all_uncommented;
};

bool starts_with_key(std::string_view line) {
    const size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789");
    return end != 0 && end != std::string_view::npos && line.substr(end).starts_with(" = ");
}

void add_key(ShippedFile& file, const std::string& table, const std::string& line,
             Standing standing) {
    const std::string key = line.substr(0, line.find(' '));
    const std::string name = table.empty() ? key : table + "." + key;
    if (!file.keys.emplace(name, standing).second) file.twice += name + " ";
    file.all_uncommented += line + "\n";
    if (standing == Standing::commented) file.defaults_uncommented += line + "\n";
}

ShippedFile read_shipped_file() {
    std::ifstream in(MR_SHIPPED_CONFIG);
    REQUIRE(in.good());
    ShippedFile file;
    std::string table;
    for (std::string line; std::getline(in, line);) {
        file.text += line + "\n";
        if (line.starts_with("[")) {
            table = line.substr(1, line.find(']') - 1);
            file.defaults_uncommented += line + "\n";
            file.all_uncommented += line + "\n";
        } else if (line.starts_with(example_mark)) {
            add_key(file, table, line.substr(example_mark.size()), Standing::example);
        } else if (line.starts_with("#") && starts_with_key(line.substr(1))) {
            add_key(file, table, line.substr(1), Standing::commented);
        } else if (!line.empty() && !line.starts_with("#")) {
            add_key(file, table, line, Standing::set);
        }
    }
    return file;
}

std::string message_of(const Outcome<Config>& config) {
    return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("shipped config: it is good as it stands") {
    CHECK(message_of(parse_config(read_shipped_file().text, "millrace.toml")) == "");
}

TEST_CASE("shipped config: every key of the server stands in it once") {
    const ShippedFile file = read_shipped_file();
    CHECK(file.twice == "");
    std::string missing;
    for (const ConfigKey& key : config_keys()) {
        if (!file.keys.contains(std::string(key.name))) missing += std::string(key.name) + " ";
    }
    CHECK(missing == "");
}

TEST_CASE("shipped config: it has no key that the server doesn't know") {
    const ShippedFile file = read_shipped_file();
    std::string unknown;
    for (const auto& [name, standing] : file.keys) {
        if (find_config_key(name) == nullptr) unknown += name + " ";
    }
    CHECK(unknown == "");
    CHECK(message_of(parse_config(file.all_uncommented, "millrace.toml")) == "");
}

TEST_CASE("shipped config: what is commented out is the default") {
    const ShippedFile file = read_shipped_file();
    const Outcome<Config> commented = parse_config(file.defaults_uncommented, "millrace.toml");
    REQUIRE(message_of(commented) == "");
    const Config defaults;
    std::string different;
    for (const ConfigKey& key : config_keys()) {
        if (key.get != nullptr && key.get(*commented) != key.get(defaults)) {
            different += std::string(key.name) + " ";
        }
    }
    CHECK(different == "");
    CHECK(commented->net == defaults.net);
    CHECK(commented->mqtt.denied_filters == defaults.mqtt.denied_filters);
    CHECK(commented->shards.huge_pages == defaults.shards.huge_pages);
    CHECK(commented->dpdk.eal_arguments == defaults.dpdk.eal_arguments);
    CHECK(commented->dpdk.source_ranges == defaults.dpdk.source_ranges);
    CHECK(commented->dpdk.vlan == defaults.dpdk.vlan);
    CHECK(commented->dpdk.idle == defaults.dpdk.idle);
    CHECK(commented->dpdk.congestion == defaults.dpdk.congestion);
}

TEST_CASE("shipped config: an example stands only where the default can't be written down") {
    std::string numbers;
    for (const auto& [name, standing] : read_shipped_file().keys) {
        const ConfigKey* key = find_config_key(name);
        if (standing == Standing::example && key != nullptr && key->get != nullptr) {
            numbers += name + " ";
        }
    }
    CHECK(numbers == "");
}
