// Simulates brokers, clients and a bad network. Everything follows from the seed.
//
//     broker_sim --seed=N [--steps=M] [--trace]   one run, to repeat a failure
//     broker_sim --seeds=COUNT [--first=N]          that many runs (--verbose: what each did)
//     broker_sim --drains=COUNT                     runs that end with a drain
//     broker_sim --self-test                        plants faults; the checkers have to find them
//     broker_sim --limits=COUNT                     runs with low limits: drops are counted
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "limits_run.h"
#include "random_run.h"
#include "seeded.h"

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
    bool with_drain = false;
};

bool run_random(uint64_t seed, const Options& options) {
    note_run("broker_sim {}={} --steps={}", options.with_drain ? "--drains=1 --first" : "--seed", seed,
             options.steps);
    try {
        RandomRun run(seed, options.steps, Sabotage::none);
        if (options.is_traced) run.trace();
        options.with_drain ? run.run_drain() : run.run();
        if (options.is_verbose) fmt::print("seed {}: {}\n", seed, run.summary());
        return true;
    } catch (const Failure& failure) {
        fmt::print(stderr, "seed {}: {}\n{}", seed, failure.what(), repeat_command);
        return false;
    }
}

bool run_limits(uint64_t seed, const Options& options) {
    note_run("broker_sim --limits=1 --first={} --steps={}", seed, options.steps);
    try {
        LimitsRun(seed).run();
        return true;
    } catch (const Failure& failure) {
        fmt::print(stderr, "limits, seed {}: {}\n{}", seed, failure.what(), repeat_command);
        return false;
    }
}

bool finds(Sabotage sabotage, std::string_view name, const Options& options) {
    return sim::finds<Failure>(name, options.is_verbose, [&](uint64_t seed) {
        note_run("broker_sim --self-test; seed {} --steps={}", seed, options.steps);
        RandomRun(seed, options.steps, sabotage).run();
    });
}

bool parse(std::string_view argument, Options& options) {
    const auto number = [&](std::string_view name, auto& value) {
        return read_number(argument, name, value);
    };
    if (number("--seed=", options.first) || number("--first=", options.first) ||
        number("--seeds=", options.count) || number("--steps=", options.steps)) {
        return true;
    }
    if (number("--limits=", options.count)) return options.with_limits = true;
    if (number("--drains=", options.count)) return options.with_drain = true;
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
    using namespace millrace::sim;
    return run_program<Options>("broker_sim", argument_count, arguments, parse, run_all);
}
