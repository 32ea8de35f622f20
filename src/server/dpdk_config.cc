#include "server/dpdk_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "server/backends.h"

namespace millrace {
namespace {

constexpr size_t text_bytes_max = 1'000;
constexpr size_t prefix_count_max = 64;
constexpr uint32_t ipv6_mtu_min = 1'280;  // RFC 8200, 5

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= text_bytes_max &&
           std::all_of(text.begin(), text.end(), [](char character) {
               return character >= ' ' && character != 0x7f;
           });
}

bool put_prefix(std::vector<std::string>& list, std::string_view text) {
    list.emplace_back(text);
    return list.size() <= prefix_count_max && IpPrefix::parse(text).has_value();
}

// A text is valid when it can be put again; empty stands for a text that wasn't given.
std::optional<ConfigFault> texts_fault(const DpdkOptions& dpdk) {
    Config scratch;
    const auto refused = [&](const char* name, const std::string& value) {
        return !value.empty() && !find_config_key(name)->put(scratch, value);
    };
    const std::pair<const char*, const std::string*> texts[] = {
        {"dpdk.device", &dpdk.device},   {"dpdk.mac", &dpdk.mac},
        {"dpdk.gateway", &dpdk.gateway}, {"dpdk.gateway_ipv6", &dpdk.gateway_ipv6},
        {"dpdk.vlan", &dpdk.vlan},       {"dpdk.capture_path", &dpdk.capture_path},
    };
    for (const auto& [name, text] : texts) {
        if (refused(name, *text)) return fault_of(name, quoted(*text));
    }
    if (dpdk.vlan.empty()) return fault_of("dpdk.vlan", quoted(dpdk.vlan));
    const std::pair<const char*, const std::vector<std::string>*> lists[] = {
        {"dpdk.eal_arguments", &dpdk.eal_arguments},
        {"dpdk.addresses", &dpdk.addresses},
        {"dpdk.source_ranges", &dpdk.source_ranges},
    };
    for (const auto& [name, list] : lists) {
        for (const std::string& text : *list) {
            if (text.empty() || refused(name, text)) return fault_of(name, quoted(text));
        }
    }
    return std::nullopt;
}

bool is_on_link(const std::vector<IpPrefix>& addresses, const IpAddress& address) {
    return std::any_of(addresses.begin(), addresses.end(),
                       [&](const IpPrefix& prefix) { return prefix.contains(address); });
}

std::optional<ConfigFault> ranges_fault(const DpdkOptions& dpdk,
                                        const std::vector<IpPrefix>& addresses) {
    for (const std::string& text : dpdk.source_ranges) {
        const IpPrefix range = *IpPrefix::parse(text);
        const bool inside =
            std::any_of(addresses.begin(), addresses.end(),
                        [&](const IpPrefix& prefix) { return prefix.contains(range); });
        if (inside) continue;
        return ConfigFault{"dpdk.source_ranges", quoted(text),
                           "a range within the prefix of one of dpdk.addresses"};
    }
    return std::nullopt;
}

std::optional<ConfigFault> gateway_fault(const DpdkOptions& dpdk,
                                         const std::vector<IpPrefix>& addresses) {
    const std::pair<const char*, const std::string*> gateways[] = {
        {"dpdk.gateway", &dpdk.gateway}, {"dpdk.gateway_ipv6", &dpdk.gateway_ipv6}};
    for (const auto& [name, text] : gateways) {
        if (text->empty()) continue;
        const IpAddress address = *IpAddress::parse(*text);
        // A router's link-local address is on every link (RFC 4861, 4.2).
        if (is_on_link(addresses, address) || address.is_link_local()) continue;
        return ConfigFault{name, quoted(*text),
                           "an address within the prefix of one of dpdk.addresses"};
    }
    return std::nullopt;
}

std::optional<ConfigFault> listen_fault(const Config& config,
                                        const std::vector<IpPrefix>& addresses) {
    for (const ListenAddress& listen : config.listen) {
        const std::optional<IpAddress> address = IpAddress::parse(listen.host);
        if (address && address->is_unspecified()) continue;
        const bool is_own = std::any_of(
            addresses.begin(), addresses.end(),
            [&](const IpPrefix& prefix) { return address && prefix.address == *address; });
        if (is_own) continue;
        return ConfigFault{"listen", quoted(to_text(listen)),
                           fmt::format("with net = \"dpdk\" \"0.0.0.0:{0}\", \"[::]:{0}\" or an "
                                       "address of dpdk.addresses",
                                       listen.port)};
    }
    return std::nullopt;
}

constexpr std::string_view idle_names[] = {"spin", "pause", "sleep"};
constexpr std::string_view congestion_names[] = {"cubic", "reno"};

bool put_enumerated(std::string_view text, std::span<const std::string_view> names, size_t& index) {
    const auto found = std::find(names.begin(), names.end(), text);
    index = static_cast<size_t>(found - names.begin());
    return found != names.end();
}

std::string name_of(std::span<const std::string_view> names, size_t index) {
    return index < names.size() ? std::string(names[index]) : std::to_string(index);
}

}  // namespace

bool put_dpdk_device(Config& config, std::string_view text) {
    config.dpdk.device = text;
    return is_plain(text) && text.find(' ') == std::string_view::npos && text.front() != '-';
}

bool put_dpdk_eal_argument(Config& config, std::string_view text) {
    config.dpdk.eal_arguments.emplace_back(text);
    return is_plain(text);
}

bool put_dpdk_mac(Config& config, std::string_view text) {
    config.dpdk.mac = text;
    const std::optional<MacAddress> mac = MacAddress::parse(text);
    return mac && !mac->is_multicast() && !mac->is_zero();
}

