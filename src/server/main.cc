// The program: parses, then serves, examines or loads. The only place that joins the parts by name.
#include <cstdio>

#include <fmt/format.h>

#include "millrace/server.h"
#include "millrace/version.h"
#include "server/assemble_dpdk.h"
#include "server/assemble_uring.h"
#include "server/backends.h"
#include "server/budget.h"
#include "server/cli.h"
#include "server/exit_codes.h"
#include "server/host_facts.h"
#include "server/signals.h"
#include "tcp/half_open.h"
#include "tcp/tcp_connection.h"
#include "tcp/time_wait.h"

namespace millrace {

namespace {

ExitCode complain(ExitCode code, std::string_view text) {
    fmt::print(stderr, "millrace: {}\n", text);
    return code;
}

// A place in the table of flows is 8 bytes; the table is 85% full at most.
constexpr uint32_t flow_slot_bytes = 10;

ObjectSizes object_sizes() {
    return {
        .connection_bytes = sizeof(Connection),
        .tcp_connection_bytes = sizeof(TcpConnection) + flow_slot_bytes,
        .time_wait_bytes = sizeof(TimeWait),
        .half_open_bytes = sizeof(HalfOpen),
        .session_bytes = sizeof(Session),
        .subscription_bytes = sizeof(Subscription),
        .filter_bytes = sizeof(ExactFilter) + sizeof(void*),
        .retained_bytes = sizeof(StoredMessage),
        .queued_message_bytes = sizeof(QueuedMessage) + sizeof(StoredMessage),
        .inflight_bytes = sizeof(InflightEntry),
    };
}

ExitCode print_budget(const Config& config) {
    const ShardPlan plan = plan_shards(config, read_host_facts());
    fmt::print("{}", render_budget(make_budget(config, object_sizes(),
                                               {plan.count, plan.memory_bytes_each})));
    return ExitCode::success;
}

ExitCode serve(const ServeCommand& command) {
    const auto config = make_config(command.config_path, command.overrides);
    if (!config) return complain(ExitCode::usage, config.error().message);
    if (command.check) {
        fmt::print("the configuration is good\n");
        return ExitCode::success;
    }
    if (command.print_budget) return print_budget(*config);

    block_stop_signals();
    Error error;
    const std::unique_ptr<Server> server = Server::create(*config, error);
    if (server == nullptr) return complain(ExitCode::failed, error.message);
    if (auto fault = server->start()) return complain(ExitCode::failed, fault->message);
    std::string addresses;
    for (size_t index = 0; index < config->listen.size(); ++index) {
        const std::string& host = config->listen[index].host;
        const bool is_v6 = host.find(':') != std::string::npos;
        addresses += fmt::format("{}{}{}{}:{}", index == 0 ? "" : ", ", is_v6 ? "[" : "", host,
                                 is_v6 ? "]" : "", server->ports()[index]);
    }
    fmt::print("millrace {} ({}) listens on {}; {}\n", MILLRACE_VERSION, backends_text(), addresses,
               server->description());
    std::fflush(stdout);
    wait_for_stop_signal([&] { server->log_state(); });
    fmt::print(stderr, "millrace: stopping\n");
    server->stop();
    return ExitCode::success;
}

ExitCode examine(const DoctorCommand& command) {
    const auto config = make_config(command.config_path, {});
    if (!config) return complain(ExitCode::usage, config.error().message);
    const auto answer = doctor::examine(*config, object_sizes(), command.request);
    if (!answer) return complain(ExitCode::usage, answer.error().message);
    fmt::print("{}", answer->text);
    return answer->code;
}

}  // namespace

int run(int argument_count, const char* const* arguments) {
    const auto line = parse_command_line(argument_count, arguments);
    if (!line) return to_int(complain(ExitCode::usage, line.error().message));
    if (const auto* print = std::get_if<PrintCommand>(&line->command)) {
        fmt::print("{}", print->text);
        return to_int(ExitCode::success);
    }
    if (const auto* command = std::get_if<ServeCommand>(&line->command)) {
        return to_int(serve(*command));
    }
    if (const auto* command = std::get_if<DoctorCommand>(&line->command)) {
        return to_int(examine(*command));
    }
    const auto& load = std::get<LoadRequest>(line->command);
    return load.net == "dpdk" ? run_dpdk_load(load) : run_uring_load(load);
}

}  // namespace millrace

int main(int argument_count, char** arguments) {
    return millrace::run(argument_count, arguments);
}
