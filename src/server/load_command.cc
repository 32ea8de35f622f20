#include "server/load_command.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

#include "base/assert.h"
#include "codec/mqtt/topic_name.h"
#include "runtime/placement.h"
#include "server/backends.h"
#include "server/config_keys.h"
#include "server/dpdk_config.h"

namespace millrace {
namespace {

constexpr uint32_t all_modes = 0x1f;
constexpr uint32_t publishing =
    mode_bit(LoadMode::fanout) | mode_bit(LoadMode::fanin) | mode_bit(LoadMode::pair);
constexpr uint32_t storm = mode_bit(LoadMode::storm);
constexpr uint32_t source_count_max = 4'096;
constexpr uint32_t connection_count_max = 20'000'000;
constexpr uint32_t connection_count_default = 1'000;
constexpr int64_t duration_default_s = 10;
// One message a second, measured ones and warm-up: still a Duration.
constexpr uint64_t message_count_max = 4'000'000'000;
constexpr uint64_t run_seconds_max = 604'800;
// A message carries its number and the time at which it was sent.
constexpr uint32_t payload_bytes_min = 16;

template <auto Field>
void set_number(LoadRequest& options, uint64_t value) {
    options.*Field = static_cast<std::decay_t<decltype(options.*Field)>>(value);
}

template <auto Field>
void set_seconds(LoadRequest& options, uint64_t value) {
    options.*Field = Duration::s(static_cast<int64_t>(value));
}

bool put_host(LoadRequest& options, std::string_view text) {
    options.host = text;
    return is_ip_address(options.host);
}

bool put_topic(LoadRequest& options, std::string_view text) {
    options.topic = text;
    return text.size() <= 1'024 && mqtt::is_valid_utf8(text) && mqtt::is_valid_topic(text);
}

bool put_prefix(LoadRequest& options, std::string_view text) {
    options.client_id_prefix = text;
    return !text.empty() && text.size() <= 64 && mqtt::is_valid_utf8(text);
}

bool put_version(LoadRequest& options, std::string_view text) {
    options.mqtt_version = text == "5" ? 5 : 4;
    return text == "4" || text == "5";
}

bool put_cpus(LoadRequest& options, std::string_view text) {
    Outcome<std::vector<uint32_t>> cpus = parse_cpu_list(text);
    if (!cpus || cpus->empty() || cpus->size() > 64) return false;
    options.cpus = std::move(*cpus);
    options.shard_count = static_cast<uint32_t>(options.cpus.size());
    return true;
}

// "127.0.0.2-127.0.0.9", IPv4 only.
bool put_source_range(LoadRequest& options, const std::string& first, const std::string& last) {
    in_addr from{};
    in_addr to{};
    if (::inet_pton(AF_INET, first.c_str(), &from) != 1) return false;
    if (::inet_pton(AF_INET, last.c_str(), &to) != 1) return false;
    const uint64_t begin = ntohl(from.s_addr);
    const uint64_t end = ntohl(to.s_addr);
    if (begin > end || end - begin >= source_count_max) return false;
    for (uint64_t address = begin; address <= end; ++address) {
        options.source_hosts.push_back(fmt::format("{}.{}.{}.{}", address >> 24,
                                                   (address >> 16) & 0xff, (address >> 8) & 0xff,
                                                   address & 0xff));
    }
    return true;
}

bool put_sources(LoadRequest& options, std::string_view text) {
    while (true) {
        const size_t comma = text.find(',');
        const std::string part(text.substr(0, comma));
        const size_t dash = part.find('-');
        if (dash != std::string::npos) {
            if (!put_source_range(options, part.substr(0, dash), part.substr(dash + 1))) {
                return false;
            }
        } else {
            if (!is_ip_address(part)) return false;
            options.source_hosts.push_back(part);
        }
        if (options.source_hosts.size() > source_count_max) return false;
        if (comma == std::string_view::npos) return true;
        text.remove_prefix(comma + 1);
    }
}

bool put_net(LoadRequest& options, std::string_view text) {
    options.net = text;
    return is_back_end(text);
}

using L = LoadRequest;

constexpr LoadFlag number(std::string_view name, std::string_view argument, std::string_view help,
                          uint32_t modes, uint64_t smallest, uint64_t largest,
                          void (*set)(LoadRequest&, uint64_t)) {
    return {.name = name,
            .argument = argument,
            .help = help,
            .modes = modes,
            .smallest = smallest,
            .largest = largest,
            .set = set};
}

constexpr LoadFlag text(std::string_view name, std::string_view argument, std::string_view help,
                        uint32_t modes, std::string_view accepted,
                        bool (*put)(LoadRequest&, std::string_view)) {
    return {.name = name,
            .argument = argument,
            .help = help,
            .modes = modes,
            .accepted_text = accepted,
            .put = put};
}

constexpr LoadFlag toggle(std::string_view name, std::string_view help,
                          bool (*put)(LoadRequest&, std::string_view)) {
    return {.name = name, .argument = {}, .help = help, .modes = all_modes, .put = put};
}

// A setting of [dpdk], with the range that the configuration file has for it.
constexpr LoadFlag dpdk(std::string_view name, std::string_view argument, std::string_view help,
                        std::string_view config_key) {
    return {.name = name,
            .argument = argument,
            .help = help,
            .modes = all_modes,
            .config_key = config_key};
}

constexpr LoadFlag repeated(LoadFlag flag) {
    flag.repeats = true;
    return flag;
}

constexpr std::array flags{
    text("--host", "ADDRESS", "the broker's address (127.0.0.1)", all_modes,
         "an IPv4 or IPv6 address", put_host),
    number("--port", "PORT", "the broker's port (1883)", all_modes, 1, 65'535,
           set_number<&L::port>),
    text("--source", "LIST",
         "local addresses to spread connections over, such as "
         "\"127.0.0.2-127.0.0.9\"",
         all_modes, "addresses and IPv4 ranges with commas between, at most 4096", put_sources),
    number("--connections", "COUNT", "connections in all (1000)", all_modes, 1,
           connection_count_max, set_number<&L::connection_count>),
    number("--publishers", "COUNT", "those of them that publish", publishing, 1,
           connection_count_max, set_number<&L::publisher_count>),
    number("--subscribers", "COUNT", "those of them that subscribe", publishing, 1,
           connection_count_max, set_number<&L::subscriber_count>),
    number("--connect-rate", "COUNT", "new connections a second (no limit)", all_modes, 1,
           10'000'000, set_number<&L::connect_rate>),
    number("--connects-outstanding", "COUNT", "connections on their way at the same time (512)",
           all_modes & ~storm, 1, connection_count_max, set_number<&L::connects_outstanding_max>),
    number("--rounds", "COUNT", "open all connections that often, after cutting all (1)", storm, 1,
           1'000, set_number<&L::storm_round_count>),
    number("--payload", "BYTES", "payload of a message (64)", publishing, payload_bytes_min,
           16'777'216, set_number<&L::payload_bytes>),
    number("--qos", "0|1|2", "quality of service of publishes and subscriptions (0)", publishing, 0,
           2, set_number<&L::qos>),
    number("--rate", "COUNT", "messages a second, of all publishers together", publishing, 1,
           100'000'000, set_number<&L::rate>),
    number("--window", "COUNT", "without a rate: messages a publisher keeps outstanding (1)",
           publishing, 1, 65'535, set_number<&L::window_count>),
    number("--messages", "COUNT", "stop after that many publishes", publishing, 1,
           message_count_max, set_number<&L::message_count>),
    number("--warmup", "COUNT", "messages before the measured ones (a tenth of those)", publishing,
           0, message_count_max,
           [](LoadRequest& options, uint64_t value) { options.warmup_count = value; }),
    number("--duration", "SECONDS", "stop after that long (10 when no --messages)", all_modes, 1,
           run_seconds_max, set_seconds<&L::duration>),
    number("--drain-timeout", "SECONDS", "wait that long for missing deliveries (10)", publishing,
           1, 3'600, set_seconds<&L::drain_timeout>),
    number("--timeout", "SECONDS", "end the whole run after that long (a minute over its need)",
           all_modes, 1, run_seconds_max, set_seconds<&L::run_timeout>),
    text("--topic", "TOPIC",
         "topic of fanout; prefix of the topics of fanin and pair "
         "(load/MODE)",
         publishing, "a topic name of at most 1024 bytes", put_topic),
    text("--client-id-prefix", "TEXT", "client ids are TEXT-0, TEXT-1, ... (load)", all_modes,
         "1 to 64 bytes of UTF-8", put_prefix),
    text("--mqtt-version", "4|5", "4 is MQTT 3.1.1 (4)", all_modes, "4 or 5", put_version),
    number("--keep-alive", "SECONDS", "0: none (60)", all_modes, 0, 65'535,
           set_number<&L::keep_alive_s>),
    number("--shards", "COUNT", "threads of the generator, not pinned (1)", all_modes, 1, 64,
           set_number<&L::shard_count>),
    text("--cpus", "LIST", "a generator thread pinned to each of these cores", all_modes,
         "a list of different cores such as \"0-3,8\", at most 64", put_cpus),
    number("--server-pid", "PID", "report processor time and memory of that process", all_modes, 1,
           4'194'304,
           [](LoadRequest& options, uint64_t value) {
               options.server_pid = static_cast<uint32_t>(value);
           }),
    toggle("--keep-session", "connect without clean start",
           [](LoadRequest& options, std::string_view) {
               options.clean_start = false;
               return true;
           }),
    number("--session-expiry", "SECONDS", "of kept sessions, MQTT 5 only (300)", all_modes, 0,
           0xffff'ffff, set_number<&L::session_expiry_s>),
    text("--net", "BACKEND", "network back end: uring or dpdk (uring)", all_modes, "uring or dpdk",
         put_net),
    dpdk("--dpdk-device", "DEVICE", "PCI address or virtual device", "dpdk.device"),
    repeated(dpdk("--dpdk-address", "ADDRESS/BITS", "own address with its prefix; may be repeated",
                  "dpdk.addresses")),
    repeated(dpdk("--dpdk-source-range", "ADDRESS/BITS",
                  "more own addresses to connect from; may be repeated", "dpdk.source_ranges")),
    dpdk("--dpdk-gateway", "ADDRESS", "whom to send to what isn't on the link", "dpdk.gateway"),
    dpdk("--dpdk-mtu", "BYTES", "longest IP packet (1500)", "dpdk.mtu"),
    dpdk("--dpdk-memory-bytes", "BYTES", "memory of DPDK's (computed)", "dpdk.memory_bytes"),
    repeated(dpdk("--dpdk-eal", "ARGUMENT", "for DPDK itself, as --dpdk-eal=ARGUMENT; may be "
                  "repeated", "dpdk.eal_arguments")),
    dpdk("--dpdk-idle", "MODE", "spin, pause or sleep when nothing comes (sleep)", "dpdk.idle"),
    toggle("--no-huge-pages", "DPDK's memory in plain pages",
           [](LoadRequest& options, std::string_view) {
               options.dpdk.huge_pages = false;
               return true;
           }),
    dpdk("--pcap", "FILE", "write all frames of the dpdk back end to a pcap file",
         "dpdk.capture_path"),
    toggle("--json", "report as one JSON object",
           [](LoadRequest& options, std::string_view) {
               options.json = true;
               return true;
           }),
    toggle("--quiet", "no progress on standard error",
           [](LoadRequest& options, std::string_view) {
               options.progress = false;
               return true;
           }),
};

constexpr std::array modes{
    LoadModeName{LoadMode::connect, "connect", "open connections and keep them"},
    LoadModeName{LoadMode::fanout, "fanout", "few publishers to one topic of many subscribers"},
    LoadModeName{LoadMode::fanin, "fanin", "many publishers to few subscribers"},
    LoadModeName{LoadMode::pair, "pair", "each publisher to a subscriber of its own"},
    LoadModeName{LoadMode::storm, "storm",
                 "open all connections at once; with --rounds again after cutting all"},
};

std::string_view name_of(LoadMode mode) {
    return modes[static_cast<uint32_t>(mode)].name;
}

using Given = std::map<std::string, std::string>;
using Lists = std::map<std::string, std::vector<std::string>>;

std::optional<Error> apply(LoadRequest& options, const LoadFlag& flag, const std::string& value) {
    const auto refuse = [&](const std::string& accepted) {
        return Error{Errc::invalid_argument,
                     fmt::format("{} {}: accepted is {}", flag.name, quoted(value), accepted)};
    };
    if (!flag.config_key.empty()) {
        // The file's own table reads the text, into a configuration that is thrown away again.
        const ConfigKey& key = *find_config_key(flag.config_key);
        Config scratch;
        std::swap(scratch.dpdk, options.dpdk);
        const bool accepted = put_config_value(scratch, key, value);
        std::swap(scratch.dpdk, options.dpdk);
        if (accepted) return std::nullopt;
        return refuse(accepted_values(key));
    }
    if (flag.set == nullptr) {
        if (flag.put(options, value)) return std::nullopt;
        return refuse(std::string(flag.accepted_text));
    }
    const std::optional<uint64_t> number = parse_number(value);
    if (!number || *number < flag.smallest || *number > flag.largest) {
        return refuse(fmt::format("{} to {}", flag.smallest, flag.largest));
    }
    flag.set(options, *number);
    return std::nullopt;
}

std::optional<Error> contradiction(const Given& given) {
    const auto both = [&](const char* one, const char* other) -> std::optional<Error> {
        if (!given.contains(one) || !given.contains(other)) return std::nullopt;
        return Error{Errc::invalid_argument,
                     fmt::format("{} {} and {} {}: give one of the two", one, given.at(one), other,
                                 given.at(other))};
    };
    if (auto error = both("--rate", "--window")) return error;
    if (auto error = both("--source", "--dpdk-source-range")) return error;
    return both("--shards", "--cpus");
}

// Only a kept session of MQTT 5 has an expiry interval of its own.
std::optional<Error> expiry_fault(const Given& given, const LoadRequest& options) {
    const auto expiry = given.find("--session-expiry");
    if (expiry == given.end()) return std::nullopt;
    if (!options.clean_start && options.mqtt_version == 5) return std::nullopt;
    return Error{Errc::invalid_argument,
                 fmt::format("--session-expiry {}: accepted with --keep-session and "
                             "--mqtt-version 5",
                             expiry->second)};
}

// Fills in the part that wasn't given (0): what `all` leaves, else 1 to many. `all` is 0 when it
// follows from the parts.
void split_one_to_many(uint32_t all, uint32_t& few, uint32_t& many) {
    if (few == 0) few = many != 0 && all > many ? all - many : 1;
    if (many == 0) many = all > few ? all - few : connection_count_default;
}

// How the connections split when neither part was given, or one of them.
void split_connections(LoadRequest& options, bool has_connections) {
    uint32_t& publishers = options.publisher_count;
    uint32_t& subscribers = options.subscriber_count;
    const uint32_t all =
        has_connections || (publishers == 0 && subscribers == 0) ? options.connection_count : 0;
    switch (options.mode) {
        case LoadMode::connect:
        case LoadMode::storm:
            return;
        case LoadMode::pair:
            if (publishers == 0) publishers = subscribers != 0 ? subscribers : all / 2;
            if (subscribers == 0) subscribers = publishers;
            break;
        case LoadMode::fanout:
            split_one_to_many(all, publishers, subscribers);
            break;
        case LoadMode::fanin:
            split_one_to_many(all, subscribers, publishers);
            break;
    }
    if (!has_connections) options.connection_count = publishers + subscribers;
}

std::optional<Error> count_fault(const LoadRequest& options) {
    if (options.mode == LoadMode::connect || options.mode == LoadMode::storm) return std::nullopt;
    const uint64_t parts = uint64_t{options.publisher_count} + options.subscriber_count;
    if (parts != options.connection_count || parts > connection_count_max) {
        return Error{Errc::invalid_argument,
                     fmt::format("--connections {}: accepted is the sum of publishers and "
                                 "subscribers ({} + {}), at most {}",
                                 options.connection_count, options.publisher_count,
                                 options.subscriber_count, connection_count_max)};
    }
    if (options.mode == LoadMode::pair && options.publisher_count != options.subscriber_count) {
        return Error{Errc::invalid_argument,
                     fmt::format("--publishers {}: accepted in pair is as many as subscribers, {}",
                                 options.publisher_count, options.subscriber_count)};
    }
    return std::nullopt;
}

std::optional<Error> shard_fault(const LoadRequest& options) {
    if (options.shard_count <= options.connection_count) return std::nullopt;
    return Error{Errc::invalid_argument,
                 fmt::format("--shards {}: accepted is at most a thread a connection, {}",
                             options.shard_count, options.connection_count)};
}

// The flags of a back end that isn't used, and what the one in use needs.
std::optional<Error> net_fault(const Given& given, const Lists& lists, const LoadRequest& options) {
    const auto is_dpdk = [](const LoadFlag& flag) {
        return !flag.config_key.empty() || flag.name == "--no-huge-pages";
    };
    for (const LoadFlag& flag : flags) {
        const std::string name(flag.name);
        const bool is_given = given.contains(name) || lists.contains(name);
        if (options.net == "dpdk" || !is_dpdk(flag) || !is_given) continue;
        return Error{Errc::invalid_argument, fmt::format("{}: accepted with --net dpdk", name)};
    }
    if (options.net != "dpdk") return std::nullopt;
    const std::optional<ConfigFault> fault = find_dpdk_interface_fault(options.dpdk);
    if (!fault) return std::nullopt;
    // In the words of this command line, where there's a flag for the key.
    for (const LoadFlag& flag : flags) {
        if (flag.config_key != fault->key) continue;
        return Error{Errc::invalid_argument, fmt::format("{} {}: accepted is {}", flag.name,
                                                         fault->value, fault->accepted)};
    }
    return Error{Errc::invalid_argument, fault->text()};
}

std::optional<Error> apply_given(LoadRequest& options, const Given& given, const Lists& lists) {
    for (const LoadFlag& flag : flags) {
        std::vector<std::string> values;
        const std::string name(flag.name);
        if (const auto found = given.find(name); found != given.end()) {
            values.push_back(found->second);
        }
        if (const auto found = lists.find(name); found != lists.end()) values = found->second;
        if (!values.empty() && (flag.modes & mode_bit(options.mode)) == 0) {
            return Error{Errc::invalid_argument, fmt::format("{}: has no meaning in load {}", name,
                                                             name_of(options.mode))};
        }
        for (const std::string& value : values) {
            if (auto error = apply(options, flag, value)) return error;
        }
    }
    return std::nullopt;
}

}  // namespace

std::span<const LoadFlag> load_flags() {
    return flags;
}
std::span<const LoadModeName> load_modes() {
    return modes;
}

Outcome<LoadRequest> make_load_options(LoadMode mode, const Given& given, const Lists& lists) {
    LoadRequest options;
    options.mode = mode;
    options.topic = fmt::format("load/{}", name_of(mode));
    options.connection_count = connection_count_default;
    if (auto error = apply_given(options, given, lists)) {
        return tl::unexpected<Error>(std::move(*error));
    }
    if (auto error = net_fault(given, lists, options)) {
        return tl::unexpected<Error>(std::move(*error));
    }
    if (auto error = contradiction(given)) return tl::unexpected<Error>(std::move(*error));
    if (auto error = expiry_fault(given, options)) {
        return tl::unexpected<Error>(std::move(*error));
    }
    split_connections(options, given.contains("--connections"));
    if (auto error = count_fault(options)) return tl::unexpected<Error>(std::move(*error));
    if (auto error = shard_fault(options)) return tl::unexpected<Error>(std::move(*error));
    if (options.message_count == 0 && options.duration == Duration::s(0)) {
        options.duration = Duration::s(duration_default_s);
    }
    return options;
}

}  // namespace millrace
