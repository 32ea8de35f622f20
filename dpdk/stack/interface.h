// The addresses that a stack answers for, and where it sends what isn't on its link.
// Owned by: values; all shards of a port have the same.
// Thread:   any (constant).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "wire/address.h"
#include "wire/frame.h"

namespace millrace {

struct Interface {
    MacAddress mac;                // zero: the link's own
    // With their prefix: what is on the link. The address is our own.
    std::vector<IpPrefix> addresses;
    // Every address in them is our own too: a client role has as many source addresses as it needs.
    // Each lies in the prefix of one of `addresses`.
    std::vector<IpPrefix> own_ranges;
    std::optional<IpAddress> gateway_ipv4;
    std::optional<IpAddress> gateway_ipv6;
    uint32_t mtu = 1'500;
    VlanSetting vlan;
    uint8_t hop_limit = 64;

    // What makes it unusable, in words for a person; nothing when it's fine.
    std::optional<Error> fault() const;
    bool is_own(const IpAddress& address) const;
    // A network's broadcast address, or the one that names the network (RFC 1122, 3.2.1.3): never
    // a single host's, even inside an own range.
    bool is_broadcast(const IpAddress& address) const;
    // Whom to ask for a MAC address to reach `destination`: itself when it's on the link, else
    // the gateway; nothing without a way.
    std::optional<IpAddress> next_hop(const IpAddress& destination) const;
    // Own address to reach `destination` from, by family and prefix; nothing when there's none.
    std::optional<IpAddress> source_for(const IpAddress& destination) const;
    // How many source addresses of that family there are (addresses and ranges), and the one at
    // `index`, in turn over all of them.
    uint64_t source_count(bool ipv4) const;
    IpAddress source_at(bool ipv4, uint64_t index) const;
};

}  // namespace millrace
