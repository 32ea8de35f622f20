// ICMP and ICMPv6 as far as an end host needs them (RFC 792, 1191, 4443, 4861, 8201).
// Owned by: values that borrow. Thread: any.
// Holds:    parsers verify the checksum and every length.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "wire/address.h"
#include "wire/frame.h"

namespace millrace {

// No router has passed a neighbor message on that has it (RFC 4861, 7.1.1).
inline constexpr uint8_t neighbor_hop_limit = 255;

// What an ICMP error quotes of the datagram that caused it.
struct QuotedTcp {
    IpAddress source;         // ours
    IpAddress destination;
    uint16_t source_port = 0;
    uint16_t destination_port = 0;
    uint32_t sequence = 0;
};

struct IcmpMessage {
    enum class Kind : uint8_t {
        ignored,          // fine, but nothing for us
        malformed,        // lengths or checksum
        echo_request,     // of both families
        packet_too_big,   // ICMPv6 type 2; IPv4 type 3 code 4: `mtu` (0 in old routers: RFC 1191 5)
        unreachable,      // hard or soft (time exceeded, parameter problem too): counted, never
                          // acted on (RFC 5461, 5927)
        neighbor_solicitation,   // ICMPv6 only; hop limit 255 was checked
        neighbor_advertisement,
        router_advertisement,    // ignored, but counted
    };
    Kind kind = Kind::ignored;         // all that is set when it's ignored or malformed
    uint32_t mtu = 0;                  // of packet_too_big: of the IP packet
    std::optional<QuotedTcp> quoted;   // of errors about TCP
    Bytes echo;                        // of echo_request: identifier, sequence and data
    IpAddress target;                  // of neighbor messages
    std::optional<MacAddress> link_address;  // their source or target link-layer address option
    bool solicited = false;
    bool override = false;
};

IcmpMessage parse_icmp(const ParsedFrame& frame);  // of kind icmp or icmpv6

// Each writes an ICMP message with its checksum at the front of `room` and returns how many bytes
// it wrote. The echo's data isn't copied by us: 4 bytes are written, and `data`, which is only
// summed, follows them on the wire. A solicitation from :: carries no link-layer address.
uint32_t write_echo_reply(std::span<uint8_t> room, Bytes data, const IpAddress& source,
                          const IpAddress& destination);
uint32_t write_neighbor_solicitation(std::span<uint8_t> room, const IpAddress& source,
                                     const IpAddress& destination, const IpAddress& target,
                                     const MacAddress& own);
uint32_t write_neighbor_advertisement(std::span<uint8_t> room, const IpAddress& source,
                                      const IpAddress& destination, const IpAddress& target,
                                      const MacAddress& own, bool solicited);
// ff02::1:ffXX:XXXX of an address (RFC 4291, 2.7.1), and the MAC address of a multicast group of
// IPv6 (RFC 2464, 7).
IpAddress solicited_node(const IpAddress& target);
MacAddress multicast_mac(const IpAddress& group);

}  // namespace millrace
