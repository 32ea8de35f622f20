// Floors: what the input and output of a broker cost without the broker (perf/README.md). The
// caller pins each process to its core. A result is one line of JSON on standard output.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <map>
#include <string>

#include "commands.h"

namespace millrace::floors {
namespace {

struct Commands {
    SendOptions send;
    ReceiveOptions receive;
    EchoOptions echo;
    PingOptions ping;
    AcceptOptions accept;
    std::function<void()> run;
};

constexpr uint32_t count_max = 1'000'000;
constexpr uint32_t message_bytes_max = 1 << 20;
constexpr double seconds_max = 3'600;

void declare_endpoint(CLI::App& app, Endpoint& endpoint) {
    app.add_option("--address", endpoint.address, "IPv4 (127.0.0.1)");
    app.add_option("--port", endpoint.port, "a server takes a free one for 0");
}

void declare_seconds(CLI::App& app, double& seconds, const char* help) {
    app.add_option("--seconds", seconds, help)->check(CLI::Range(0.01, seconds_max));
}

void declare_count(CLI::App& app, const char* name, uint32_t& count, uint32_t count_most,
                   const char* help) {
    app.add_option(name, count, help)->check(CLI::Range(1u, count_most));
}

void declare_send(CLI::App& app, SendOptions& options) {
    declare_endpoint(app, options.local);
    declare_count(app, "--receivers", options.receivers, count_max, "connections to send to");
    declare_count(app, "--bytes", options.bytes, message_bytes_max,
                  "of a message, header included");
    declare_count(app, "--window", options.window, 4'096,
                  "messages to each receiver before it waits for all of them");
    app.add_flag("--coalesce", options.coalesce, "a window leaves in one send a receiver");
    const std::map<std::string, Engine> engines{{"write", Engine::write}, {"uring", Engine::uring}};
    app.add_option("--engine", options.engine, "write or uring")
        ->transform(CLI::CheckedTransformer(engines));
    declare_seconds(app, options.seconds, "measured, after a warm-up of a tenth");
}

void declare_ping(CLI::App& app, PingOptions& options) {
    declare_endpoint(app, options.remote);
    declare_count(app, "--connections", options.connections, count_max, "to the echo");
    declare_count(app, "--bytes", options.bytes, message_bytes_max, "of a message");
    auto* window = app.add_option("--window", options.window, "closed loop: outstanding each")
                       ->check(CLI::Range(1u, 65'536u));
    app.add_option("--rate", options.per_second, "open loop: messages a second in all")
        ->check(CLI::Range(0.1, 1e7))
        ->excludes(window);
    app.add_flag("--sleep", options.sleeps, "open loop: sleeps until one is due; spins otherwise");
    declare_seconds(app, options.seconds, "measured, after a warm-up of a tenth");
}

template <class Options>
CLI::App& add_command(CLI::App& app, const char* name, const char* help, Commands& commands,
                      Options& options, void (*run)(const Options&)) {
    CLI::App* command = app.add_subcommand(name, help);
    command->callback(
        [&commands, &options, run] { commands.run = [&options, run] { run(options); }; });
    return *command;
}

void declare(CLI::App& app, Commands& all) {
    app.require_subcommand(1);
    declare_send(
        add_command(app, "send", "a bare sender to many receivers", all, all.send, run_send),
        all.send);

    CLI::App& receive =
        add_command(app, "receive", "the receivers of `send`", all, all.receive, run_receive);
    declare_endpoint(receive, all.receive.remote);
    declare_count(receive, "--receivers", all.receive.receivers, count_max, "as `send` has");
    declare_seconds(receive, all.receive.seconds, "gives up then");

    CLI::App& echo =
        add_command(app, "echo", "sends back what comes, until SIGTERM", all, all.echo, run_echo);
    declare_endpoint(echo, all.echo.local);
    declare_count(echo, "--bytes", all.echo.bytes, message_bytes_max,
                  "of a message, to count them");
    declare_seconds(echo, all.echo.seconds, "ends then in any case");

    declare_ping(add_command(app, "ping", "round trips to `echo`", all, all.ping, run_ping),
                 all.ping);

    CLI::App& accept = add_command(app, "accept", "a CONNACK to every client, until SIGTERM", all,
                                   all.accept, run_accept);
    declare_endpoint(accept, all.accept.local);
    declare_seconds(accept, all.accept.seconds, "ends then in any case");
}

int main_of(int count, char** arguments) {
    CLI::App app("What the input and output of a broker cost without the broker");
    Commands commands;
    declare(app, commands);
    try {
        app.parse(count, arguments);
    } catch (const CLI::Error& error) {
        return app.exit(error);
    }
    try {
        raise_open_file_limit();
        commands.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "floors: %s\n", error.what());
        return 1;
    }
    return 0;
}

}  // namespace
}  // namespace millrace::floors

int main(int count, char** arguments) {
    return millrace::floors::main_of(count, arguments);
}
