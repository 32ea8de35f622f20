#include "server/service.h"

#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "base/assert.h"
#include "base/log.h"
#include "millrace/server.h"
#include "millrace/version.h"
#include "runtime/clock.h"
#include "server/backends.h"
#include "server/budget.h"
#include "server/config_keys.h"
#include "server/host_facts.h"
#include "server/log_options.h"
#include "server/notify.h"
#include "server/object_sizes.h"
#include "server/reload.h"
#include "server/service_watch.h"
#include "server/signals.h"

namespace millrace {
namespace {

// What the end may take when nothing is left that counts down: the last client's time for its
// acknowledgements, as much for its goodbye, and room. A drain's clients may all be of one shard,
// which tells one to go every so often.
Duration stop_time_of(const Config& config) {
    constexpr int64_t shards_max = 64;
    const int64_t between_turns_ms =
        config.drain.rate == 0 ? 0 : shards_max * 1'000 / config.drain.rate;
    return Duration::ms(2 * config.timeouts.drain.count() + between_turns_ms) + Duration::s(10);
}

ExitCode print_budget(const Config& config) {
    const ShardPlan plan = plan_shards(config, read_host_facts());
    fmt::print("{}", render_budget(make_budget(config, object_sizes(),
                                               {plan.count, plan.memory_bytes_each})));
    return ExitCode::success;
}

// Where it listens: the addresses with the ports that were picked.
std::string listen_text(const Config& config, const Server& server) {
    const std::vector<uint16_t> ports = server.ports();
    std::string addresses;
    for (size_t index = 0; index < config.listen.size(); ++index) {
        if (index > 0) addresses += ", ";
        addresses += to_text(ListenAddress{config.listen[index].host, ports[index]});
    }
    return addresses;
}

// The line on standard output is for scripts that wait for it; the log has the same.
void tell_start(const Server& server, const std::string& addresses) {
    const std::string description = server.description();
    fmt::print("millrace {} ({}) listens on {}; {}\n", MILLRACE_VERSION, backends_text(), addresses,
               description);
    std::fflush(stdout);
    log_info("server started", field("version", MILLRACE_VERSION), field("listen", addresses),
             field("description", description));
}

ExitCode fail_to_start(const Error& error) {
    log_error("start failed", field("error", error.message));
    return ExitCode::failed;
}

// What a running service is led with.
struct Service {
    Server& server;
    const ServeCommand& command;
    const std::string status;  // for the manager
    Config config;             // its live keys are those in force
    bool is_stopping = false;

    void reload() {
        if (!is_stopping) notify_reloading();  // else its status stays "stopping"
        if (auto taken = reload_from_file(server, command.config_path, command.overrides)) {
            config = std::move(*taken);
        }
        if (!is_stopping) notify_ready(status);
    }

    // False when it is told to stop.
    bool follow(ServiceSignal signal) {
        switch (signal) {
        case ServiceSignal::report: server.log_state(); return true;
        case ServiceSignal::step_log_level: step_log_level(); return true;
        case ServiceSignal::reload: reload(); return true;
        case ServiceSignal::stop: return false;
        }
        MR_UNREACHABLE();
    }

    void follow_signals() {
        ServiceWatch watch(server);
        while (true) {
            const std::optional<ServiceSignal> signal = wait_for_signal(watch.next_look());
            watch.look_if_due();  // however many signals come
            if (signal && !follow(*signal)) return;
        }
    }

    // At the rate that the configuration has. It may take long: a line now and then says how far it
    // is, and the manager gives it more time for as long as connections go.
    void drain() {
        constexpr Duration between_lines = Duration::s(10);
        constexpr std::chrono::milliseconds between_signals{100};
        is_stopping = true;
        uint64_t connections = server.stats().connections;
        log_info("server stopping", field("connections", connections));
        notify_stopping(between_lines + stop_time_of(config));
        Instant next_line = monotonic_now() + between_lines;
        server.drain();
        while (!server.wait_until_drained(between_signals)) {
            // One at a time: however many come, the end is seen. A stop signal that is taken here ends
            // the process, as it does at any other moment.
            const std::optional<ServiceSignal> signal = wait_for_signal(monotonic_now());
            if (signal && !follow(*signal)) static_cast<void>(std::raise(SIGTERM));
            if (monotonic_now() < next_line) continue;
            next_line = monotonic_now() + between_lines;
            const uint64_t left = server.stats().connections;
            if (left < connections) notify_stopping(between_lines + stop_time_of(config));
            log_info("drain goes on", field("connections", left));
            connections = left;
        }
    }
};

}  // namespace

ExitCode serve(const ServeCommand& command) {
    // Before anything that takes time: a signal that comes meanwhile waits for follow_signals().
    if (!command.check && !command.print_budget) block_service_signals();
    const auto config = make_config(command.config_path, command.overrides);
    if (!config) return complain(ExitCode::usage, config.error().message);
    if (command.check) {
        fmt::print("the configuration is good\n");
        return ExitCode::success;
    }
    if (command.print_budget) return print_budget(*config);

    apply_log_options(config->log);
    Error error;
    const std::unique_ptr<Server> server = Server::create(*config, error);
    if (server == nullptr) return fail_to_start(error);
    if (auto fault = server->start()) return fail_to_start(*fault);
    const std::string addresses = listen_text(*config, *server);
    tell_start(*server, addresses);
    Service service{*server, command, "listens on " + addresses, *config};
    notify_ready(service.status);
    service.follow_signals();
    let_stop_signals_end();
    service.drain();
    server->stop();
    log_info("server stopped");
    return ExitCode::success;
}

}  // namespace millrace
