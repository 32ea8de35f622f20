// Config::validate(): every key by its range, then what keys demand of each other.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "millrace/config.h"
#include "server/admin_config.h"
#include "server/config_keys.h"
#include "server/dpdk_config.h"

namespace millrace {
namespace {

constexpr size_t listen_count_max = 64;
constexpr size_t cpu_count_max = 64;
constexpr uint32_t cpu_max = 1'023;  // a cpu_set_t ends there

std::optional<ConfigFault> number_fault(const Config& config) {
    for (const ConfigKey& key : config_keys()) {
        if (key.get == nullptr) continue;
        const uint64_t value = key.get(config);
        if (accepts(key, value)) continue;
        // Durations are signed, and a program may have set a negative one.
        const auto shown = static_cast<int64_t>(value);
        return fault_of(key.name, shown < 0 ? std::to_string(shown) : std::to_string(value));
    }
    return std::nullopt;
}

std::optional<ConfigFault> addresses_fault(std::string_view key,
                                           const std::vector<ListenAddress>& addresses) {
    std::set<std::string> seen;
    for (const ListenAddress& address : addresses) {
        const std::string text = to_text(address);
        if (!is_ip_address(address.host)) return fault_of(key, quoted(text));
        if (address.port != 0 && !seen.insert(text).second) {
            return ConfigFault{std::string(key), quoted(text), "each address once"};
        }
    }
    return std::nullopt;
}

std::optional<ConfigFault> listen_fault(const Config& config) {
    if (config.listen.empty() || config.listen.size() > listen_count_max) {
        return ConfigFault{"listen", fmt::format("({} addresses)", config.listen.size()),
                           fmt::format("1 to {} addresses", listen_count_max)};
    }
    return addresses_fault("listen", config.listen);
}

// A key whose texts can be put again one by one is valid when all of them are accepted.
std::optional<ConfigFault> text_fault(const Config& config) {
    Config scratch;
    if (!find_config_key("net")->put(scratch, config.net)) {
        return fault_of("net", quoted(config.net));
    }
    if (!find_config_key("drain.server_reference")->put(scratch, config.drain.server_reference)) {
        return fault_of("drain.server_reference", quoted(config.drain.server_reference));
    }
    for (const std::string& filter : config.mqtt.denied_filters) {
        if (!find_config_key("mqtt.denied_filters")->put(scratch, filter)) {
            return fault_of("mqtt.denied_filters", quoted(filter));
        }
    }
    return std::nullopt;
}

std::optional<ConfigFault> shards_fault(const ShardOptions& shards) {
    const std::set<uint32_t> different(shards.cpus.begin(), shards.cpus.end());
    if (different.size() != shards.cpus.size() || shards.cpus.size() > cpu_count_max) {
        std::string list;
        for (const uint32_t cpu : shards.cpus) {
            if (!list.empty()) list += ',';
            list += std::to_string(cpu);
        }
        return fault_of("shards.cpus", quoted(list));
    }
    if (!different.empty() && *different.rbegin() > cpu_max) {
        return ConfigFault{"shards.cpus", std::to_string(*different.rbegin()),
                           fmt::format("cores from 0 to {}", cpu_max)};
    }
    if (!shards.cpus.empty() && shards.count > shards.cpus.size()) {
        return ConfigFault{"shards.count", std::to_string(shards.count),
                           fmt::format("0 to {}, the cores in shards.cpus", shards.cpus.size())};
    }
    if (shards.huge_pages != HugePagesMode::off &&
        shards.huge_pages != HugePagesMode::when_available) {
        return fault_of("shards.huge_pages",
                        std::to_string(static_cast<uint32_t>(shards.huge_pages)));
    }
    return std::nullopt;
}

std::optional<ConfigFault> log_fault(const LogOptions& log) {
    if (log.level > LogLevel::error) {
        return fault_of("log.level", std::to_string(static_cast<uint32_t>(log.level)));
    }
    if (log.format > LogFormat::json) {
        return fault_of("log.format", std::to_string(static_cast<uint32_t>(log.format)));
    }
    return std::nullopt;
}

std::optional<ConfigFault> between_keys_fault(const Config& config) {
    const UringOptions& uring = config.uring;
    // A connection takes a slot in a table of direct descriptors, which ends at 2^20; some are left
    // for listeners.
    constexpr uint32_t uring_connections_max = 1'048'000;
    if (config.net == "uring" && config.shards.connections_max > uring_connections_max) {
        return ConfigFault{"shards.connections_max", std::to_string(config.shards.connections_max),
                           fmt::format("1 to {} with net = \"uring\"", uring_connections_max)};
    }
    if (uring.completion_entries < uring.submission_entries) {
        return ConfigFault{
            "uring.completion_entries", std::to_string(uring.completion_entries),
            fmt::format("at least uring.submission_entries, {}", uring.submission_entries)};
    }
    const uint64_t receive_bytes =
        uint64_t{uring.receive_buffer_bytes} * uring.receive_buffer_count;
    const uint64_t memory_bytes = config.shards.memory_bytes_max;
    if (memory_bytes != 0 && receive_bytes > memory_bytes / 2) {
        return ConfigFault{"uring.receive_buffer_count", std::to_string(uring.receive_buffer_count),
                           fmt::format("receive buffers ({} bytes of them now) in at most half of "
                                       "shards.memory_bytes_max, {}",
                                       receive_bytes, memory_bytes)};
    }
    return std::nullopt;
}

}  // namespace

ConfigFault fault_of(std::string_view name, std::string value) {
    return {std::string(name), std::move(value), accepted_values(*find_config_key(name))};
}

std::optional<ConfigFault> find_config_fault(const Config& config) {
    if (auto fault = listen_fault(config)) return fault;
    if (auto fault = text_fault(config)) return fault;
    if (auto fault = number_fault(config)) return fault;
    if (auto fault = shards_fault(config.shards)) return fault;
    if (auto fault = addresses_fault("admin.listen", config.admin.listen)) return fault;
    if (auto fault = find_admin_fault(config)) return fault;
    if (auto fault = log_fault(config.log)) return fault;
    if (auto fault = find_dpdk_fault(config)) return fault;
    return between_keys_fault(config);
}

std::optional<Error> Config::validate() const {
    const std::optional<ConfigFault> fault = find_config_fault(*this);
    if (!fault) return std::nullopt;
    return Error{Errc::invalid_argument, fault->text()};
}

}  // namespace millrace
