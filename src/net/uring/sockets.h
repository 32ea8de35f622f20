// Sockets made the ordinary way: those that listen, and those that connect from a chosen address.
// Owned by: the caller gets a descriptor and closes it.
// Holds:    none is O_NONBLOCK: io_uring then waits for readiness itself.
#pragma once

#include "base/result.h"
#include "net/socket_address.h"

namespace millrace::uring {

struct ListenSettings {
    uint32_t backlog = 4'096;
    // All inherited by what is accepted.
    uint32_t send_bytes = 0;  // SO_SNDBUF; 0: the kernel's tuning
    uint32_t send_timeout_ms = 0;  // TCP_USER_TIMEOUT; 0: the kernel's own
};
struct Listening {
    int descriptor;
    uint16_t port;
};
// Shares its port with other shards (SO_REUSEPORT); accepted sockets inherit TCP_NODELAY.
Outcome<Listening> open_listening(const Endpoint& local, const ListenSettings& settings);

// Of a listening socket, for those that it will accept; those accepted before keep theirs.
// False when the kernel refuses.
bool set_send_timeout(int descriptor, uint32_t timeout_ms);

// A socket ready to connect to `remote`; -1 when descriptors or memory have run out, or when
// source_host can't be bound.
int open_client(const SocketAddress& remote, const std::string& source_host, uint32_t send_bytes);

}  // namespace millrace::uring
