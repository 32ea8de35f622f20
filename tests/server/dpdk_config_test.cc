#include "server/dpdk_config.h"

#include <doctest/doctest.h>

#include "config_faults.h"
#include "server/backends.h"
#include "server/config_file.h"
#include "server/load_command.h"

using namespace millrace;
using millrace::test::fault_in;
using millrace::test::refusal;

namespace {

Config good() {
    Config config;
    config.net = "dpdk";
    config.listen = {{"10.0.0.1", 1883}};
    config.dpdk.device = "net_af_packet0,iface=v0";
    config.dpdk.addresses = {"10.0.0.1/24"};
    return config;
}

bool starts(const std::string& text, std::string_view with) {
    INFO(text);
    return text.starts_with(with);
}

using Given = std::map<std::string, std::string>;
using Lists = std::map<std::string, std::vector<std::string>>;

const Lists load_address{{"--dpdk-address", {"10.0.0.2/16"}}};

std::string load_fault(const Given& given, const Lists& lists = {}) {
    const Outcome<LoadRequest> request = make_load_options(LoadMode::connect, given, lists);
    return request ? "" : request.error().message;
}

}  // namespace

TEST_CASE("dpdk config: a build without it says how to get it") {
    if (has_dpdk()) return;
    CHECK(starts(refusal(good()), "net = \"dpdk\": accepted is \"uring\": this one was built "
                                   "without DPDK: install libdpdk-dev and build again"));
    CHECK(backends_text() == "io_uring; no dpdk (libdpdk was not found at build time)");
}

TEST_CASE("dpdk config: a device and an address are enough") {
    if (!has_dpdk()) return;
    CHECK(refusal(good()) == "");
    CHECK(starts(backends_text(), "io_uring, dpdk "));
}

TEST_CASE("dpdk config: every key of the table is read") {
    const Outcome<Config> config = parse_config(R"(
[dpdk]
device = "0000:03:00.0"
eal_arguments = ["--log-level=*:info", "--socket-limit=1024"]
mac = "02:00:00:00:00:01"
addresses = ["10.0.0.1/24", "fd00::1/64"]
source_ranges = ["10.0.0.128/25"]
gateway = "10.0.0.254"
gateway_ipv6 = "fe80::1"
vlan = "7"
mtu = 9000
queues = 2
huge_pages = false
memory_bytes = 268_435_456
receive_descriptors = 1024
transmit_descriptors = 512
buffers = 8192
copy_bytes_max = 64
idle = "pause"
idle_spin_us = 10
idle_sleep_us = 20
congestion = "reno"
receive_window_bytes = 65_536
keepalive_idle_s = 60
time_wait_ms = 1000
time_wait_count_max = 1000
half_open_count_max = 100
half_open_cookies_from = 50
half_open_per_source_max = 10
neighbor_count_max = 100
capture_path = "/tmp/a.pcap"
capture_bytes_max = 1_000_000
)",
                                                "a.toml");
    REQUIRE(config);
    const DpdkOptions& dpdk = config->dpdk;
    CHECK(dpdk.device == "0000:03:00.0");
    CHECK(dpdk.eal_arguments.size() == 2);
    CHECK(dpdk.addresses == std::vector<std::string>{"10.0.0.1/24", "fd00::1/64"});
    CHECK(dpdk.mtu == 9'000);
    CHECK_FALSE(dpdk.huge_pages);
    CHECK(dpdk.idle == DpdkIdle::pause);
    CHECK(dpdk.idle_sleep == std::chrono::microseconds(20));
    CHECK(dpdk.congestion == DpdkCongestion::reno);
    CHECK(dpdk.keepalive_idle == std::chrono::seconds(60));
    CHECK(dpdk.half_open_per_source_max == 10);
    CHECK(dpdk.capture_path == "/tmp/a.pcap");
}

TEST_CASE("dpdk config: without a device or an address it says what to write") {
    if (!has_dpdk()) return;
    Config config = good();
    config.dpdk.device = "";
    CHECK(starts(refusal(config), "dpdk.device = \"\": accepted is with net = \"dpdk\" a PCI"));
    config = good();
    config.dpdk.addresses.clear();
    CHECK(starts(refusal(config), "dpdk.addresses = []: accepted is with net = \"dpdk\" at least"));
}

