// What an Ethernet frame holds, down to the transport's bytes: Ethernet, one VLAN tag, ARP, IPv4,
// IPv6. The parser trusts nothing: every length is checked against the frame.
// Owned by: values that borrow from the frame. Thread: any.
// Not here: whose frame it is, TCP's own header (tcp_header.h), what is answered (stack/).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "wire/address.h"

namespace millrace {

enum class FrameKind : uint8_t { dropped, tcp, icmp, icmpv6, arp };

// Why a frame was dropped; each has a counter.
enum class FrameFault : uint8_t {
    none,
    too_short,            // for its own headers
    unknown_ethertype,
    foreign_vlan,         // a tag that isn't ours, or none where one is wanted
    bad_ip_header,        // version, header length, total length
    bad_ip_checksum,
    fragment,             // IPv4 or IPv6: dropped by default
    bad_source,           // multicast, broadcast or unspecified source address, of IP or Ethernet;
                          // ICMPv6 may come from :: (RFC 4862, 5.4.2)
    ipv6_extension,       // a chain of extension headers that we don't walk (RFC 8200, 4)
    unknown_protocol,
    bad_arp,
};
inline constexpr uint32_t frame_fault_count = 11;

struct VlanSetting {
    enum class Mode : uint8_t {
        untagged,      // tagged frames are dropped
        tagged,        // only frames with `id`; what is sent carries it
        pass_through,  // any tag is accepted and ignored; what is sent has none
    };
    Mode mode = Mode::untagged;
    uint16_t id = 0;
};

struct ParsedFrame {
    FrameKind kind = FrameKind::dropped;
    FrameFault fault = FrameFault::none;  // valid with `dropped`
    MacAddress source_mac;
    MacAddress destination_mac;
    IpAddress source;         // of IP kinds
    IpAddress destination;
    uint8_t hop_limit = 0;    // TTL of IPv4
    uint8_t traffic_class = 0;
    Bytes body;               // of IP kinds: the transport's bytes, the frame's padding cut off.
                              // Of arp: the ARP packet
    Bytes packet;             // of IP kinds: from the IP header on, padding cut off
};

struct FrameParseOptions {
    VlanSetting vlan;
    bool skip_checksum = false;  // the device has verified the IPv4 header's checksum
};

ParsedFrame parse_frame(Bytes frame, const FrameParseOptions& options);

struct ArpPacket {
    enum class Operation : uint16_t { request = 1, reply = 2 };
    Operation operation = Operation::request;
    MacAddress sender_mac;
    uint32_t sender_ip = 0;   // host order
    MacAddress target_mac;
    uint32_t target_ip = 0;
};
// False when it isn't ARP over Ethernet for IPv4 (RFC 826).
bool parse_arp(Bytes packet, ArpPacket& out);

}  // namespace millrace
