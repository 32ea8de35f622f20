#include "admin/listen_socket.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace millrace {
namespace {

constexpr int backlog = 16;

// -1 and errno, or the socket.
int open_bound(const addrinfo& local) {
    const int descriptor =
        ::socket(local.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (descriptor < 0) return -1;
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (local.ai_family == AF_INET6) {
        ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (::bind(descriptor, local.ai_addr, local.ai_addrlen) == 0 &&
        ::listen(descriptor, backlog) == 0) {
        return descriptor;
    }
    const int error = errno;
    ::close(descriptor);
    errno = error;
    return -1;
}

uint16_t port_of(int descriptor) {
    sockaddr_storage bound{};
    socklen_t bytes = sizeof(bound);
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &bytes) != 0) return 0;
    // The port stands at the same place for both families.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

}  // namespace

Outcome<ListenSocket> open_listen_socket(const ListenAddress& address) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(address.port);
    const int fault = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
    if (fault != 0) {
        return fail(Errc::system, fmt::format("{} port {}: {}", address.host, address.port,
                                              ::gai_strerror(fault)));
    }
    const int descriptor = open_bound(*found);
    const int error = errno;
    ::freeaddrinfo(found);
    if (descriptor < 0) {
        return fail(Errc::system, fmt::format("{} port {}: {}", address.host, address.port,
                                              std::strerror(error)));
    }
    return ListenSocket{descriptor, port_of(descriptor)};
}

}  // namespace millrace
