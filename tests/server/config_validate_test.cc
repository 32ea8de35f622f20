#include <doctest/doctest.h>

#include <set>

#include "config_faults.h"
#include "server/config_keys.h"

using namespace millrace;
using millrace::test::refusal;

TEST_CASE("config: the defaults are valid") {
    CHECK(refusal({}) == "");
}

TEST_CASE("config: every number is refused just outside of its range and accepted at its ends") {
    for (const ConfigKey& key : config_keys()) {
        if (key.kind != KeyKind::integer) continue;
        CAPTURE(key.name);
        CHECK(accepts(key, key.smallest));
        CHECK(accepts(key, key.largest));
        CHECK_FALSE(accepts(key, key.largest + 1));
        if (key.smallest > 1) CHECK_FALSE(accepts(key, key.smallest - 1));
        if (key.smallest > 0) CHECK(accepts(key, 0) == key.zero_too);
    }
}

TEST_CASE("config: every number's default and both ends survive being set and read") {
    for (const ConfigKey& key : config_keys()) {
        if (key.get == nullptr) continue;
        CAPTURE(key.name);
        Config config;
        CHECK(accepts(key, key.get(config)));
        key.set(config, key.largest);
        CHECK(key.get(config) == key.largest);
        key.set(config, key.smallest);
        CHECK(key.get(config) == key.smallest);
    }
}

TEST_CASE("config: no key stands twice") {
    std::set<std::string_view> names;
    for (const ConfigKey& key : config_keys()) CHECK(names.insert(key.name).second);
    CHECK(names.size() == 83);
}

TEST_CASE("config: a fault names the key, its value and what is accepted") {
    Config config;
    config.mqtt.maximum_qos = 3;
    CHECK(refusal(config) == "mqtt.maximum_qos = 3: accepted is 0 to 2");
}

TEST_CASE("config: a ring that isn't a power of two is refused") {
    Config config;
    config.uring.submission_entries = 1'000;
    CHECK(refusal(config) ==
          "uring.submission_entries = 1000: accepted is a power of two from 64 to 32768");
}

TEST_CASE("config: a negative duration is refused") {
    Config config;
    config.timeouts.connect = std::chrono::milliseconds(-1);
    CHECK(refusal(config) == "timeouts.connect_ms = -1: accepted is 1 to 3600000");
}

TEST_CASE("config: zero is accepted beside a range that starts higher, and nothing between") {
    Config config;
    config.shards.memory_bytes_max = 0;
    config.timeouts.sys_interval = std::chrono::milliseconds(0);
    CHECK(refusal(config) == "");
    config.timeouts.sys_interval = std::chrono::milliseconds(1);
    CHECK(refusal(config) == "timeouts.sys_interval_ms = 1: accepted is 0, or 10 to 86400000");
}

TEST_CASE("config: the completion queue is at least as long as the submission queue") {
    Config config;
    config.uring.submission_entries = 8'192;
    config.uring.completion_entries = 4'096;
    CHECK(refusal(config) ==
          "uring.completion_entries = 4096: accepted is at least uring.submission_entries, 8192");
}

TEST_CASE("config: receive buffers take at most half of a shard's memory") {
    Config config;
    config.shards.memory_bytes_max = 16'777'216;
    config.uring.receive_buffer_count = 1'024;
    CHECK(refusal(config).starts_with("uring.receive_buffer_count = 1024: accepted is "));
}

TEST_CASE("config: denied filters must be valid filters") {
    for (const char* filter : {"", "a/#/b", "a+", "$share/group/a", "\xff", "a\nb#"}) {
        CAPTURE(filter);
        Config config;
        config.mqtt.denied_filters = {"good/#", filter};
        CHECK(refusal(config).starts_with("mqtt.denied_filters = \""));
        CHECK(refusal(config).find('\n') == std::string::npos);
    }
    Config config;
    config.mqtt.denied_filters = {"a/#", "+/b", "$SYS/#"};
    CHECK(refusal(config) == "");
}

TEST_CASE("config: a server reference is a text that MQTT can carry, and not too long") {
    const auto refusal_of = [](std::string reference) {
        Config config;
        config.drain.server_reference = std::move(reference);
        return refusal(config);
    };
    for (const char* fine : {"", "broker-2.example.net:1883 [::1]:1884", "\xc3\xa9.example.net"}) {
        CAPTURE(fine);
        CHECK(refusal_of(fine) == "");
    }
    CHECK(refusal_of(std::string(1'024, 'x')) == "");
    for (const std::string& bad : {std::string(1'025, 'x'), std::string("\xff"), std::string("a\nb"),
                                   std::string("a\0b", 3), std::string("\xed\xa0\x80")}) {
        CAPTURE(bad);
        CHECK(refusal_of(bad).starts_with("drain.server_reference = \""));
        CHECK(refusal_of(bad).find('\n') == std::string::npos);
    }
}

TEST_CASE("config: a rate of a drain is in connections a second, and zero is all at once") {
    Config config;
    config.drain.rate = 10'000'000;
    CHECK(refusal(config) == "");
    config.drain.rate = 10'000'001;
    CHECK(refusal(config) == "drain.rate = 10000001: accepted is 0 to 10000000");
}

TEST_CASE("config: the same core twice is refused") {
    Config config;
    config.shards.cpus = {1, 2, 1};
    CHECK(refusal(config).starts_with("shards.cpus = \"1,2,1\": accepted is "));
}

TEST_CASE("config: more shards than named cores are refused") {
    Config config;
    config.shards.cpus = {0, 1};
    config.shards.count = 3;
    CHECK(refusal(config) == "shards.count = 3: accepted is 0 to 2, the cores in shards.cpus");
}

TEST_CASE("config: listening needs addresses, valid ones, each once") {
    Config config;
    config.listen.clear();
    CHECK(refusal(config) == "listen = (0 addresses): accepted is 1 to 64 addresses");
    config.listen = {{"localhost", 1883}};
    CHECK(
        refusal(config).starts_with("listen = \"localhost:1883\": accepted is \"ADDRESS:PORT\""));
    config.listen = {{"::1", 1883}, {"::1", 1883}};
    CHECK(refusal(config) == "listen = \"[::1]:1883\": accepted is each address once");
    config.listen = {{"127.0.0.1", 0}, {"127.0.0.1", 0}};
    CHECK(refusal(config) == "");
}

TEST_CASE("config: an unknown backend is refused") {
    Config config;
    config.net = "carrier-pigeon";
    CHECK(refusal(config) == "net = \"carrier-pigeon\": accepted is \"uring\" or \"dpdk\"");
}

TEST_CASE("config: a long or binary value is shown in one short line") {
    CHECK(quoted("a\nb") == "\"a\\x0ab\"");
    CHECK(quoted(std::string(1'000, 'x')).size() < 100);
}

TEST_CASE("config: a log level or format that isn't one is refused") {
    Config config;
    config.log.level = static_cast<LogLevel>(4);
    CHECK(refusal(config) ==
          "log.level = 4: accepted is \"debug\", \"info\", \"warning\" or \"error\"");
    config.log.level = LogLevel::error;
    config.log.format = static_cast<LogFormat>(2);
    CHECK(refusal(config) == "log.format = 2: accepted is \"text\" or \"json\"");
}
