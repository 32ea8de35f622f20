#include "stack/interface.h"

#include "base/assert.h"

namespace millrace {

namespace {

constexpr uint32_t mtu_min = 576;   // RFC 1122, 3.3.3
constexpr uint32_t mtu_max = 9'000;
constexpr uint32_t mtu_min_ipv6 = 1'280;  // RFC 8200, 5

Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

}  // namespace

std::optional<Error> Interface::fault() const {
    if (addresses.empty()) return wrong("the interface has no address");
    if (mtu < mtu_min || mtu > mtu_max) {
        return wrong("mtu " + std::to_string(mtu) + " isn't between 576 and 9000");
    }
    if (mac.is_multicast()) return wrong("MAC address " + mac.text() + " is a group's");
    for (const IpPrefix& own : addresses) {
        if (own.address.is_unspecified() || own.address.is_multicast() ||
            is_broadcast(own.address)) {
            return wrong("address " + own.text() + " can't be a host's");
        }
        if (!own.address.is_ipv4() && mtu < mtu_min_ipv6) {
            return wrong("mtu " + std::to_string(mtu) + " is less than IPv6 needs (1280), for " +
                         own.text());
        }
    }
    for (const IpPrefix& range : own_ranges) {
        bool is_on_link = false;
        for (const IpPrefix& own : addresses) {
            is_on_link = is_on_link || own.contains(range);
        }
        if (!is_on_link) {
            return wrong("range " + range.text() + " lies in no network of the interface's");
        }
    }
    if (gateway_ipv4 && !gateway_ipv4->is_ipv4()) {
        return wrong("gateway " + gateway_ipv4->text() + " isn't an IPv4 address");
    }
    if (gateway_ipv6 && gateway_ipv6->is_ipv4()) {
        return wrong("gateway " + gateway_ipv6->text() + " isn't an IPv6 address");
    }
    return std::nullopt;
}

bool Interface::is_own(const IpAddress& address) const {
    for (const IpPrefix& own : addresses) {
        if (own.address == address) return true;
    }
    for (const IpPrefix& range : own_ranges) {
        if (range.contains(address)) return true;
    }
    return false;
}

bool Interface::is_broadcast(const IpAddress& address) const {
    if (!address.is_ipv4()) return false;
    const uint32_t value = address.ipv4();
    if (value == UINT32_MAX) return true;
    for (const IpPrefix& own : addresses) {
        // A point-to-point link has no broadcast address (RFC 3021).
        if (!own.address.is_ipv4() || own.length_bits >= 31 || !own.contains(address)) continue;
        const uint32_t host_mask = UINT32_MAX >> own.length_bits;
        if ((value & host_mask) == 0 || (value & host_mask) == host_mask) return true;
    }
    return false;
}

std::optional<IpAddress> Interface::next_hop(const IpAddress& destination) const {
    if (destination.is_link_local()) return destination;
    for (const IpPrefix& own : addresses) {
        if (own.contains(destination)) return destination;
    }
    return destination.is_ipv4() ? gateway_ipv4 : gateway_ipv6;
}

std::optional<IpAddress> Interface::source_for(const IpAddress& destination) const {
    std::optional<IpAddress> any;
    for (const IpPrefix& own : addresses) {
        if (own.address.is_ipv4() != destination.is_ipv4()) continue;
        if (own.contains(destination)) return own.address;
        // What is beyond the link never sees a link-local source.
        if (!any || any->is_link_local()) any = own.address;
    }
    return any;
}

uint64_t Interface::source_count(bool ipv4) const {
    uint64_t count = 0;
    for (const IpPrefix& own : addresses) {
        if (own.address.is_ipv4() == ipv4) ++count;
    }
    for (const IpPrefix& range : own_ranges) {
        if (range.address.is_ipv4() == ipv4) count += range.address_count();
    }
    return count;
}

IpAddress Interface::source_at(bool ipv4, uint64_t index) const {
    for (const IpPrefix& own : addresses) {
        if (own.address.is_ipv4() != ipv4) continue;
        if (index == 0) return own.address;
        --index;
    }
    for (const IpPrefix& range : own_ranges) {
        if (range.address.is_ipv4() != ipv4) continue;
        if (index < range.address_count()) return range.at(index);
        index -= range.address_count();
    }
    MR_UNREACHABLE();
}

}  // namespace millrace
