// What the process tells its caller when it ends.
// Owned by: nobody. Thread: any.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace millrace {

enum class ExitCode : int {
    success = 0,
    failed = 1,  // the host refused, or a load run lost messages
    usage = 2,   // a wrong command line or configuration; nothing was started
    // Of `millrace doctor`, which looked and changed nothing.
    costs_performance = 3,
    limits_capacity = 4,  // below the configuration, or a server wouldn't start
};

constexpr int to_int(ExitCode code) {
    return static_cast<int>(code);
}

// Says on standard error why the process ends, and passes the code on.
inline ExitCode complain(ExitCode code, std::string_view text) {
    // Where nobody can read it, the code still says it: fmt::print would end the process.
    const std::string line = fmt::format("millrace: {}\n", text);
    static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
    return code;
}

}  // namespace millrace
