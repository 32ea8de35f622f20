#include "admin/listen_socket.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "net/socket_address.h"

namespace millrace {
namespace {

constexpr int backlog = 16;

// -1 and errno, or the socket. `address` gets the port that was picked.
int open_bound(SocketAddress& address) {
    const int descriptor =
        ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (descriptor < 0) return -1;
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address.family() == AF_INET6) {
        ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (::bind(descriptor, address.get(), address.bytes) == 0 &&
        ::listen(descriptor, backlog) == 0 &&
        ::getsockname(descriptor, address.get(), &address.bytes) == 0) {
        return descriptor;
    }
    const int error = errno;
    ::close(descriptor);
    errno = error;
    return -1;
}

}  // namespace

Outcome<ListenSocket> open_listen_socket(const ListenAddress& local) {
    Result<SocketAddress> address = parse_address({local.host, local.port});
    errno = EINVAL;
    const int descriptor = address ? open_bound(*address) : -1;
    if (descriptor >= 0) return ListenSocket{descriptor, address->port()};
    const int error = errno;
    return fail(Errc::system, fmt::format("{} port {}: {}; {}", local.host, local.port,
                                          std::strerror(error), mend_of_bind(error)));
}

}  // namespace millrace
