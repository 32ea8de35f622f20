// A socket that listens, made the ordinary way.
// Owned by: whoever called. Thread: any.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "millrace/config.h"

namespace millrace {

struct ListenSocket {
    int descriptor;  // not blocking
    uint16_t port;   // the one that was picked when 0 was asked for
};

// The message has the address, the reason and how to mend it.
Outcome<ListenSocket> open_listen_socket(const ListenAddress& address);

}  // namespace millrace
