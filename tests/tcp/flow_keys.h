// Flows to a server at 10.0.0.1, port 1883.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <cstdint>

#include "tcp/flow_key.h"

namespace millrace::test {

inline FlowKey flow_from(const IpAddress& remote, uint16_t remote_port) {
    return {.local = IpAddress::from_ipv4(0x0a000001),
            .remote = remote,
            .local_port = 1883,
            .remote_port = remote_port};
}
// Of a client at 10.0.0.2.
inline FlowKey flow_from_port(uint16_t remote_port) {
    return flow_from(IpAddress::from_ipv4(0x0a000002), remote_port);
}

}  // namespace millrace::test
