// Waiting for the signal that ends the process, without a handler.
// Owned by: the main thread.
// Holds:    block_stop_signals() runs before any thread starts, so that every thread inherits the
//           mask and only wait_for_stop_signal() ever takes a signal.
#pragma once

namespace millrace {

// Blocks SIGTERM and SIGINT for this thread and those it will start, and ignores SIGPIPE: a peer
// that is gone is an error code of the call that wrote.
void block_stop_signals();

// Sleeps until SIGTERM or SIGINT comes and returns it. A second one then ends the process at
// once, whatever its threads do: for whoever doesn't want to wait for the orderly end.
int wait_for_stop_signal();

}  // namespace millrace
