#include "server/service.h"

#include <cstdio>

#include <fmt/format.h>

#include "base/log.h"
#include "millrace/server.h"
#include "millrace/version.h"
#include "server/backends.h"
#include "server/budget.h"
#include "server/host_facts.h"
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

void print_start_line(const Config& config, const Server& server) {
    const std::vector<uint16_t> ports = server.ports();
    std::string addresses;
    for (size_t index = 0; index < config.listen.size(); ++index) {
        const std::string& host = config.listen[index].host;
        const bool is_v6 = host.find(':') != std::string::npos;
        addresses += fmt::format("{}{}{}{}:{}", index == 0 ? "" : ", ", is_v6 ? "[" : "", host,
                                 is_v6 ? "]" : "", ports[index]);
    }
    fmt::print("millrace {} ({}) listens on {}; {}\n", MILLRACE_VERSION, backends_text(), addresses,
               server.description());
    std::fflush(stdout);
}

// Until it is told to stop.
void follow_signals(Server& server) {
    while (true) {
        switch (wait_for_signal()) {
        case ServiceSignal::report: server.log_state(); break;
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
    Error error;
    const std::unique_ptr<Server> server = Server::create(*config, error);
    if (server == nullptr) return complain(ExitCode::failed, error.message);
    if (auto fault = server->start()) return complain(ExitCode::failed, fault->message);
    print_start_line(*config, *server);
    follow_signals(*server);
    let_stop_signals_end();
    fmt::print(stderr, "millrace: stopping\n");
    if (config->drain.rate != 0) drain(*server);
    server->stop();
    return ExitCode::success;
}

}  // namespace millrace
