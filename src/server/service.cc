#include "server/service.h"

#include <cstdio>

#include <fmt/format.h>

#include "base/log.h"
#include "millrace/server.h"
#include "millrace/version.h"
#include "server/backends.h"
#include "server/budget.h"
#include "server/config_keys.h"
#include "server/host_facts.h"
#include "server/log_options.h"
#include "server/object_sizes.h"
#include "server/signals.h"

namespace millrace {
namespace {

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

// Until it is told to stop.
void follow_signals(Server& server) {
    while (true) {
        switch (wait_for_signal()) {
        case ServiceSignal::report: server.log_state(); break;
        case ServiceSignal::step_log_level: step_log_level(); break;
        case ServiceSignal::stop: return;
        }
    }
}

// At the rate that the configuration has; a line now and then says how far it is.
void drain(Server& server) {
    constexpr std::chrono::seconds between_lines{10};
    server.drain();
    while (!server.wait_until_drained(between_lines)) {
        log_info("drain: {} connections are left", server.stats().connections);
    }
}

}  // namespace

ExitCode serve(const ServeCommand& command) {
    const auto config = make_config(command.config_path, command.overrides);
    if (!config) return complain(ExitCode::usage, config.error().message);
    if (command.check) {
        fmt::print("the configuration is good\n");
        return ExitCode::success;
    }
    if (command.print_budget) return print_budget(*config);

    block_service_signals();
    apply_log_options(config->log);
    Error error;
    const std::unique_ptr<Server> server = Server::create(*config, error);
    if (server == nullptr) return fail_to_start(error);
    if (auto fault = server->start()) return fail_to_start(*fault);
    tell_start(*server, listen_text(*config, *server));
    follow_signals(*server);
    let_stop_signals_end();
    log_info("server stopping", field("connections", server->stats().connections));
    if (config->drain.rate != 0) drain(*server);
    server->stop();
    log_info("server stopped");
    return ExitCode::success;
}

}  // namespace millrace
