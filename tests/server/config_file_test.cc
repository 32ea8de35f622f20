#include "server/config_file.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "config_faults.h"

using namespace millrace;
using millrace::test::fault_in;

namespace {

// A file that goes with the test.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text) {
        const int file = ::mkstemp(path_);
        REQUIRE(file >= 0);
        REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        ::close(file);
    }
    ~TemporaryFile() { ::unlink(path_); }
    std::string path() const { return path_; }

private:
    char path_[32] = "/tmp/config_test_XXXXXX";
};

}  // namespace

TEST_CASE("config file: an empty file gives the defaults") {
    const Outcome<Config> config = parse_config("", "a.toml");
    REQUIRE(config);
    CHECK(config->listen.size() == 1);
    CHECK(config->queues.inflight_max == 1'024);
}

TEST_CASE("config file: a key of every kind is read") {
    const Outcome<Config> config = parse_config(R"(
listen = ["127.0.0.1:1884", "[::1]:0"]
net = "uring"
[mqtt]
retain_available = false
maximum_packet_bytes = 65_536
denied_filters = ["secret/#"]
[queues]
session_bytes_max = 5_000_000_000
[timeouts]
connect_ms = 250
[shards]
cpus = "0-2,5"
huge_pages = "off"
spin_max_us = 50
[uring]
submission_entries = 1024
)",
                                                "a.toml");
    REQUIRE(config);
    CHECK(config->listen.size() == 2);
    CHECK(config->listen[0].port == 1884);
    CHECK(config->listen[1].host == "::1");
    CHECK_FALSE(config->mqtt.retain_available);
    CHECK(config->mqtt.maximum_packet_bytes == 65'536);
    CHECK(config->mqtt.denied_filters == std::vector<std::string>{"secret/#"});
    CHECK(config->queues.session_bytes_max == 5'000'000'000);
    CHECK(config->timeouts.connect == std::chrono::milliseconds(250));
    CHECK(config->shards.cpus == std::vector<uint32_t>{0, 1, 2, 5});
    CHECK(config->shards.huge_pages == HugePagesMode::off);
    CHECK(config->shards.spin_max == std::chrono::microseconds(50));
    CHECK(config->uring.submission_entries == 1'024);
}

TEST_CASE("config file: a value out of range is told with its place") {
    CHECK(fault_in("[mqtt]\nmaximum_qos = 3\n") ==
          "a.toml:2:15: mqtt.maximum_qos = 3: accepted is 0 to 2");
    CHECK(fault_in("[mqtt]\nmaximum_qos = -1\n") ==
          "a.toml:2:15: mqtt.maximum_qos = -1: accepted is 0 to 2");
}

TEST_CASE("config file: a value of the wrong type is told") {
    CHECK(fault_in("[mqtt]\nmaximum_qos = \"2\"\n") ==
          "a.toml:2:15: mqtt.maximum_qos = \"2\": accepted is an integer, 0 to 2");
    CHECK(fault_in("[mqtt]\nretain_available = 1\n") ==
          "a.toml:2:20: mqtt.retain_available = 1: accepted is true or false");
    CHECK(
        fault_in("listen = 1883\n").starts_with("a.toml:1:10: listen = 1883: accepted is a list"));
    CHECK(fault_in("listen = [1883]\n").starts_with("a.toml:1:11: listen = 1883: accepted is "));
    CHECK(fault_in("mqtt = 5\n") == "a.toml:1:8: mqtt = 5: accepted is a table, [mqtt]");
    CHECK(fault_in("[net]\n").find(": net = ") != std::string::npos);
    CHECK(fault_in("[shards]\ncount = 1.5\n") ==
          "a.toml:2:9: shards.count = 1.5: accepted is an integer, 0 to 64");
}

TEST_CASE("config file: an unknown key or table is told with what is known there") {
    const std::string key = fault_in("[timeouts]\nconect_ms = 5\n");
    CHECK(key ==
          "a.toml:2:1: key \"timeouts.conect_ms\": there is no such key; known here: "
          "connect_ms, send_stall_ms, drain_ms, sys_interval_ms");
    const std::string table = fault_in("[mqttt]\nmaximum_qos = 1\n");
    CHECK(table.find("table \"mqttt\": there is no such table; known here: listen, net, [mqtt]") !=
          std::string::npos);
}

TEST_CASE("config file: a key or table twice is refused with its place") {
    CHECK(fault_in("[mqtt]\nmaximum_qos = 1\nmaximum_qos = 1\n").starts_with("a.toml:3:"));
    CHECK(fault_in("[mqtt]\n[shards]\n[mqtt]\n").starts_with("a.toml:3:"));
}

TEST_CASE("config file: broken syntax and broken UTF-8 are refused with their place") {
    CHECK(fault_in("[mqtt\n").starts_with("a.toml:1:"));
    CHECK(fault_in("listen = [\n").starts_with("a.toml:"));
    CHECK(fault_in("net = \"\xff\"\n").starts_with("a.toml:1:"));
    CHECK(fault_in("net = \"\xff\"\n").find('\n') == std::string::npos);
}

TEST_CASE("config file: a contradiction between keys is told at the key's place") {
    CHECK(fault_in("[uring]\nsubmission_entries = 8192\ncompletion_entries = 4096\n")
              .starts_with("a.toml:3:22: uring.completion_entries = 4096: "));
}

TEST_CASE("config file: a contradiction with a default is told with the file") {
    CHECK(fault_in("[uring]\nsubmission_entries = 32768\n")
              .starts_with("a.toml: uring.completion_entries = 16384: "));
}

TEST_CASE("config file: a file that isn't there is told") {
    const Outcome<Config> config = read_config_file("/no/such/file.toml");
    REQUIRE_FALSE(config);
    CHECK(config.error().message == "/no/such/file.toml: No such file or directory");
}

TEST_CASE("config file: a directory is told") {
    const Outcome<Config> config = read_config_file("/tmp");
    REQUIRE_FALSE(config);
    CHECK(config.error().message == "/tmp: Is a directory");
}

TEST_CASE("config file: a flag wins over the file") {
    const TemporaryFile file("listen = [\"127.0.0.1:1\"]\n[mqtt]\nmaximum_qos = 1\n");
    const std::vector<ConfigOverride> changes{{"--listen", "listen", {"[::1]:2", "127.0.0.1:3"}},
                                              {"--set", "mqtt.retain_available", {"false"}}};
    const Outcome<Config> config = make_config(file.path(), changes);
    REQUIRE(config);
    CHECK(config->listen.size() == 2);
    CHECK(config->listen[1].port == 3);
    CHECK(config->mqtt.maximum_qos == 1);
    CHECK_FALSE(config->mqtt.retain_available);
}

TEST_CASE("config file: a wrong flag is told by its name") {
    const auto fault = [](const ConfigOverride& change) {
        const Outcome<Config> config = make_config(std::nullopt, std::vector{change});
        return config ? "" : config.error().message;
    };
    CHECK(fault({"--maximum-qos", "mqtt.maximum_qos", {"5"}}) ==
          "--maximum-qos: \"5\" is not accepted for mqtt.maximum_qos: accepted is 0 to 2");
    CHECK(fault({"--set", "mqtt.nothing", {"5"}}) == "--set: there is no key \"mqtt.nothing\"");
    CHECK(fault({"--cpus", "shards.cpus", {"0-"}}).starts_with("--cpus: \"0-\" is not accepted"));
    CHECK(fault({"--set", "shards.always_spin", {"yes"}}) ==
          "--set: \"yes\" is not accepted for shards.always_spin: accepted is true or false");
}

TEST_CASE("config file: the log's level and format are read, and other words refused") {
    CHECK(parse_config("", "a.toml")->log.level == LogLevel::info);
    CHECK(parse_config("", "a.toml")->log.format == LogFormat::text);
    constexpr std::pair<std::string_view, LogLevel> levels[] = {{"debug", LogLevel::debug},
                                                                {"info", LogLevel::info},
                                                                {"warning", LogLevel::warning},
                                                                {"error", LogLevel::error}};
    for (const auto& [word, level] : levels) {
        const auto config =
            parse_config("[log]\nformat = \"json\"\nlevel = \"" + std::string(word) + "\"\n", "a.toml");
        REQUIRE(config);
        CHECK(config->log.level == level);
        CHECK(config->log.format == LogFormat::json);
    }
    CHECK(fault_in("[log]\nlevel = \"warn\"\n") ==
          "a.toml:2:9: log.level = \"warn\": accepted is \"debug\", \"info\", \"warning\" or "
          "\"error\"");
    CHECK(fault_in("[log]\nformat = \"xml\"\n") ==
          "a.toml:2:10: log.format = \"xml\": accepted is \"text\" or \"json\"");
}

// A running server reads such files when it is told to (SIGHUP).
TEST_CASE("config file: one that breaks off or is malformed is an error, and ends nothing") {
    for (const std::string_view text :
         {"[", "[\n", "[\nrate = 1\n", "[[\n", "[[[", "[[[a]]]\n", "[a.[b]]\n", "a.=1", "a = [",
          "a = {b", "a = \"", "a = \"\\u", "a = 1979-05-27T\n", "a = 1979-05-27Tx7:32:00Z\n",
          "a = 07:\n", "a = 0x\n", "a = 1e\n", "\xff\xfe", "a = \"\xff\"\n", "= 1\n"}) {
        CAPTURE(text);
        const Outcome<Config> config = parse_config(text, "a.toml");
        REQUIRE_FALSE(config);
        CHECK(config.error().message.starts_with("a.toml:"));
    }
}
