// What stack_peer is started with: its port, its addresses, and how its TCP behaves.
// Owned by: values.
#pragma once

#include <optional>

#include "port/port.h"
#include "stack/stack_options.h"

namespace millrace::test {

struct PeerOptions {
    PortOptions port;
    StackOptions stack;
};

// Nothing when the program is to end at once, with `status`: bad arguments or --help.
std::optional<PeerOptions> parse_peer_options(int count, char** arguments, int& status);

}  // namespace millrace::test
