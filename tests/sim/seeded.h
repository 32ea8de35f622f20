// What programs that run simulations by their seeds share.
// Owned by: the program; one run at a time.
#pragma once

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <unistd.h>

#include <fmt/format.h>

namespace millrace::sim {

// How to repeat the run at hand; printed by the signal handler too.
inline char repeat_command[200];

template <class... Parts>
void note_run(fmt::format_string<Parts...> command, Parts&&... parts) {
    const auto end = fmt::format_to_n(repeat_command, sizeof(repeat_command) - 1,
                                      "repeat with: {}\n",
                                      fmt::format(command, std::forward<Parts>(parts)...));
    *end.out = '\0';
}

inline void print_repeat_command_on_abort() {
    std::signal(SIGABRT, [](int) {
        [[maybe_unused]] const auto written =
            ::write(2, repeat_command, std::strlen(repeat_command));
    });
}

// "--name=123", with "--name=" for `name`.
template <class Number>
bool read_number(std::string_view argument, std::string_view name, Number& value) {
    if (!argument.starts_with(name)) return false;
    const std::string_view text = argument.substr(name.size());
    const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
    return end.ec == std::errc{} && end.ptr == text.data() + text.size();
}

// A run finds a planted fault or had no occasion for it; of many, most must find it. `run(seed)`
// throws Failure when it does.
template <class Failure, class Run>
bool finds(std::string_view name, bool is_verbose, Run&& run) {
    constexpr uint64_t runs = 20;
    uint64_t found = 0;
    for (uint64_t seed = 1; seed <= runs; ++seed) {
        try {
            run(seed);
        } catch (const Failure& failure) {
            if (is_verbose) fmt::print("{}, seed {}: {}\n", name, seed, failure.what());
            ++found;
        }
    }
    fmt::print("{}: found in {} of {} runs\n", name, found, runs);
    return found * 2 > runs;
}

// 2 for an argument that `parse` doesn't know, else what `run_all` says.
template <class Options>
int run_program(std::string_view program, int argument_count, char** arguments,
                bool (*parse)(std::string_view, Options&), int (*run_all)(const Options&)) {
    Options options;
    for (int index = 1; index < argument_count; ++index) {
        if (parse(arguments[index], options)) continue;
        fmt::print(stderr, "{}: unknown argument {}\n", program, arguments[index]);
        return 2;
    }
    print_repeat_command_on_abort();
    return run_all(options);
}

}  // namespace millrace::sim
