#include "server/cli.h"

#include <CLI/CLI.hpp>

#include <map>
#include <memory>
#include <sstream>

#include "base/assert.h"
#include "millrace/version.h"
#include "server/backends.h"
#include "server/load_command.h"

namespace millrace {
namespace {

// A flag that sets one key of the configuration. All other keys are reached with --set.
struct ServeFlag {
    const char* name;
    const char* argument;  // empty: the flag takes none and means "true"
    const char* key;
    const char* help;
};

constexpr ServeFlag serve_flags[] = {
    {"--net", "BACKEND", "net", "network back end: uring or dpdk"},
    {"--dpdk-device", "DEVICE", "dpdk.device", "PCI address or virtual device"},
    {"--dpdk-gateway", "ADDRESS", "dpdk.gateway", "whom to send to what isn't on the link"},
    {"--dpdk-mtu", "BYTES", "dpdk.mtu", "longest IP packet"},
    {"--dpdk-memory-bytes", "BYTES", "dpdk.memory_bytes", "memory of DPDK's"},
    {"--dpdk-idle", "MODE", "dpdk.idle", "spin, pause or sleep when nothing comes"},
    {"--pcap", "FILE", "dpdk.capture_path", "write all frames of the dpdk back end to a pcap file"},
    {"--connections-max", "COUNT", "shards.connections_max", "connections a shard"},
    {"--memory-bytes-max", "BYTES", "shards.memory_bytes_max", "memory a shard"},
    {"--huge-pages", "MODE", "shards.huge_pages", "off or when_available"},
    {"--spin-max-us", "TIME", "shards.spin_max_us", "look for work that long before sleeping"},
    {"--always-spin", "", "shards.always_spin", "never sleep"},
    {"--maximum-qos", "QOS", "mqtt.maximum_qos", "highest quality of service"},
    {"--maximum-packet-bytes", "BYTES", "mqtt.maximum_packet_bytes", "longest MQTT packet"},
    {"--send-bytes-max", "BYTES", "queues.send_bytes_max", "unsent output a connection"},
    {"--session-messages-max", "COUNT", "queues.session_messages_max",
     "messages that wait in a session"},
    {"--zero-copy-bytes-min", "BYTES", "uring.zero_copy_bytes_min",
     "zero-copy sends from that length on"},
};

// The same for a list; the flag may be repeated.
struct ServeListFlag {
    const char* name;
    const char* argument;
    const char* key;
    const char* help;
};

constexpr ServeListFlag serve_list_flags[] = {
    {"--listen", "HOST:PORT", "listen", "address and port; may be repeated"},
    {"--dpdk-address", "ADDRESS/BITS", "dpdk.addresses",
     "own address with its prefix; may be repeated"},
    {"--dpdk-eal", "ARGUMENT", "dpdk.eal_arguments",
     "for DPDK itself, as --dpdk-eal=ARGUMENT; may be repeated"},
};

struct ServeTexts {
    std::string config;
    std::map<std::string, std::vector<std::string>> lists;
    std::string shards;
    std::string cpus;
    std::vector<std::string> set;
    std::map<std::string, std::string> flags;
    bool no_huge_pages = false;
    bool check = false;
    bool print_budget = false;
};

struct LoadTexts {
    CLI::App* app = nullptr;
    LoadMode mode = LoadMode::connect;
    std::map<std::string, std::string> flags;  // by name; those given are known to `app`
    std::map<std::string, std::vector<std::string>> lists;
};

// Each occurrence takes one value, so that what follows it is read for itself.
void add_list(CLI::App& app, std::string_view name, std::vector<std::string>& values,
              std::string_view argument, std::string_view help) {
    app.add_option(std::string(name), values, std::string(help))
        ->type_name(std::string(argument))
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
}

void add_serve(CLI::App& app, ServeTexts& texts) {
    app.add_option("--config", texts.config, "TOML file; flags override it")->type_name("FILE");
    for (const ServeListFlag& flag : serve_list_flags) {
        add_list(app, flag.name, texts.lists[flag.name], flag.argument, flag.help);
    }
    CLI::Option* shards =
        app.add_option("--shards", texts.shards, "shards (one a core)")->type_name("COUNT");
    app.add_option("--cpus", texts.cpus, "a shard pinned to each of these cores, such as 0-3,8")
        ->type_name("LIST")
        ->excludes(shards);
    for (const ServeFlag& flag : serve_flags) {
        std::string& value = texts.flags[flag.name];
        if (*flag.argument == '\0') {
            app.add_flag(flag.name, flag.help)->disable_flag_override();
        } else {
            app.add_option(flag.name, value, flag.help)->type_name(flag.argument);
        }
    }
    app.add_flag("--no-huge-pages", texts.no_huge_pages,
                 "nothing in huge pages (shards.huge_pages, dpdk.huge_pages)");
    add_list(app, "--set", texts.set, "KEY=VALUE", "any key of the configuration; may be repeated");
    app.add_flag("--check", texts.check, "say whether the configuration is good, and end");
    app.add_flag("--print-budget", texts.print_budget, "print the memory bill, and end");
}

void add_doctor(CLI::App& app, DoctorCommand& doctor) {
    app.add_option("--config", doctor.config_path, "TOML file of the server; none: the defaults")
        ->type_name("FILE");
    app.add_flag("--json", doctor.request.json, "one JSON object: findings and facts")
        ->disable_flag_override();
    app.add_option("--root", doctor.request.root, "read proc and sys below it, not of this host")
        ->type_name("DIR");
    app.footer("Status: 0 nothing hurts, 3 something costs performance, 4 something limits the "
               "configured capacity.");
}

void add_target(CLI::App& app, remote::Target& target) {
    app.add_option("--url", target.url, "the server's admin listener")
        ->type_name("URL")
        ->capture_default_str();
    app.add_option("--token-file", target.token_file, "the file of its admin.token_file")
        ->type_name("FILE");
}

void add_top(CLI::App& app, remote::TopCommand& top) {
    add_target(app, top.target);
    app.add_flag("--once", top.once, "print it once, after a second, and end")
        ->disable_flag_override();
    app.footer("Keys: q ends; n, c, i, o, d, p order the shards by number, connections, messages in "
               "and out, dropped ones, processor time; s takes the next order.");
}

void add_trace(CLI::App& app, remote::TraceCommand& trace) {
    add_target(app, trace.target);
    CLI::Option* client = app.add_option("--client", trace.client_id, "what this client does")
                              ->type_name("ID");
    app.add_option("--topic", trace.topic, "what happens to messages of that topic, or filter")
        ->type_name("FILTER")
        ->excludes(client);
    app.add_option("--seconds", trace.seconds, "how long; ctrl-C ends it sooner")
        ->type_name("COUNT")
        ->check(CLI::Range(1, 3'600))
        ->capture_default_str();
    app.add_option("--pcap", trace.pcap, "write the packets to a file for tools for networks, too")
        ->type_name("FILE");
}

// One a thing that `millrace memory` does.
struct MemoryTexts {
    CLI::App* app = nullptr;
    remote::MemoryCommand command;
};

void add_memory(CLI::App& memory, std::vector<std::unique_ptr<MemoryTexts>>& all) {
    using What = remote::MemoryCommand::What;
    memory.require_subcommand(0, 1);
    const auto add = [&](What what, const char* name, const char* help) -> MemoryTexts& {
        auto texts = std::make_unique<MemoryTexts>();
        texts->command.what = what;
        texts->app = memory.add_subcommand(name, help);
        add_target(*texts->app, texts->command.target);
        texts->app->add_flag("--json", texts->command.json, "the server's answer as it is")
            ->disable_flag_override();
        all.push_back(std::move(texts));
        return *all.back();
    };
    add(What::list, "list", "the snapshots that the server keeps");
    add(What::snapshot, "snapshot", "have one taken now, and print its id");
    MemoryTexts& diff = add(What::diff, "diff", "what grew between two of them, by class");
    diff.app->add_option("FROM", diff.command.from, "the id of a snapshot; none: the oldest");
    diff.app->add_option("TO", diff.command.to, "another's; none: now");
    diff.app->add_flag("--by-shard", diff.command.by_shard, "the shards' lines, not their sums")
        ->disable_flag_override();
}

void add_load(CLI::App& load, std::vector<std::unique_ptr<LoadTexts>>& all) {
    load.require_subcommand(0, 1);
    for (const LoadModeName& mode : load_modes()) {
        auto texts = std::make_unique<LoadTexts>();
        texts->mode = mode.mode;
        texts->app = load.add_subcommand(std::string(mode.name), std::string(mode.help));
        for (const LoadFlag& flag : load_flags()) {
            if ((flag.modes & mode_bit(mode.mode)) == 0) continue;
            const std::string name(flag.name);
            const std::string help(flag.help);
            if (flag.repeats) {
                add_list(*texts->app, flag.name, texts->lists[name], flag.argument, flag.help);
            } else if (flag.argument.empty()) {
                texts->app->add_flag(name, help)->disable_flag_override();
            } else {
                texts->app->add_option(name, texts->flags[name], help)
                    ->type_name(std::string(flag.argument));
            }
        }
        all.push_back(std::move(texts));
    }
}

Outcome<CommandLine> serve_command(const CLI::App& app, const ServeTexts& texts) {
    ServeCommand serve;
    serve.check = texts.check;
    serve.print_budget = texts.print_budget;
    if (app.count("--config") != 0) serve.config_path = texts.config;
    for (const ServeListFlag& flag : serve_list_flags) {
        const std::vector<std::string>& values = texts.lists.at(flag.name);
        if (!values.empty()) serve.overrides.push_back({flag.name, flag.key, values});
    }
    if (texts.no_huge_pages) {
        serve.overrides.push_back({"--no-huge-pages", "shards.huge_pages", {"off"}});
        serve.overrides.push_back({"--no-huge-pages", "dpdk.huge_pages", {"false"}});
    }
    // The two are alternatives: each of them undoes what the file says of the other.
    if (app.count("--shards") != 0) {
        serve.overrides.push_back({"--shards", "shards.cpus", {""}});
        serve.overrides.push_back({"--shards", "shards.count", {texts.shards}});
    }
    if (app.count("--cpus") != 0) {
        serve.overrides.push_back({"--cpus", "shards.cpus", {texts.cpus}});
        serve.overrides.push_back({"--cpus", "shards.count", {"0"}});
    }
    for (const ServeFlag& flag : serve_flags) {
        if (app.count(flag.name) == 0) continue;
        const bool takes_none = *flag.argument == '\0';
        serve.overrides.push_back(
            {flag.name, flag.key, {takes_none ? "true" : texts.flags.at(flag.name)}});
    }
    for (const std::string& pair : texts.set) {
        const size_t equals = pair.find('=');
        if (equals == std::string::npos) {
            return fail(Errc::invalid_argument, "--set \"" + pair + "\": accepted is KEY=VALUE");
        }
        serve.overrides.push_back({"--set", pair.substr(0, equals), {pair.substr(equals + 1)}});
    }
    return CommandLine{std::move(serve)};
}

Outcome<CommandLine> load_command(const LoadTexts& texts) {
    std::map<std::string, std::string> given;
    for (const LoadFlag& flag : load_flags()) {
        if ((flag.modes & mode_bit(texts.mode)) == 0) continue;
        const std::string name(flag.name);
        if (flag.repeats || texts.app->count(name) == 0) continue;
        const auto value = texts.flags.find(name);
        given[name] = value == texts.flags.end() ? "true" : value->second;
    }
    std::map<std::string, std::vector<std::string>> lists;
    for (const auto& [name, values] : texts.lists) {
        if (!values.empty()) lists[name] = values;
    }
    Outcome<LoadRequest> options = make_load_options(texts.mode, given, lists);
    if (!options) return tl::unexpected<Error>(options.error());
    return CommandLine{std::move(*options)};
}

// CLI11's messages may have several lines; ours have one.
std::string one_line(std::string text) {
    for (char& character : text) {
        if (static_cast<unsigned char>(character) < 0x20) character = ' ';
    }
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

// The innermost command that was named: its help says what is accepted.
const CLI::App& named_command(const CLI::App& app) {
    const std::vector<CLI::App*> parsed = app.get_subcommands();
    return parsed.empty() ? app : named_command(*parsed.front());
}

// "millrace load fanout"
std::string path_of(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    return parent == nullptr ? command.get_name() : path_of(*parent) + " " + command.get_name();
}

Error usage_error(const CLI::App& command, const std::string& what) {
    return {Errc::invalid_argument, one_line(what) + " (see " + path_of(command) + " --help)"};
}

// What CLI11 says in its own words otherwise: unknown arguments, a command that is missing.
std::optional<Error> find_misuse(const CLI::App& command) {
    const std::vector<std::string> unknown = command.remaining();
    const std::vector<const CLI::App*> commands =
        command.get_subcommands([](const CLI::App*) { return true; });
    if (unknown.empty() && (commands.empty() || !command.get_subcommands().empty())) {
        return std::nullopt;
    }
    if (commands.empty()) {
        return usage_error(command, unknown.front() + ": not an option of " + path_of(command));
    }
    std::string accepted;
    for (const CLI::App* one : commands) {
        if (!accepted.empty()) accepted += ", ";
        accepted += one->get_name();
    }
    const std::string what = unknown.empty() ? path_of(command) + ": a command is missing"
                                             : unknown.front() + ": not known here";
    return usage_error(command, what + "; accepted are the commands " + accepted);
}

Outcome<CommandLine> parse(int argument_count, const char* const* arguments) {
    CLI::App app("millrace: an MQTT push server", "millrace");
    app.set_version_flag("--version", "millrace " MILLRACE_VERSION " (" + backends_text() + ")");
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::Throw);
    app.require_subcommand(0, 1);
    app.allow_extras();  // find_misuse reports them; inherited by the commands
    ServeTexts serve_texts;
    CLI::App* serve = app.add_subcommand("serve", "run the broker");
    add_serve(*serve, serve_texts);
    DoctorCommand doctor;
    CLI::App* doctor_app =
        app.add_subcommand("doctor", "say what on this host hurts a server, and how to mend it");
    add_doctor(*doctor_app, doctor);
    remote::TopCommand top;
    CLI::App* top_app = app.add_subcommand("top", "a running server's figures, each second");
    add_top(*top_app, top);
    remote::TraceCommand trace;
    CLI::App* trace_app =
        app.add_subcommand("trace", "what a running server does with a client or a topic");
    add_trace(*trace_app, trace);
    std::vector<std::unique_ptr<MemoryTexts>> memory_texts;
    CLI::App* memory = app.add_subcommand("memory", "say where a running server's memory goes");
    add_memory(*memory, memory_texts);
    std::vector<std::unique_ptr<LoadTexts>> load_texts;
    CLI::App* load = app.add_subcommand("load", "put load on a broker and report");
    add_load(*load, load_texts);
    try {
        app.parse(argument_count, arguments);
    } catch (const CLI::Success& done) {  // --help and --version
        std::ostringstream out;
        app.exit(done, out, out);
        return CommandLine{PrintCommand{out.str()}};
    } catch (const CLI::Error& error) {
        return tl::unexpected<Error>(usage_error(named_command(app), error.what()));
    }
    for (const CLI::App* command :
         {static_cast<const CLI::App*>(&app), static_cast<const CLI::App*>(load),
          static_cast<const CLI::App*>(memory), &named_command(app)}) {
        if ((command == load || command == memory) && !command->parsed()) continue;
        if (auto error = find_misuse(*command)) return tl::unexpected<Error>(std::move(*error));
    }
    if (serve->parsed()) return serve_command(*serve, serve_texts);
    if (doctor_app->parsed()) return CommandLine{std::move(doctor)};
    if (top_app->parsed()) return CommandLine{std::move(top)};
    if (trace_app->parsed()) {
        if (trace.client_id || trace.topic) return CommandLine{std::move(trace)};
        return tl::unexpected<Error>(usage_error(*trace_app, "--client or --topic is wanted"));
    }
    for (const auto& texts : memory_texts) {
        if (texts->app->parsed()) return CommandLine{std::move(texts->command)};
    }
    for (const auto& texts : load_texts) {
        if (texts->app->parsed()) return load_command(*texts);
    }
    MR_UNREACHABLE();
}

}  // namespace

Outcome<CommandLine> parse_command_line(int argument_count, const char* const* arguments) {
    try {
        return parse(argument_count, arguments);
    } catch (const std::exception& error) {  // memory, or a mistake in the tables above
        return fail(Errc::system, one_line(error.what()));
    }
}

}  // namespace millrace
