// The command line as a value.
// Owned by: main. Thread: main's, before anything else runs.
// Holds:    what comes out is checked: main only acts on it.
// Not here: what a command does; reading the configuration file (config_file.h).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "server/config_file.h"
#include "server/doctor/doctor.h"
#include "server/load_command.h"
#include "server/remote/memory_command.h"
#include "server/remote/top_command.h"
#include "server/remote/trace_command.h"

namespace millrace {

// --help and --version: print it on standard output and end with success.
struct PrintCommand {
    std::string text;  // ends with a newline
};

// Run the broker with make_config(config_path, overrides).
struct ServeCommand {
    std::optional<std::string> config_path;
    std::vector<ConfigOverride> overrides;
    bool check = false;         // only say whether the configuration is good
    bool print_budget = false;  // only print the memory bill
};

// Say what on this host hurts a server with make_config(config_path, {}).
struct DoctorCommand {
    std::optional<std::string> config_path;
    doctor::Request request;
};

struct CommandLine {
    std::variant<PrintCommand, ServeCommand, DoctorCommand, remote::MemoryCommand,
                 remote::TopCommand, remote::TraceCommand, LoadRequest>
        command;
};

// The error is one line that names the option, its value and what is accepted; main prints it and
// ends with ExitCode::usage.
//
// cli.cc is the one file of src/ that is compiled with exceptions, because CLI11 reports by
// them. None leaves it.
Outcome<CommandLine> parse_command_line(int argument_count, const char* const* arguments);

}  // namespace millrace