TEST_CASE("dpdk config: texts that can't be are refused, used or not") {
    CHECK(starts(fault_in("[dpdk]\nmac = \"01:00:5e:00:00:01\"\n"), "a.toml:2:7: dpdk.mac = "));
    CHECK(starts(fault_in("[dpdk]\naddresses = [\"10.0.0.1/33\"]\n"), "a.toml:2:14: dpdk.addr"));
    CHECK(starts(fault_in("[dpdk]\naddresses = [\"224.0.0.1/24\"]\n"), "a.toml:2:14: dpdk.addr"));
    CHECK(starts(fault_in("[dpdk]\ngateway = \"fd00::1\"\n"), "a.toml:2:11: dpdk.gateway = "));
    CHECK(starts(fault_in("[dpdk]\ngateway_ipv6 = \"10.0.0.1\"\n"), "a.toml:2:16: dpdk.gateway_"));
    CHECK(starts(fault_in("[dpdk]\nvlan = \"4095\"\n"), "a.toml:2:8: dpdk.vlan = \"4095\""));
    CHECK(starts(fault_in("[dpdk]\nidle = \"doze\"\n"), "a.toml:2:8: dpdk.idle = \"doze\""));
    CHECK(starts(fault_in("[dpdk]\ncongestion = \"bbr\"\n"), "a.toml:2:14: dpdk.congestion"));
    CHECK(starts(fault_in("[dpdk]\nmtu = 575\n"), "a.toml:2:7: dpdk.mtu = 575: accepted is 576"));
    CHECK(starts(fault_in("[dpdk]\ndevice = \"--vdev net_null0\"\n"), "a.toml:2:10: dpdk.device"));
    Config config;
    config.dpdk.vlan = "";
    CHECK(starts(refusal(config), "dpdk.vlan = \"\": accepted is "));
    config.dpdk.vlan = "0";
    CHECK(starts(refusal(config), "dpdk.vlan = \"0\": accepted is "));
}

TEST_CASE("dpdk config: a gateway has to be on the link, a router's link-local address is") {
    if (!has_dpdk()) return;
    Config config = good();
    config.dpdk.gateway = "10.0.1.1";
    CHECK(starts(refusal(config), "dpdk.gateway = \"10.0.1.1\": accepted is an address within"));
    config.dpdk.gateway = "10.0.0.254";
    config.dpdk.gateway_ipv6 = "fe80::1";
    CHECK(refusal(config) == "");
}

TEST_CASE("dpdk config: source ranges lie within an address's prefix") {
    if (!has_dpdk()) return;
    Config config = good();
    config.dpdk.source_ranges = {"10.0.0.128/25"};
    CHECK(refusal(config) == "");
    config.dpdk.source_ranges = {"10.0.1.0/25"};
    CHECK(starts(refusal(config), "dpdk.source_ranges = \"10.0.1.0/25\": accepted is a range"));
    config.dpdk.source_ranges = {"10.0.0.0/16"};
    CHECK(starts(refusal(config), "dpdk.source_ranges = \"10.0.0.0/16\": accepted is a range"));
}

TEST_CASE("dpdk config: it listens on its own addresses, or on all of them") {
    if (!has_dpdk()) return;
    Config config = good();
    for (const char* own : {"10.0.0.1", "0.0.0.0", "::"}) {
        config.listen = {{own, 1883}};
        CHECK(refusal(config) == "");
    }
    config.listen = {{"127.0.0.1", 1883}};
    CHECK(starts(refusal(config), "listen = \"127.0.0.1:1883\": accepted is with net = \"dpdk\""));
    config.listen = {{"10.0.0.2", 1883}};
    CHECK(starts(refusal(config), "listen = \"10.0.0.2:1883\": accepted is with net"));
}

TEST_CASE("dpdk config: IPv6 takes an MTU of at least 1280") {
    if (!has_dpdk()) return;
    Config config = good();
    config.dpdk.mtu = 1'279;
    CHECK(refusal(config) == "");
    config.dpdk.addresses.push_back("fd00::1/64");
    CHECK(starts(refusal(config), "dpdk.mtu = 1279: accepted is 1280 to 9000"));
    config.dpdk.mtu = 1'280;
    CHECK(refusal(config) == "");
}

