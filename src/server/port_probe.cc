#include "server/port_probe.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

#include "net/socket_address.h"

namespace millrace {

namespace {

// 0, or the errno of a bind that shares with nobody.
int try_bind(const SocketAddress& address) {
    const int descriptor = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return errno;
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const int error = ::bind(descriptor, address.get(), address.bytes) == 0 ? 0 : errno;
    ::close(descriptor);
    return error;
}

}  // namespace

std::optional<Error> probe_port(const Endpoint& local) {
    if (local.port == 0) return std::nullopt;
    const Result<SocketAddress> address = parse_address(local);
    const int error = address ? try_bind(*address) : EINVAL;
    if (error == 0) return std::nullopt;
    return Error{Errc::system,
                 fmt::format("listen: {} port {}: {}; {}", local.host, local.port,
                             std::strerror(error), mend_of_bind(error))};
}

}  // namespace millrace
