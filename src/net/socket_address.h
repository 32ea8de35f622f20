// A TCP address as the kernel's sockets take it, and what to do when it can't be bound.
// Owned by: values. Thread: any.
// Not here: names: an address is an address, and nobody waits for a resolver.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/result.h"
#include "net/transport.h"

namespace millrace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t bytes = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    int family() const { return storage.ss_family; }
    uint16_t port() const;
};

// IPv4 or IPv6 in text; invalid_argument otherwise.
Result<SocketAddress> parse_address(const Endpoint& endpoint);

// For who reads that bind(2) failed with this errno.
const char* mend_of_bind(int error);

}  // namespace millrace
