#include "wire/headers.h"

#include "base/assert.h"
#include "wire/fields.h"

namespace millrace {

using wire::store_u16;
using wire::store_u32;
using wire::store_u64;

namespace {

constexpr uint32_t ip_bytes_max = 65'535;
constexpr uint16_t do_not_fragment = 0x4000;

// RFC 791, 3.1. DSCP and ECN stand where the type of service was (RFC 2474, RFC 3168).
uint32_t write_ipv4(std::span<uint8_t> room, const IpHeader& header) {
    MR_ASSERT(room.size() >= ipv4_header_bytes);
    MR_ASSERT(header.payload_bytes <= ip_bytes_max - ipv4_header_bytes);
    uint8_t* at = room.data();
    store_u32(at, uint32_t{0x45} << 24 | uint32_t{header.traffic_class} << 16 |
                      (ipv4_header_bytes + header.payload_bytes));
    store_u32(at + 4, uint32_t{header.identification} << 16 | do_not_fragment);
    // The checksum's field is 0 while it's computed.
    store_u32(at + 8, uint32_t{header.hop_limit} << 24 | uint32_t{header.protocol} << 16);
    wire::store_ipv4(at + 12, header.source);
    wire::store_ipv4(at + 16, header.destination);
    if (!header.leave_checksum) {
        const uint16_t checksum = static_cast<uint16_t>(~wire::ipv4_header_sum(at));
        std::memcpy(at + 10, &checksum, sizeof(checksum));  // summed in the machine's order
    }
    return ipv4_header_bytes;
}

// RFC 8200, 3.
uint32_t write_ipv6(std::span<uint8_t> room, const IpHeader& header) {
    MR_ASSERT(room.size() >= ipv6_header_bytes);
    MR_ASSERT(header.payload_bytes <= ip_bytes_max);
    uint8_t* at = room.data();
    store_u64(at, uint64_t{6} << 60 | uint64_t{header.traffic_class} << 52 |
                      uint64_t{header.payload_bytes} << 16 | uint64_t{header.protocol} << 8 |
                      header.hop_limit);
    wire::store_ipv6(at + 8, header.source);
    wire::store_ipv6(at + 24, header.destination);
    return ipv6_header_bytes;
}

}  // namespace

uint32_t write_ethernet(std::span<uint8_t> room, const MacAddress& destination,
                        const MacAddress& source, uint16_t ethertype, const VlanSetting& vlan) {
    const bool tagged = vlan.mode == VlanSetting::Mode::tagged;
    const uint32_t header_bytes = tagged ? 18 : 14;
    MR_ASSERT(room.size() >= header_bytes);
    uint8_t* at = room.data();
    wire::store_mac(at, destination);
    wire::store_mac(at + 6, source);
    if (tagged) {
        // IEEE 802.1Q, 9.6: priority 0, then the identifier of 12 bits.
        MR_ASSERT(vlan.id <= 0x0fff);
        store_u32(at + 12, uint32_t{ethertype_vlan} << 16 | vlan.id);
    }
    store_u16(at + header_bytes - 2, ethertype);
    return header_bytes;
}

uint32_t write_ip(std::span<uint8_t> room, const IpHeader& header) {
    const bool as_ipv4 = header.destination.is_ipv4();
    MR_ASSERT(header.source.is_ipv4() == as_ipv4);
    return as_ipv4 ? write_ipv4(room, header) : write_ipv6(room, header);
}

uint32_t write_arp(std::span<uint8_t> room, const ArpPacket& packet) {
    MR_ASSERT(room.size() >= arp_bytes);
    uint8_t* at = room.data();
    // Ethernet (1) and IPv4, with addresses of 6 and 4 bytes (RFC 826).
    store_u32(at, uint32_t{1} << 16 | ethertype_ipv4);
    store_u32(at + 4, uint32_t{0x0604} << 16 | static_cast<uint16_t>(packet.operation));
    wire::store_mac(at + 8, packet.sender_mac);
    store_u32(at + 14, packet.sender_ip);
    wire::store_mac(at + 18, packet.target_mac);
    store_u32(at + 24, packet.target_ip);
    return arp_bytes;
}

}  // namespace millrace
