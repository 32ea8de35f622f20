#include "net/socket_address.h"

#include <arpa/inet.h>

#include <cerrno>

namespace millrace {

uint16_t SocketAddress::port() const {
    if (family() == AF_INET6) {
        return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
    }
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

Result<SocketAddress> parse_address(const Endpoint& endpoint) {
    SocketAddress address;
    auto& four = *reinterpret_cast<sockaddr_in*>(&address.storage);
    auto& six = *reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (::inet_pton(AF_INET, endpoint.host.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(endpoint.port);
        address.bytes = sizeof(four);
        return address;
    }
    if (::inet_pton(AF_INET6, endpoint.host.c_str(), &six.sin6_addr) == 1) {
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(endpoint.port);
        address.bytes = sizeof(six);
        return address;
    }
    return fail(Errc::invalid_argument);
}

const char* mend_of_bind(int error) {
    switch (error) {
    case EADDRINUSE: return "stop what listens there, or give another address";
    case EADDRNOTAVAIL: return "give an address that this host has (ip address)";
    case EACCES: return "give a port above 1023, or the right to take this one (CAP_NET_BIND_SERVICE)";
    default: return "give another address";
    }
}

}  // namespace millrace
