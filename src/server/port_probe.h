// Is a port free? Shards share one with each other (SO_REUSEPORT), so the kernel would let a second
// server of the same user share it as well, and take half of the clients.
// Owned by: nobody. Thread: any, before the shards listen.
#pragma once

#include <optional>

#include "net/transport.h"

namespace millrace {

// The error when somebody listens on it already, or the address isn't this host's.
std::optional<Error> probe_port(const Endpoint& local);

}  // namespace millrace
