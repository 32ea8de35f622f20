#include "server/cli.h"

#include "server/backends.h"

#include <doctest/doctest.h>

using namespace millrace;

namespace {

Outcome<CommandLine> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "millrace");
    return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

std::string fault_of(const std::vector<const char*>& arguments) {
    const Outcome<CommandLine> line = parse(arguments);
    return line ? "" : line.error().message;
}

Config config_of(const std::vector<const char*>& arguments) {
    const Outcome<CommandLine> line = parse(arguments);
    REQUIRE(line);
    const auto& serve = std::get<ServeCommand>(line->command);
    const Outcome<Config> config = make_config(serve.config_path, serve.overrides);
    REQUIRE(config);
    return *config;
}

}  // namespace

TEST_CASE("cli: serve alone gives the default configuration") {
    CHECK(config_of({"serve"}).listen[0].port == 1883);
}

TEST_CASE("cli: listen may be repeated, and takes one address each") {
    const Config config = config_of({"serve", "--listen", "127.0.0.1:0", "--listen", "[::1]:5"});
    REQUIRE(config.listen.size() == 2);
    CHECK(config.listen[1].host == "::1");
    CHECK(fault_of({"serve", "--listen", "127.0.0.1:0", "[::1]:5"}) != "");
}

TEST_CASE("cli: keys have flags of their own or are set by name") {
    const Config config =
        config_of({"serve", "--connections-max", "7", "--always-spin", "--set",
                   "mqtt.denied_filters=a=b/#", "--set", "timeouts.drain_ms=1", "--shards=3"});
    CHECK(config.shards.connections_max == 7);
    CHECK(config.shards.always_spin);
    CHECK(config.mqtt.denied_filters == std::vector<std::string>{"a=b/#"});
    CHECK(config.timeouts.drain == std::chrono::milliseconds(1));
    CHECK(config.shards.count == 3);
}

TEST_CASE("cli: cpus and shards exclude each other") {
    CHECK(config_of({"serve", "--cpus", "0-1"}).shards.cpus.size() == 2);
    CHECK(fault_of({"serve", "--cpus", "0-1", "--shards", "2"}).find("--shards") !=
          std::string::npos);
}

TEST_CASE("cli: flags of the dpdk back end set its keys, lists by being repeated") {
    const Outcome<CommandLine> line =
        parse({"serve", "--net", "dpdk", "--dpdk-device", "net_null0", "--dpdk-address",
               "10.0.0.1/24", "--dpdk-address", "fd00::1/64", "--dpdk-eal=--log-level=*:info",
               "--pcap", "a.pcap", "--no-huge-pages", "--listen", "0.0.0.0:1883"});
    REQUIRE(line);
    const auto& serve = std::get<ServeCommand>(line->command);
    const Outcome<Config> config = make_config(serve.config_path, serve.overrides);
    if (!has_dpdk()) {
        REQUIRE_FALSE(config);
        CHECK(config.error().message.find("built without DPDK") != std::string::npos);
        return;
    }
    if (!config) FAIL(config.error().message);
    CHECK(config->dpdk.addresses == std::vector<std::string>{"10.0.0.1/24", "fd00::1/64"});
    CHECK(config->dpdk.eal_arguments == std::vector<std::string>{"--log-level=*:info"});
    CHECK(config->dpdk.capture_path == "a.pcap");
    CHECK_FALSE(config->dpdk.huge_pages);
    CHECK(config->shards.huge_pages == HugePagesMode::off);
}

TEST_CASE("cli: load takes the flags of the dpdk back end") {
    const Outcome<CommandLine> line = parse(
        {"load", "connect", "--net", "dpdk", "--dpdk-device", "net_null0", "--dpdk-address",
         "10.0.0.2/16", "--dpdk-source-range", "10.0.1.0/24", "--dpdk-source-range",
         "10.0.2.0/24"});
    if (!has_dpdk()) {
        REQUIRE_FALSE(line);
        return;
    }
    if (!line) FAIL(line.error().message);
    const auto& load = std::get<LoadRequest>(line->command);
    CHECK(load.dpdk.source_ranges.size() == 2);
    CHECK(load.dpdk.addresses.size() == 1);
}

TEST_CASE("cli: check and print-budget are told apart") {
    const Outcome<CommandLine> line =
        parse({"serve", "--config", "a.toml", "--check", "--print-budget"});
    REQUIRE(line);
    const auto& serve = std::get<ServeCommand>(line->command);
    CHECK(serve.check);
    CHECK(serve.print_budget);
    CHECK(serve.config_path == "a.toml");
}

TEST_CASE("cli: version and help are printed, not run") {
    const Outcome<CommandLine> version = parse({"--version"});
    REQUIRE(version);
    const std::string& text = std::get<PrintCommand>(version->command).text;
    CHECK(text.starts_with("millrace 0."));
    CHECK(text.ends_with(" (" + backends_text() + ")\n"));
    for (const auto& arguments : std::vector<std::vector<const char*>>{
             {"--help"}, {"serve", "--help"}, {"load", "fanout", "--help"}}) {
        const Outcome<CommandLine> help = parse(arguments);
        REQUIRE(help);
        CHECK(std::get<PrintCommand>(help->command).text.size() > 100);
    }
}

TEST_CASE("cli: what is unknown or missing is told in one line") {
    for (const auto& arguments :
         std::vector<std::vector<const char*>>{{},
                                               {"serv"},
                                               {"serve", "--port", "5"},
                                               {"serve", "extra"},
                                               {"load"},
                                               {"load", "typhoon"},
                                               {"serve", "--config"},
                                               {"serve", "--set", "listen"},
                                               {"load", "connect", "--qos", "1"},
                                               {"load", "--json", "pair"},
                                               {"serve", "load"},
                                               {"load", "pair", "fanin"},
                                               {"load", "pair", "--json=5"},
                                               {"load", "fanout", "--qos", "1", "--qos", "2"}}) {
        const std::string fault = fault_of(arguments);
        CHECK(fault != "");
        CHECK(fault.find('\n') == std::string::npos);
    }
}

TEST_CASE("cli: load options come from the flags of their mode") {
    const Outcome<CommandLine> line =
        parse({"load", "fanout", "--subscribers", "10000", "--payload", "4096", "--messages", "20",
               "--server-pid", "42", "--json", "--keep-session"});
    REQUIRE(line);
    const auto& load = std::get<LoadRequest>(line->command);
    CHECK(load.mode == LoadMode::fanout);
    CHECK(load.connection_count == 10'001);
    CHECK(load.payload_bytes == 4'096);
    CHECK(load.message_count == 20);
    CHECK(load.server_pid == 42u);
    CHECK(load.json);
    CHECK_FALSE(load.clean_start);
    CHECK(load.duration == Duration::s(0));
}

TEST_CASE("cli: a wrong load option is told with its value and what is accepted") {
    CHECK(fault_of({"load", "fanout", "--qos", "3"}) == "--qos \"3\": accepted is 0 to 2");
    CHECK(fault_of({"load", "fanout", "--qos="}) != "");
}
