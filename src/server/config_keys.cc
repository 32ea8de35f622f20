#include "server/config_keys.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <type_traits>

#include "base/assert.h"
#include "base/log_line.h"
#include "codec/mqtt/topic_name.h"
#include "runtime/placement.h"
#include "server/admin_config.h"
#include "server/backends.h"
#include "server/dpdk_config.h"

namespace millrace {
namespace {

constexpr uint64_t ki = 1'024;
constexpr uint64_t mi = 1'024 * ki;
constexpr uint64_t gi = 1'024 * mi;

template <class T>
constexpr bool is_span_of_time = false;
template <class Count, class Period>
constexpr bool is_span_of_time<std::chrono::duration<Count, Period>> = true;

// Reads and writes Config::Part::Field, whatever unsigned integer, bool or duration it is. A
// negative duration reads as a number past every range.
template <auto Part, auto Field>
struct Access {
    static uint64_t get(const Config& config) {
        const auto& value = (config.*Part).*Field;
        if constexpr (is_span_of_time<std::decay_t<decltype(value)>>) {
            return static_cast<uint64_t>(value.count());
        } else {
            return static_cast<uint64_t>(value);
        }
    }
    static void set(Config& config, uint64_t value) {
        auto& field = (config.*Part).*Field;
        using Value = std::decay_t<decltype(field)>;
        if constexpr (is_span_of_time<Value>) {
            field = Value(static_cast<typename Value::rep>(value));
        } else {
            field = static_cast<Value>(value);
        }
    }
};

template <auto Part, auto Field>
constexpr ConfigKey integer(std::string_view name, uint64_t smallest, uint64_t largest) {
    return {.name = name,
            .kind = KeyKind::integer,
            .smallest = smallest,
            .largest = largest,
            .get = Access<Part, Field>::get,
            .set = Access<Part, Field>::set};
}

template <auto Part, auto Field>
constexpr ConfigKey boolean(std::string_view name) {
    ConfigKey key = integer<Part, Field>(name, 0, 1);
    key.kind = KeyKind::boolean;
    return key;
}

constexpr ConfigKey or_zero(ConfigKey key) {
    key.zero_too = true;
    return key;
}

constexpr ConfigKey power_of_two(ConfigKey key) {
    key.power_of_two = true;
    return key;
}

bool put_listen(Config& config, std::string_view text) {
    std::optional<ListenAddress> address = parse_listen_address(text);
    if (!address) return false;
    config.listen.push_back(std::move(*address));
    return true;
}

bool put_net(Config& config, std::string_view text) {
    config.net = text;
    return is_back_end(text);
}

bool put_denied_filter(Config& config, std::string_view text) {
    if (!mqtt::is_valid_utf8(text) || mqtt::parse_shared(text)) return false;
    if (!mqtt::is_valid_filter(text)) return false;
    config.mqtt.denied_filters.emplace_back(text);
    return true;
}

// 5.0, 1.5.4.2 and 4.11: text without control characters. A DISCONNECT with it fits in any buffer.
bool put_server_reference(Config& config, std::string_view text) {
    config.drain.server_reference = text;
    const auto is_control = [](char letter) {
        const auto byte = static_cast<unsigned char>(letter);
        return byte < 0x20 || byte == 0x7f;
    };
    return text.size() <= DrainOptions::server_reference_bytes_max && mqtt::is_valid_utf8(text) &&
           std::none_of(text.begin(), text.end(), is_control);
}

bool put_cpus(Config& config, std::string_view text) {
    config.shards.cpus.clear();
    if (text.empty()) return true;
    Outcome<std::vector<uint32_t>> cpus = parse_cpu_list(text);
    if (!cpus) return false;
    config.shards.cpus = std::move(*cpus);
    return true;
}

bool put_huge_pages(Config& config, std::string_view text) {
    if (text == "off") config.shards.huge_pages = HugePagesMode::off;
    if (text == "when_available") config.shards.huge_pages = HugePagesMode::when_available;
    return text == "off" || text == "when_available";
}

bool put_log_level(Config& config, std::string_view text) {
    for (const LogLevel level :
         {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
        if (text != log_level_name(level)) continue;
        config.log.level = level;
        return true;
    }
    return false;
}

bool put_log_format(Config& config, std::string_view text) {
    if (text == "text") config.log.format = LogFormat::text;
    if (text == "json") config.log.format = LogFormat::json;
    return text == "text" || text == "json";
}

constexpr ConfigKey live(ConfigKey key) {
    key.live = true;
    return key;
}

using Texts = std::vector<std::string>;

constexpr ConfigKey text(std::string_view name, std::string_view accepted,
                         bool (*put)(Config&, std::string_view), Texts (*get)(const Config&)) {
    return {.name = name,
            .kind = KeyKind::text,
            .accepted_text = accepted,
            .put = put,
            .texts = get};
}

constexpr ConfigKey texts(std::string_view name, std::string_view accepted,
                          bool (*put)(Config&, std::string_view), void (*clear)(Config&),
                          Texts (*get)(const Config&)) {
    return {.name = name,
            .kind = KeyKind::texts,
            .accepted_text = accepted,
            .put = put,
            .clear = clear,
            .texts = get};
}

Texts listen_texts(const Config& config) {
    Texts texts;
    for (const ListenAddress& address : config.listen) texts.push_back(to_text(address));
    return texts;
}

Texts cpus_texts(const Config& config) {
    std::string list;
    for (const uint32_t cpu : config.shards.cpus) {
        list += fmt::format("{}{}", list.empty() ? "" : ",", cpu);
    }
    return {list};
}

Texts huge_pages_texts(const Config& config) {
    return {config.shards.huge_pages == HugePagesMode::off ? "off" : "when_available"};
}

// Of a text, or of a list of texts, in [dpdk].
template <auto Field>
Texts dpdk_texts(const Config& config) {
    const auto& value = config.dpdk.*Field;
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Texts>) {
        return value;
    } else {
        return {value};
    }
}


constexpr auto mqtt_part = &Config::mqtt;
constexpr auto queues_part = &Config::queues;
constexpr auto timeouts_part = &Config::timeouts;
constexpr auto drain_part = &Config::drain;
constexpr auto shards_part = &Config::shards;
constexpr auto uring_part = &Config::uring;
constexpr auto dpdk_part = &Config::dpdk;
constexpr auto admin_part = &Config::admin;
using M = MqttLimits;
using Q = QueueLimits;
using T = Timeouts;
using R = DrainOptions;
using S = ShardOptions;
using U = UringOptions;
using D = DpdkOptions;
using A = AdminOptions;

constexpr std::string_view listen_accepted =
    "\"ADDRESS:PORT\" or \"[IPV6-ADDRESS]:PORT\", with a port from 0 to 65535";
constexpr uint64_t day_ms = 24 * 3'600'000;

// Ring sizes end where the kernel's do: IORING_MAX_ENTRIES is 32,768, a completion queue may have
// twice that. A packet of MQTT ends at 268,435,460 bytes (5.0, 2.1.4).
constexpr std::array keys{
    texts("listen", listen_accepted, put_listen, [](Config& config) { config.listen.clear(); },
          listen_texts),
    text("net", "\"uring\" or \"dpdk\"", put_net,
         [](const Config& config) { return Texts{config.net}; }),

    live(integer<mqtt_part, &M::receive_maximum>("mqtt.receive_maximum", 1, 65'535)),
    live(integer<mqtt_part, &M::topic_alias_maximum>("mqtt.topic_alias_maximum", 0, 65'535)),
    live(integer<mqtt_part, &M::maximum_qos>("mqtt.maximum_qos", 0, 2)),
    live(boolean<mqtt_part, &M::retain_available>("mqtt.retain_available")),
    live(
        integer<mqtt_part, &M::maximum_packet_bytes>("mqtt.maximum_packet_bytes", 64, 268'435'460)),
    live(integer<mqtt_part, &M::keep_alive_max_s>("mqtt.keep_alive_max_s", 0, 65'535)),
    live(
        integer<mqtt_part, &M::session_expiry_max_s>("mqtt.session_expiry_max_s", 0, 0xffff'ffff)),
    live(boolean<mqtt_part, &M::wildcard_subscription_available>(
        "mqtt.wildcard_subscription_available")),
    live(boolean<mqtt_part, &M::shared_subscription_available>(
        "mqtt.shared_subscription_available")),
    live(boolean<mqtt_part, &M::subscription_identifiers_available>(
        "mqtt.subscription_identifiers_available")),
    live(texts("mqtt.denied_filters", "valid topic filters that aren't shared ones",
               put_denied_filter, [](Config& config) { config.mqtt.denied_filters.clear(); },
               [](const Config& config) { return config.mqtt.denied_filters; })),

    live(integer<queues_part, &Q::send_bytes_max>("queues.send_bytes_max", 4 * ki, gi)),
    live(integer<queues_part, &Q::inflight_max>("queues.inflight_max", 1, 65'535)),
    live(integer<queues_part, &Q::session_messages_max>("queues.session_messages_max", 0,
                                                        10'000'000)),
    live(integer<queues_part, &Q::session_bytes_max>("queues.session_bytes_max", 0, 64 * gi)),
    live(integer<queues_part, &Q::retained_messages_max>("queues.retained_messages_max", 0,
                                                         1'000'000'000)),
    live(integer<queues_part, &Q::retained_bytes_max>("queues.retained_bytes_max", 0, 1'024 * gi)),
    live(integer<queues_part, &Q::mailbox_bytes_max>("queues.mailbox_bytes_max", 64 * ki, 64 * gi)),
    live(integer<queues_part, &Q::subscriptions_per_session_max>(
        "queues.subscriptions_per_session_max", 1, 1'000'000)),

    live(integer<timeouts_part, &T::connect>("timeouts.connect_ms", 1, 3'600'000)),
    live(integer<timeouts_part, &T::send_stall>("timeouts.send_stall_ms", 1, day_ms)),
    live(integer<timeouts_part, &T::drain>("timeouts.drain_ms", 0, 600'000)),
    live(or_zero(integer<timeouts_part, &T::sys_interval>("timeouts.sys_interval_ms", 10, day_ms))),

    live(integer<drain_part, &R::rate>("drain.rate", 0, 10'000'000)),
    live(text("drain.server_reference",
              "UTF-8 without control characters, at most 1024 bytes, such as "
              "\"broker-2.example.net:1883\"; or \"\"",
              put_server_reference,
              [](const Config& config) { return Texts{config.drain.server_reference}; })),

    integer<shards_part, &S::count>("shards.count", 0, 64),
    text("shards.cpus", "a list of different cores such as \"0-3,8\", at most 64", put_cpus,
         cpus_texts),
    integer<shards_part, &S::connections_max>("shards.connections_max", 1, 20'000'000),
    or_zero(
        integer<shards_part, &S::memory_bytes_max>("shards.memory_bytes_max", 8 * mi, 16'384 * gi)),
    text("shards.huge_pages", "\"off\" or \"when_available\"", put_huge_pages, huge_pages_texts),
    live(integer<shards_part, &S::spin_max>("shards.spin_max_us", 0, 1'000'000)),
    live(boolean<shards_part, &S::always_spin>("shards.always_spin")),
    power_of_two(
        integer<shards_part, &S::mailbox_ring_bytes>("shards.mailbox_ring_bytes", 4 * ki, gi)),

    power_of_two(
        integer<uring_part, &U::submission_entries>("uring.submission_entries", 64, 32'768)),
    power_of_two(
        integer<uring_part, &U::completion_entries>("uring.completion_entries", 128, 65'536)),
    integer<uring_part, &U::receive_buffer_bytes>("uring.receive_buffer_bytes", 256, mi),
    power_of_two(
        integer<uring_part, &U::receive_buffer_count>("uring.receive_buffer_count", 8, 32'768)),
    integer<uring_part, &U::zero_copy_bytes_min>("uring.zero_copy_bytes_min", 0, gi),
    integer<uring_part, &U::napi_busy_poll_us>("uring.napi_busy_poll_us", 0, 1'000'000),
    integer<uring_part, &U::listen_backlog>("uring.listen_backlog", 1, 65'535),
    or_zero(integer<uring_part, &U::socket_send_bytes>("uring.socket_send_bytes", 4 * ki, gi)),

    text("dpdk.device",
         "a PCI address such as \"0000:03:00.0\", or a virtual device such as "
         "\"net_af_packet0,iface=v0\"",
         put_dpdk_device, dpdk_texts<&D::device>),
    texts("dpdk.eal_arguments", "arguments of DPDK's own such as \"--log-level=*:info\"",
          put_dpdk_eal_argument, [](Config& config) { config.dpdk.eal_arguments.clear(); },
          dpdk_texts<&D::eal_arguments>),
    text("dpdk.mac", "an address of one station such as \"02:00:00:00:00:01\"", put_dpdk_mac,
         dpdk_texts<&D::mac>),
    texts("dpdk.addresses", "an address with its prefix such as \"10.0.0.1/24\", at most 64",
          put_dpdk_address, [](Config& config) { config.dpdk.addresses.clear(); },
          dpdk_texts<&D::addresses>),
    texts("dpdk.source_ranges", "a range of addresses such as \"10.0.1.0/24\", at most 64",
          put_dpdk_source_range, [](Config& config) { config.dpdk.source_ranges.clear(); },
          dpdk_texts<&D::source_ranges>),
    text("dpdk.gateway", "an IPv4 address", put_dpdk_gateway, dpdk_texts<&D::gateway>),
    text("dpdk.gateway_ipv6", "an IPv6 address", put_dpdk_gateway_ipv6,
         dpdk_texts<&D::gateway_ipv6>),
    text("dpdk.vlan", "\"untagged\", \"pass_through\", or \"1\" to \"4094\"", put_dpdk_vlan,
         dpdk_texts<&D::vlan>),
    integer<dpdk_part, &D::mtu>("dpdk.mtu", 576, 9'000),
    integer<dpdk_part, &D::queues>("dpdk.queues", 0, 64),
    boolean<dpdk_part, &D::huge_pages>("dpdk.huge_pages"),
    or_zero(integer<dpdk_part, &D::memory_bytes>("dpdk.memory_bytes", 64 * mi, 1'024 * gi)),
    integer<dpdk_part, &D::receive_descriptors>("dpdk.receive_descriptors", 64, 32'768),
    integer<dpdk_part, &D::transmit_descriptors>("dpdk.transmit_descriptors", 64, 32'768),
    or_zero(integer<dpdk_part, &D::buffers>("dpdk.buffers", 1'024, 16'777'216)),
    integer<dpdk_part, &D::copy_bytes_max>("dpdk.copy_bytes_max", 0, 1'024),
    text("dpdk.idle", "\"spin\", \"pause\" or \"sleep\"", put_dpdk_idle, dpdk_idle_texts),
    integer<dpdk_part, &D::idle_spin>("dpdk.idle_spin_us", 0, 1'000'000),
    integer<dpdk_part, &D::idle_sleep>("dpdk.idle_sleep_us", 1, 100'000),
    text("dpdk.congestion", "\"cubic\" or \"reno\"", put_dpdk_congestion, dpdk_congestion_texts),
    integer<dpdk_part, &D::receive_window_bytes>("dpdk.receive_window_bytes", 4 * ki, gi),
    or_zero(integer<dpdk_part, &D::keepalive_idle>("dpdk.keepalive_idle_s", 1, 86'400)),
    integer<dpdk_part, &D::time_wait>("dpdk.time_wait_ms", 1, 240'000),
    integer<dpdk_part, &D::time_wait_count_max>("dpdk.time_wait_count_max", 16, 16'777'216),
    integer<dpdk_part, &D::half_open_count_max>("dpdk.half_open_count_max", 1, 1'000'000),
    integer<dpdk_part, &D::half_open_cookies_from>("dpdk.half_open_cookies_from", 0, 1'000'000),
    integer<dpdk_part, &D::half_open_per_source_max>("dpdk.half_open_per_source_max", 1, 65'535),
    integer<dpdk_part, &D::neighbor_count_max>("dpdk.neighbor_count_max", 16, 1'000'000),
    text("dpdk.capture_path", "the path of a file to write", put_dpdk_capture_path,
         dpdk_texts<&D::capture_path>),
    integer<dpdk_part, &D::capture_bytes_max>("dpdk.capture_bytes_max", 64 * ki, 1'024 * gi),

    texts("admin.listen", listen_accepted, put_admin_listen,
          [](Config& config) { config.admin.listen.clear(); }, admin_listen_texts),
    text("admin.token_file", "the path of a file with a token of 16 to 1024 visible characters",
         put_admin_token_file,
         [](const Config& config) { return Texts{config.admin.token_file}; }),
    integer<admin_part, &A::connections_max>("admin.connections_max", 1, 256),
    integer<admin_part, &A::timeout>("admin.timeout_ms", 100, 60'000),
    text("admin.history_dir", "the path of a directory that the server may write", put_history_dir,
         [](const Config& config) { return Texts{config.admin.history_dir}; }),
    or_zero(integer<admin_part, &A::memory_interval>("admin.memory_interval_s", 60, 86'400)),
    or_zero(integer<admin_part, &A::profile_interval>("admin.profile_interval_s", 120, 86'400)),
    integer<admin_part, &A::profile_time>("admin.profile_seconds", 1, 60),

    live(text("log.level", "\"debug\", \"info\", \"warning\" or \"error\"", put_log_level,
              [](const Config& config) {
                  return Texts{std::string(log_level_name(config.log.level))};
              })),
    live(text("log.format", "\"text\" or \"json\"", put_log_format,
              [](const Config& config) {
                  return Texts{config.log.format == LogFormat::json ? "json" : "text"};
              })),
};

}  // namespace

std::span<const ConfigKey> config_keys() {
    return keys;
}

const ConfigKey* find_config_key(std::string_view name) {
    for (const ConfigKey& key : keys) {
        if (key.name == name) return &key;
    }
    return nullptr;
}

bool is_config_table(std::string_view name) {
    for (const ConfigKey& key : keys) {
        const size_t dot = key.name.find('.');
        if (dot != std::string_view::npos && key.name.substr(0, dot) == name) return true;
    }
    return false;
}

bool accepts(const ConfigKey& key, uint64_t value) {
    if (key.zero_too && value == 0) return true;
    if (key.power_of_two && !std::has_single_bit(value)) return false;
    return key.smallest <= value && value <= key.largest;
}

std::string accepted_values(const ConfigKey& key) {
    switch (key.kind) {
        case KeyKind::integer:
            return fmt::format("{}{}{} to {}", key.zero_too ? "0, or " : "",
                               key.power_of_two ? "a power of two from " : "", key.smallest,
                               key.largest);
        case KeyKind::boolean:
            return "true or false";
        case KeyKind::text:
        case KeyKind::texts:
            return std::string(key.accepted_text);
    }
    MR_UNREACHABLE();
}

bool put_config_value(Config& config, const ConfigKey& key, std::string_view value) {
    switch (key.kind) {
        case KeyKind::integer: {
            const std::optional<uint64_t> number = parse_number(value);
            if (!number || !accepts(key, *number)) return false;
            key.set(config, *number);
            return true;
        }
        case KeyKind::boolean:
            if (value != "true" && value != "false") return false;
            key.set(config, value == "true" ? 1 : 0);
            return true;
        case KeyKind::text:
        case KeyKind::texts:
            return key.put(config, value);
    }
    MR_UNREACHABLE();
}

std::string value_text(const ConfigKey& key, const Config& config) {
    constexpr size_t shown_max = 300;
    switch (key.kind) {
        case KeyKind::integer:
            return std::to_string(key.get(config));
        case KeyKind::boolean:
            return key.get(config) != 0 ? "true" : "false";
        case KeyKind::text:
            return quoted(key.texts(config).front());
        case KeyKind::texts: {
            std::string list = "[";
            for (const std::string& text : key.texts(config)) {
                if (list.size() > shown_max) return list + ", ...]";
                list += (list.size() > 1 ? ", " : "") + quoted(text);
            }
            return list + "]";
        }
    }
    MR_UNREACHABLE();
}

bool has_same_value(const ConfigKey& key, const Config& left, const Config& right) {
    if (key.get != nullptr) return key.get(left) == key.get(right);
    return key.texts(left) == key.texts(right);
}

void copy_value(const ConfigKey& key, const Config& from, Config& to) {
    if (key.get != nullptr) return key.set(to, key.get(from));
    if (key.clear != nullptr) key.clear(to);
    for (const std::string& text : key.texts(from)) MR_ASSERT(key.put(to, text));
}

std::string quoted(std::string_view text) {
    constexpr size_t shown_max = 80;
    std::string shown = "\"";
    for (const char character : text.substr(0, shown_max)) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f) {
            shown += fmt::format("\\x{:02x}", byte);
        } else {
            shown += character;
        }
    }
    shown += text.size() > shown_max ? "...\"" : "\"";
    return shown;
}

std::optional<uint64_t> parse_number(std::string_view text) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, fault] = std::from_chars(text.data(), end, value, 10);
    if (fault != std::errc{} || stopped != end || text.empty()) return std::nullopt;
    return value;
}

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, sizeof(in6_addr)> address;
    return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

std::optional<ListenAddress> parse_listen_address(std::string_view text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::optional<uint64_t> port = parse_number(text.substr(colon + 1));
    if (!port || *port > 65'535) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const bool in_brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (in_brackets) host = host.substr(1, host.size() - 2);
    ListenAddress address{.host = std::string(host), .port = static_cast<uint16_t>(*port)};
    // Without the brackets an IPv6 address would swallow its port.
    const bool is_ipv6 = host.find(':') != std::string_view::npos;
    if (is_ipv6 != in_brackets || !is_ip_address(address.host)) return std::nullopt;
    return address;
}

std::string to_text(const ListenAddress& address) {
    const bool is_ipv6 = address.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_ipv6 ? "[" : "", address.host, is_ipv6 ? "]" : "",
                       address.port);
}

}  // namespace millrace
