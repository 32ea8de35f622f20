// Simulates two TCP stacks and a bad network. Everything follows from the seed.
//
//     tcp_sim --seeds=COUNT [--first=N]        that many runs (--verbose: what each did)
//     tcp_sim --seeds=1 --first=N --trace      one run, to repeat a failure, frame by frame
//     tcp_sim --self-test                      plants faults; the checkers have to find them
#include <cstdio>
#include <string_view>

#include <fmt/format.h>

#include "seeded.h"
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

bool run_one(uint64_t seed, const Options& options) {
    note_run("tcp_sim --seeds=1 --trace --first={}", seed);
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

bool finds(Sabotage sabotage, std::string_view name, const Options& options) {
    return sim::finds<Failure>(name, options.is_verbose, [&](uint64_t seed) {
        note_run("tcp_sim --self-test; seed {}", seed);
        TcpRun(seed, sabotage).run();
    });
}

bool self_test(const Options& options) {
    const bool finds_bytes = finds(Sabotage::alter_bytes, "an altered byte", options);
    const bool finds_fin = finds(Sabotage::early_fin, "an early FIN", options);
    const bool finds_reference = finds(Sabotage::keep_reference, "a kept reference", options);
    const bool finds_deaf = finds(Sabotage::deaf, "a network that stays silent", options);
    return finds_bytes && finds_fin && finds_reference && finds_deaf;
}

bool parse(std::string_view argument, Options& options) {
    const auto number = [&](std::string_view name, auto& value) {
        return read_number(argument, name, value);
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
    using namespace millrace::sim;
    return run_program<Options>("tcp_sim", argument_count, arguments, parse, run_all);
}
