// The signals that a running server follows, taken one by one without a handler.
// Owned by: the main thread.
// Holds:    block_service_signals() runs before any thread starts, so that every thread inherits
//           the mask and only wait_for_signal() ever takes one.
// Not here: what is done about a signal (service.cc).
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace millrace {

enum class ServiceSignal : uint8_t {
    stop,            // SIGTERM, SIGINT
    report,          // SIGUSR1
    step_log_level,  // SIGUSR2
    reload,          // SIGHUP
};

// Blocks the signals above for this thread and those it will start, and ignores SIGPIPE: a peer that
// is gone is an error code of the call that wrote.
void block_service_signals();

// Sleeps until one of them comes, or `deadline` has passed: then it's none. One that came before is
// returned at once.
std::optional<ServiceSignal> wait_for_signal(Instant deadline = Instant::never());

// From here on SIGTERM or SIGINT ends the process at once, whatever its threads do: for whoever
// doesn't want to wait for the orderly end.
void let_stop_signals_end();

}  // namespace millrace
