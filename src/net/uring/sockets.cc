#include "net/uring/sockets.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <netinet/tcp.h>
#include <unistd.h>

namespace millrace::uring {

namespace {

bool set_option(int descriptor, int level, int name, int value) {
    return ::setsockopt(descriptor, level, name, &value, sizeof(value)) == 0;
}

bool set_send_bytes(int descriptor, uint32_t bytes) {
    return bytes == 0 ||
           set_option(descriptor, SOL_SOCKET, SO_SNDBUF, static_cast<int>(bytes));
}

}  // namespace

Outcome<Listening> open_listening(const Endpoint& local, const ListenSettings& settings) {
    Result<SocketAddress> address = parse_address(local);
    if (!address) {
        return fail(Errc::invalid_argument,
                    "listen: '" + local.host + "' is not an IPv4 or IPv6 address");
    }
    const int descriptor = ::socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool ok =
        descriptor >= 0 && set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
        set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) &&
        set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) &&
        set_send_bytes(descriptor, settings.send_bytes) &&
        set_send_timeout(descriptor, settings.send_timeout_ms) &&
        ::bind(descriptor, address->get(), address->bytes) == 0 &&
        ::listen(descriptor, static_cast<int>(settings.backlog)) == 0 &&
        ::getsockname(descriptor, address->get(), &address->bytes) == 0;
    if (!ok) {
        const int error = errno;
        if (descriptor >= 0) ::close(descriptor);
        return fail(Errc::system, "listen: " + local.host + " port " + std::to_string(local.port) +
                                      ": " + std::strerror(error));
    }
    return Listening{descriptor, address->port()};
}

bool set_send_timeout(int descriptor, uint32_t timeout_ms) {
    // 0 is the kernel's own limit, and what a new socket has.
    return set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
}

int open_client(const SocketAddress& remote, const std::string& source_host, uint32_t send_bytes) {
    const int descriptor = ::socket(remote.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    bool ok = set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) &&
              set_send_bytes(descriptor, send_bytes);
    if (ok && !source_host.empty()) {
        const Result<SocketAddress> source = parse_address({source_host, 0});
        // The port is chosen at connect: then only the whole four-tuple must be unused.
        ok = source && source->family() == remote.family() &&
             set_option(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1) &&
             ::bind(descriptor, source->get(), source->bytes) == 0;
    }
    if (ok) return descriptor;
    ::close(descriptor);
    return -1;
}

}  // namespace millrace::uring
