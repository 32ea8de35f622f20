// Writing the headers of what we send. Each function writes at the front of `room` and returns how
// many bytes it took; room must be there (asserted).
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>
#include <span>

#include "wire/address.h"
#include "wire/frame.h"

namespace millrace {

// Without options and extensions.
inline constexpr uint32_t ipv4_header_bytes = 20;
inline constexpr uint32_t ipv6_header_bytes = 40;
inline constexpr uint32_t arp_bytes = 28;
inline constexpr uint8_t protocol_icmp = 1;
inline constexpr uint8_t protocol_tcp = 6;
inline constexpr uint8_t protocol_icmpv6 = 58;
inline constexpr uint16_t ethertype_ipv4 = 0x0800;
inline constexpr uint16_t ethertype_arp = 0x0806;
inline constexpr uint16_t ethertype_vlan = 0x8100;
inline constexpr uint16_t ethertype_ipv6 = 0x86dd;

// 14 bytes, 18 with a tag (only in mode `tagged`).
uint32_t write_ethernet(std::span<uint8_t> room, const MacAddress& destination,
                        const MacAddress& source, uint16_t ethertype, const VlanSetting& vlan);

struct IpHeader {
    IpAddress source;
    IpAddress destination;         // both of one family, which decides between IPv4 and IPv6
    uint8_t protocol = protocol_tcp;
    uint8_t hop_limit = 64;
    uint8_t traffic_class = 0;
    uint32_t payload_bytes = 0;
    uint16_t identification = 0;   // IPv4; DF is always set (RFC 6864)
    bool leave_checksum = false;   // IPv4: the device fills it in, the field is 0
};
// 20 bytes or 40.
uint32_t write_ip(std::span<uint8_t> room, const IpHeader& header);

uint32_t write_arp(std::span<uint8_t> room, const ArpPacket& packet);  // 28 bytes

}  // namespace millrace
