// What the service manager is told: that we are ready, reloading, stopping, alive (sd_notify(3)).
// Owned by: the main thread; functions.
// Holds:    nothing happens where nobody asked, without NOTIFY_SOCKET in the environment. What can't
//           be told is no error: the service goes on, after two seconds if the manager doesn't read.
// Not here: when we are alive (watchdog.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace millrace {

// The assignments that make up such a message, one a line; pure, for the tests as well. A status is
// one line: control characters become spaces.
std::string ready_message(std::string_view status, int64_t process);
// systemd demands the time of the reload, on CLOCK_MONOTONIC, so that it knows which "ready" ends it.
std::string reloading_message(Instant now);
// Stopping may take `time_max`: the time to stop doesn't end before. The manager's watchdog has ended
// by then, and a WATCHDOG_USEC would start another one.
std::string stopping_message(Duration time_max);
// What WATCHDOG_USEC and WATCHDOG_PID come to for the process `own` (sd_watchdog_enabled(3)).
std::optional<Duration> parse_watchdog(std::string_view timeout_us, std::string_view process,
                                       int64_t own);

// After the start, and after every reload.
void notify_ready(std::string_view status);
void notify_reloading();
void notify_stopping(Duration time_max);
// WATCHDOG=1: the service does its work.
void notify_alive();

// How long the manager waits for notify_alive() before it restarts us; nullopt: it doesn't.
std::optional<Duration> watchdog_timeout();

}  // namespace millrace
