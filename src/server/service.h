// `millrace serve`: a server from its configuration to its orderly end, led by signals.
// Owned by: the main thread, which sleeps in here while the shards work.
// Not here: what the signals are (signals.h), the server itself (millrace/server.h).
#pragma once

#include "server/cli.h"
#include "server/exit_codes.h"

namespace millrace {

ExitCode serve(const ServeCommand& command);

}  // namespace millrace
