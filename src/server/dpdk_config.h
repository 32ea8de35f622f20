// The [dpdk] part of the configuration: its texts, and what they say together.
// Owned by: values. Thread: any.
// Holds:    what find_dpdk_fault() accepts can be made into an Interface.
// Not here: ranges of numbers (config_keys.cc), devices: whether there is one shows when it's opened.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "millrace/config.h"
#include "port/port.h"
#include "server/config_keys.h"
#include "wire/address.h"
#include "wire/frame.h"

namespace millrace {

// As ConfigKey::put.
bool put_dpdk_device(Config& config, std::string_view text);
bool put_dpdk_eal_argument(Config& config, std::string_view text);
bool put_dpdk_mac(Config& config, std::string_view text);
bool put_dpdk_address(Config& config, std::string_view text);
bool put_dpdk_source_range(Config& config, std::string_view text);
bool put_dpdk_gateway(Config& config, std::string_view text);
bool put_dpdk_gateway_ipv6(Config& config, std::string_view text);
bool put_dpdk_vlan(Config& config, std::string_view text);
bool put_dpdk_idle(Config& config, std::string_view text);
bool put_dpdk_congestion(Config& config, std::string_view text);
bool put_dpdk_capture_path(Config& config, std::string_view text);
// As ConfigKey::texts.
std::vector<std::string> dpdk_idle_texts(const Config& config);
std::vector<std::string> dpdk_congestion_texts(const Config& config);

std::optional<VlanSetting> parse_vlan(std::string_view text);
std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts);  // valid ones

// What a port is opened with.
PortOptions port_options(const DpdkOptions& dpdk, uint32_t shard_count);

// What a text or several keys together are refused for: the texts always, the rest with
// net = "dpdk".
std::optional<ConfigFault> find_dpdk_fault(const Config& config);
// Without `listen`: as a client needs it.
std::optional<ConfigFault> find_dpdk_interface_fault(const DpdkOptions& dpdk);

}  // namespace millrace
