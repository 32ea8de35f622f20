// `millrace top`: a running server's figures on a screen, again each second.
// Owned by: main. Thread: main's.
// Not here: what stands on the screen (top_view.h).
#pragma once

#include "server/exit_codes.h"
#include "server/remote/http_client.h"

namespace millrace::remote {

struct TopCommand {
    Target target;
    bool once = false;  // print it after a second, and end; so without a terminal
};

ExitCode run_top(const TopCommand& command);

}  // namespace millrace::remote
