// Waiting for the signal that ends the process, without a handler.
// Owned by: the main thread.
// Holds:    block_stop_signals() runs before any thread starts, so that every thread inherits the
//           mask and only wait_for_stop_signal() ever takes a signal.
#pragma once

#include <functional>

namespace millrace {

// Blocks SIGTERM, SIGINT and SIGUSR1 for this thread and those it will start, and ignores SIGPIPE: a peer
// that is gone is an error code of the call that wrote.
void block_stop_signals();

// Sleeps until SIGTERM or SIGINT comes and returns it. A second one then ends the process at
// once, whatever its threads do: for whoever doesn't want to wait for the orderly end. Each SIGUSR1
// before calls `on_report`.
int wait_for_stop_signal(const std::function<void()>& on_report);

}  // namespace millrace
