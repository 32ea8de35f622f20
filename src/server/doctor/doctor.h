// `millrace doctor`: reads a host as the server would meet it, and says what hurts.
// Owned by: main. Thread: main's. Nothing is changed on the host.
// Not here: its parts (read_facts.h, probe.h, judge.h, report.h), the command line (cli.h).
#pragma once

#include <string>

#include "base/result.h"
#include "millrace/config.h"
#include "server/budget.h"
#include "server/exit_codes.h"

namespace millrace::doctor {

struct Request {
    std::string root =
        "/";  // proc and sys are read below it; another than / isn't the running host
    bool json = false;
    bool has_config_file = false;  // else the text says that the defaults are judged
};

struct Answer {
    std::string text;                   // for standard output
    ExitCode code = ExitCode::success;  // what the weightiest finding makes of it
};

// Errors: a root that has neither proc nor sys.
Outcome<Answer> examine(const Config& config, const ObjectSizes& sizes, const Request& request);

}  // namespace millrace::doctor