bool put_dpdk_address(Config& config, std::string_view text) {
    if (!put_prefix(config.dpdk.addresses, text)) return false;
    const IpAddress address = IpPrefix::parse(text)->address;
    return !address.is_unspecified() && !address.is_multicast();
}

bool put_dpdk_source_range(Config& config, std::string_view text) {
    return put_prefix(config.dpdk.source_ranges, text);
}

bool put_dpdk_gateway(Config& config, std::string_view text) {
    config.dpdk.gateway = text;
    const std::optional<IpAddress> address = IpAddress::parse(text);
    return address && address->is_ipv4() && !address->is_unspecified();
}

bool put_dpdk_gateway_ipv6(Config& config, std::string_view text) {
    config.dpdk.gateway_ipv6 = text;
    const std::optional<IpAddress> address = IpAddress::parse(text);
    return address && !address->is_ipv4() && !address->is_unspecified();
}

bool put_dpdk_vlan(Config& config, std::string_view text) {
    config.dpdk.vlan = text;
    return parse_vlan(text).has_value();
}

bool put_dpdk_idle(Config& config, std::string_view text) {
    size_t index = 0;
    if (!put_enumerated(text, idle_names, index)) return false;
    config.dpdk.idle = static_cast<DpdkIdle>(index);
    return true;
}

bool put_dpdk_congestion(Config& config, std::string_view text) {
    size_t index = 0;
    if (!put_enumerated(text, congestion_names, index)) return false;
    config.dpdk.congestion = static_cast<DpdkCongestion>(index);
    return true;
}

bool put_dpdk_capture_path(Config& config, std::string_view text) {
    config.dpdk.capture_path = text;
    return is_plain(text);
}

std::vector<std::string> dpdk_idle_texts(const Config& config) {
    return {name_of(idle_names, static_cast<size_t>(config.dpdk.idle))};
}

std::vector<std::string> dpdk_congestion_texts(const Config& config) {
    return {name_of(congestion_names, static_cast<size_t>(config.dpdk.congestion))};
}

std::optional<VlanSetting> parse_vlan(std::string_view text) {
    if (text == "untagged") return VlanSetting{VlanSetting::Mode::untagged};
    if (text == "pass_through") return VlanSetting{VlanSetting::Mode::pass_through};
    // 0 is a priority tag and 4095 reserved (IEEE 802.1Q, 9.6).
    const std::optional<uint64_t> id = parse_number(text);
    if (!id || *id == 0 || *id > 4'094) return std::nullopt;
    return VlanSetting{VlanSetting::Mode::tagged, static_cast<uint16_t>(*id)};
}

std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts) {
    std::vector<IpPrefix> prefixes;
    for (const std::string& text : texts) {
        if (const std::optional<IpPrefix> prefix = IpPrefix::parse(text)) {
            prefixes.push_back(*prefix);
        }
    }
    return prefixes;
}

PortOptions port_options(const DpdkOptions& dpdk, uint32_t shard_count) {
    return {
        .device = dpdk.device,
        .eal_arguments = dpdk.eal_arguments,
        .mac = MacAddress::parse(dpdk.mac),
        .mtu = dpdk.mtu,
        .shard_count = shard_count,
        .queue_count = dpdk.queues,
        .receive_descriptors = dpdk.receive_descriptors,
        .transmit_descriptors = dpdk.transmit_descriptors,
        .buffer_count = dpdk.buffers,
        .memory_bytes = dpdk.memory_bytes,
        .huge_pages = dpdk.huge_pages,
        .capture_path = dpdk.capture_path,
        .capture_bytes_max = dpdk.capture_bytes_max,
        .copy_bytes_max = dpdk.copy_bytes_max,
    };
}

std::optional<ConfigFault> find_dpdk_interface_fault(const DpdkOptions& dpdk) {
    if (!has_dpdk()) {
        return ConfigFault{"net", "\"dpdk\"",
                           "\"uring\": this one was built without DPDK: install libdpdk-dev and "
                           "build again"};
    }
    if (dpdk.device.empty()) {
        return ConfigFault{"dpdk.device", "\"\"",
                           "with net = \"dpdk\" " + accepted_values(*find_config_key("dpdk.device"))};
    }
    if (dpdk.addresses.empty()) {
        return ConfigFault{"dpdk.addresses", "[]",
                           "with net = \"dpdk\" at least one address with its prefix, such as "
                           "[\"10.0.0.1/24\"]"};
    }
    if (auto fault = texts_fault(dpdk)) return fault;
    const std::vector<IpPrefix> addresses = parse_prefixes(dpdk.addresses);
    const bool has_ipv6 = std::any_of(addresses.begin(), addresses.end(), [](const IpPrefix& own) {
        return !own.address.is_ipv4();
    });
    if (has_ipv6 && dpdk.mtu < ipv6_mtu_min) {
        return ConfigFault{"dpdk.mtu", std::to_string(dpdk.mtu),
                           fmt::format("{} to 9000 with an IPv6 address", ipv6_mtu_min)};
    }
    if (dpdk.half_open_cookies_from > dpdk.half_open_count_max) {
        return ConfigFault{
            "dpdk.half_open_cookies_from", std::to_string(dpdk.half_open_cookies_from),
            fmt::format("at most dpdk.half_open_count_max, {}", dpdk.half_open_count_max)};
    }
    if (auto fault = ranges_fault(dpdk, addresses)) return fault;
    return gateway_fault(dpdk, addresses);
}

std::optional<ConfigFault> find_dpdk_fault(const Config& config) {
    if (auto fault = texts_fault(config.dpdk)) return fault;
    if (config.net != "dpdk") return std::nullopt;
    if (auto fault = find_dpdk_interface_fault(config.dpdk)) return fault;
    return listen_fault(config, parse_prefixes(config.dpdk.addresses));
}

}  // namespace millrace
