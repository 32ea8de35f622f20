#include "server/port_probe.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace {

namespace {

// 0, or the errno of a bind that shares with nobody.
int try_bind(int family, const sockaddr* address, socklen_t address_bytes) {
    const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return errno;
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const int error = ::bind(descriptor, address, address_bytes) == 0 ? 0 : errno;
    ::close(descriptor);
    return error;
}

const char* mend_of(int error) {
    switch (error) {
    case EADDRINUSE: return "stop what listens there, or give another address with --listen";
    case EADDRNOTAVAIL: return "give an address that this host has (ip address)";
    case EACCES: return "give a port above 1023, or the right to take this one (CAP_NET_BIND_SERVICE)";
    default: return "give another address with --listen";
    }
}

}  // namespace

std::optional<Error> probe_port(const Endpoint& local) {
    if (local.port == 0) return std::nullopt;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    int error = EINVAL;
    if (::inet_pton(AF_INET, local.host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(local.port);
        error = try_bind(AF_INET, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
    } else if (::inet_pton(AF_INET6, local.host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(local.port);
        error = try_bind(AF_INET6, reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
    }
    if (error == 0) return std::nullopt;
    return Error{Errc::system,
                 fmt::format("listen: {} port {}: {}; {}", local.host, local.port,
                             std::strerror(error), mend_of(error))};
}

}  // namespace millrace