TEST_CASE("dpdk config: cookies begin before half-open connections end") {
    if (!has_dpdk()) return;
    Config config = good();
    config.dpdk.half_open_count_max = 10;
    CHECK(starts(refusal(config), "dpdk.half_open_cookies_from = 2048: accepted is at most"));
}

TEST_CASE("dpdk config: only there may a shard have more connections than a descriptor table") {
    Config config;
    config.shards.connections_max = 10'000'000;
    CHECK(starts(refusal(config), "shards.connections_max = 10000000: accepted is 1 to 1048000"));
    if (!has_dpdk()) return;
    Config own_tcp = good();
    own_tcp.shards.connections_max = 10'000'000;
    CHECK(refusal(own_tcp) == "");
}

TEST_CASE("dpdk config: a tag is a number, or not there, or anybody's") {
    CHECK(parse_vlan("untagged")->mode == VlanSetting::Mode::untagged);
    CHECK(parse_vlan("pass_through")->mode == VlanSetting::Mode::pass_through);
    CHECK(parse_vlan("4094")->mode == VlanSetting::Mode::tagged);
    CHECK(parse_vlan("4094")->id == 4'094);
    CHECK_FALSE(parse_vlan("-1"));
    CHECK_FALSE(parse_vlan("tagged"));
}

TEST_CASE("load options: flags of the dpdk back end fill its settings") {
    if (!has_dpdk()) return;
    const Outcome<LoadRequest> request = make_load_options(
        LoadMode::connect,
        {{"--net", "dpdk"},
         {"--dpdk-device", "net_memif0,role=client"},
         {"--dpdk-mtu", "9000"},
         {"--no-huge-pages", "true"},
         {"--pcap", "a.pcap"},
         {"--connections", "10000000"}},
        {{"--dpdk-address", {"10.0.0.2/16", "fd00::2/64"}},
         {"--dpdk-source-range", {"10.0.1.0/24"}}});
    if (!request) FAIL(request.error().message);
    CHECK(request->net == "dpdk");
    CHECK(request->dpdk.device == "net_memif0,role=client");
    CHECK(request->dpdk.addresses.size() == 2);
    CHECK(request->dpdk.source_ranges == std::vector<std::string>{"10.0.1.0/24"});
    CHECK(request->dpdk.mtu == 9'000);
    CHECK_FALSE(request->dpdk.huge_pages);
    CHECK(request->dpdk.capture_path == "a.pcap");
    CHECK(request->connection_count == 10'000'000);
}

TEST_CASE("load options: what is missing or wrong for dpdk is told by its flag") {
    if (!has_dpdk()) return;
    const Given net{{"--net", "dpdk"}};
    CHECK(starts(load_fault(net, load_address), "--dpdk-device \"\": accepted is "));
    const Given device{{"--net", "dpdk"}, {"--dpdk-device", "net_null0"}};
    CHECK(starts(load_fault(device), "--dpdk-address []: accepted is "));
    Given gateway = device;
    gateway["--dpdk-gateway"] = "192.168.0.1";
    CHECK(starts(load_fault(gateway, load_address), "--dpdk-gateway \"192.168.0.1\": accepted"));
    Given mtu = device;
    mtu["--dpdk-mtu"] = "9001";
    CHECK(load_fault(mtu, load_address) == "--dpdk-mtu \"9001\": accepted is 576 to 9000");
}

TEST_CASE("load options: flags of the dpdk back end are refused without it") {
    CHECK(load_fault({{"--dpdk-device", "net_null0"}}) == "--dpdk-device: accepted with --net dpdk");
    CHECK(load_fault({}, load_address) == "--dpdk-address: accepted with --net dpdk");
    CHECK(load_fault({{"--no-huge-pages", "true"}}) == "--no-huge-pages: accepted with --net dpdk");
    CHECK(load_fault({{"--net", "smoke"}}) == "--net \"smoke\": accepted is uring or dpdk");
}
