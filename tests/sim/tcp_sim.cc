// Simulates two TCP stacks and a bad network. Everything follows from the seed.
//
//     tcp_sim --seeds=COUNT [--first=N]        that many runs (--verbose: what each did)
//     tcp_sim --seeds=1 --first=N --trace      one run, to repeat a failure, frame by frame
//     tcp_sim --self-test                      plants faults; the checkers have to find them
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "tcp_run.h"

namespace millrace::sim {

namespace {

struct Options {
    uint64_t first = 1;
    uint64_t count = 1;
    bool is_verbose = false;
    bool is_traced = false;
    bool is_self_test = false;
};

// How to repeat the run at hand; printed by the signal handler too.
char repeat_command[200];

void note_run(std::string_view what, uint64_t seed) {
    const auto end = fmt::format_to_n(repeat_command, sizeof(repeat_command) - 1,
                                      "repeat with: tcp_sim {}{}\n", what, seed);
    *end.out = '\0';
}

void on_abort(int) {
    [[maybe_unused]] const auto written = ::write(2, repeat_command, std::strlen(repeat_command));
}

bool run_one(uint64_t seed, const Options& options) {
    note_run("--seeds=1 --trace --first=", seed);
    TcpRun run(seed, Sabotage::none);
    try {
        if (options.is_traced) run.trace();
        run.run();
        if (options.is_verbose) fmt::print("seed {}: {}\n", seed, run.summary());
        return true;
    } catch (const Failure& failure) {
        if (options.is_traced) fmt::print("{}", run.dump());
        std::fflush(stdout);
        fmt::print(stderr, "seed {}: {}\n{}", seed, failure.what(), repeat_command);
        return false;
    }
}

// A run finds a planted fault or had no occasion for it; of many, most must find it.
bool finds(Sabotage sabotage, std::string_view name, const Options& options) {
    constexpr uint64_t runs = 20;
    uint64_t found = 0;
    for (uint64_t seed = 1; seed <= runs; ++seed) {
        note_run("--self-test; seed ", seed);
        try {
            TcpRun(seed, sabotage).run();
        } catch (const Failure& failure) {
            if (options.is_verbose) fmt::print("{}, seed {}: {}\n", name, seed, failure.what());
            ++found;
        }
    }
    fmt::print("{}: found in {} of {} runs\n", name, found, runs);
    return found * 2 > runs;
}

bool self_test(const Options& options) {
    const bool finds_bytes = finds(Sabotage::alter_bytes, "an altered byte", options);
    const bool finds_fin = finds(Sabotage::early_fin, "an early FIN", options);
    const bool finds_reference = finds(Sabotage::keep_reference, "a kept reference", options);
    const bool finds_deaf = finds(Sabotage::deaf, "a network that stays silent", options);
    return finds_bytes && finds_fin && finds_reference && finds_deaf;
}

bool parse(std::string_view argument, Options& options) {
    const auto number = [&](std::string_view name, uint64_t& value) {
        if (!argument.starts_with(name)) return false;
        const std::string_view text = argument.substr(name.size());
        const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
        return end.ec == std::errc{} && end.ptr == text.data() + text.size();
    };
    if (number("--first=", options.first) || number("--seeds=", options.count)) return true;
    if (argument == "--verbose") return options.is_verbose = true;
    if (argument == "--trace") return options.is_traced = true;
    if (argument == "--self-test") return options.is_self_test = true;
    return false;
}

int run_all(const Options& options) {
    if (options.is_self_test) return self_test(options) ? 0 : 1;
    uint64_t failures = 0;
    for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
        failures += run_one(seed, options) ? 0 : 1;
    }
    fmt::print("{} runs, {} failures\n", options.count, failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace millrace::sim

int main(int argument_count, char** arguments) {
    millrace::sim::Options options;
    for (int index = 1; index < argument_count; ++index) {
        if (!millrace::sim::parse(arguments[index], options)) {
            std::fprintf(stderr, "tcp_sim: unknown argument %s\n", arguments[index]);
            return 2;
        }
    }
    std::signal(SIGABRT, millrace::sim::on_abort);
    return millrace::sim::run_all(options);
}
