// Simulates brokers, clients and a bad network. Everything follows from the seed.
//
//     broker_sim --seed=N [--steps=M] [--trace]   one run, to repeat a failure
//     broker_sim --seeds=COUNT [--first=N]          that many runs (--verbose: what each did)
//     broker_sim --self-test                        plants faults; the checkers have to find them
//     broker_sim --limits=COUNT                     runs with low limits: drops are counted
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

#include "limits_run.h"
#include "random_run.h"

namespace millrace::sim {

namespace {

struct Options {
    uint64_t first = 1;
    uint64_t count = 1;
    uint32_t steps = 3'000;
    bool is_verbose = false;
    bool is_traced = false;
    bool is_self_test = false;
    bool with_limits = false;
};

// How to repeat the run at hand; printed by the signal handler too.
char repeat_command[200];

void note_run(std::string_view what, uint64_t seed, uint32_t steps) {
    const auto end = fmt::format_to_n(repeat_command, sizeof(repeat_command) - 1,
                                      "repeat with: broker_sim {}{} --steps={}\n", what, seed, steps);
    *end.out = '\0';
}

void on_abort(int) {
    [[maybe_unused]] const auto written = ::write(2, repeat_command, std::strlen(repeat_command));
}

bool run_random(uint64_t seed, const Options& options) {
    note_run("--seed=", seed, options.steps);
    try {
        RandomRun run(seed, options.steps, Sabotage::none);
        if (options.is_traced) run.trace();
        run.run();
        if (options.is_verbose) fmt::print("seed {}: {}\n", seed, run.summary());
        return true;
    } catch (const Failure& failure) {
        fmt::print(stderr, "seed {}: {}\n{}", seed, failure.what(), repeat_command);
        return false;
    }
}

bool run_limits(uint64_t seed, const Options& options) {
    note_run("--limits=1 --first=", seed, options.steps);
    try {
        LimitsRun(seed).run();
        return true;
    } catch (const Failure& failure) {
        fmt::print(stderr, "limits, seed {}: {}\n{}", seed, failure.what(), repeat_command);
        return false;
    }
}

// A run finds a planted fault or had no occasion for it; of many, nearly all must find it.
bool finds(Sabotage sabotage, std::string_view name, const Options& options) {
    constexpr uint64_t runs = 20;
    uint64_t found = 0;
    for (uint64_t seed = 1; seed <= runs; ++seed) {
        note_run("--self-test; seed ", seed, options.steps);
        try {
            RandomRun(seed, options.steps, sabotage).run();
        } catch (const Failure& failure) {
            if (options.is_verbose) fmt::print("{}, seed {}: {}\n", name, seed, failure.what());
            ++found;
        }
    }
    fmt::print("{}: found in {} of {} runs\n", name, found, runs);
    return found * 2 > runs;
}

bool parse(std::string_view argument, Options& options) {
    const auto number = [&](std::string_view name, auto& value) {
        if (!argument.starts_with(name)) return false;
        const std::string_view text = argument.substr(name.size());
        const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
        return end.ec == std::errc{} && end.ptr == text.data() + text.size();
    };
    if (number("--seed=", options.first) || number("--first=", options.first) ||
        number("--seeds=", options.count) || number("--steps=", options.steps)) {
        return true;
    }
    if (number("--limits=", options.count)) return options.with_limits = true;
    if (argument == "--verbose") return options.is_verbose = true;
    if (argument == "--trace") return options.is_traced = true;
    if (argument == "--self-test") return options.is_self_test = true;
    return false;
}

int run_all(const Options& options) {
    if (options.is_self_test) {
        const bool finds_loss = finds(Sabotage::lose_publish, "a lost PUBLISH", options);
        const bool finds_twice = finds(Sabotage::send_twice, "a PUBLISH delivered twice", options);
        return finds_loss && finds_twice ? 0 : 1;
    }
    uint64_t failures = 0;
    for (uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
        const bool passed =
            options.with_limits ? run_limits(seed, options) : run_random(seed, options);
        failures += passed ? 0 : 1;
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
            std::fprintf(stderr, "broker_sim: unknown argument %s\n", arguments[index]);
            return 2;
        }
    }
    std::signal(SIGABRT, millrace::sim::on_abort);
    return millrace::sim::run_all(options);
}
