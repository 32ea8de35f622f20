#include "wire/frame.h"

#include "wire/checksum.h"
#include "wire/fields.h"
#include "wire/headers.h"

namespace millrace {

using wire::load_u16;
using wire::load_u32;
using wire::load_u64;

namespace {

constexpr size_t ethernet_bytes = 14;
constexpr size_t vlan_tag_bytes = 4;

// Next headers of RFC 8200, 4, and of the registry that its section 4.8 leads to.
bool is_ipv6_extension(uint8_t next_header) {
    switch (next_header) {
    case 0:    // hop-by-hop options
    case 43:   // routing
    case 50:   // encapsulating security payload
    case 51:   // authentication
    case 60:   // destination options
    case 135:  // mobility
    case 139:  // host identity
    case 140:  // shim6
    case 253:
    case 254:  // experiments
        return true;
    default: return false;
    }
}
constexpr uint8_t ipv6_fragment = 44;

// Whose address can't be a sender's (RFC 1122, 3.2.1.3).
bool is_bad_ipv4_source(uint32_t source) {
    return source == 0 || source == 0xffffffff || source >> 28 == 0xe;
}

// The header's checksum covers its options too (RFC 791, 3.1).
bool ipv4_checksum_is_good(Bytes header) {
    if (header.size() == ipv4_header_bytes) return wire::ipv4_header_sum(header.data()) == 0xffff;
    return sum_of(header).folded() == 0xffff;
}

FrameFault parse_ipv4(Bytes rest, bool skip_checksum, ParsedFrame& out) {
    if (rest.size() < ipv4_header_bytes) return FrameFault::too_short;
    const uint8_t* header = rest.data();
    const uint32_t first_word = load_u32(header);
    const size_t header_bytes = (first_word >> 24 & 15) * 4;
    const size_t total_bytes = first_word & 0xffff;
    if (first_word >> 28 != 4 || header_bytes < ipv4_header_bytes || total_bytes < header_bytes) {
        return FrameFault::bad_ip_header;
    }
    if (total_bytes > rest.size()) return FrameFault::bad_ip_header;
    if (!skip_checksum && !ipv4_checksum_is_good(rest.first(header_bytes))) {
        return FrameFault::bad_ip_checksum;
    }
    // An offset, or more to come (RFC 791, 3.1).
    if ((load_u16(header + 6) & 0x3fff) != 0) return FrameFault::fragment;
    const uint32_t source = load_u32(header + 12);
    if (is_bad_ipv4_source(source)) return FrameFault::bad_source;
    switch (header[9]) {
    case protocol_tcp: out.kind = FrameKind::tcp; break;
    case protocol_icmp: out.kind = FrameKind::icmp; break;
    default: return FrameFault::unknown_protocol;
    }
    out.source = IpAddress::from_ipv4(source);
    out.destination = wire::load_ipv4(header + 16);
    out.hop_limit = header[8];
    out.traffic_class = static_cast<uint8_t>(first_word >> 16);
    out.packet = rest.first(total_bytes);
    out.body = out.packet.subspan(header_bytes);
    return FrameFault::none;
}

FrameFault ipv6_kind(uint8_t next_header, FrameKind& out) {
    if (next_header == protocol_tcp) {
        out = FrameKind::tcp;
    } else if (next_header == protocol_icmpv6) {
        out = FrameKind::icmpv6;
    } else if (next_header == ipv6_fragment) {
        return FrameFault::fragment;
    } else if (is_ipv6_extension(next_header)) {
        return FrameFault::ipv6_extension;
    } else {
        return FrameFault::unknown_protocol;
    }
    return FrameFault::none;
}

FrameFault check_ipv6_addresses(const ParsedFrame& parsed) {
    // Only duplicate address detection speaks without an address (RFC 4862, 5.4.2).
    const bool may_be_unspecified = parsed.kind == FrameKind::icmpv6;
    if (parsed.source.octets[0] == 0xff) return FrameFault::bad_source;
    if (parsed.source == IpAddress{} && !may_be_unspecified) return FrameFault::bad_source;
    // An IPv4-mapped address never stands on a wire (RFC 4038, 4.2; RFC 4942, 2.2). It would be
    // taken for a flow of IPv4 from here on.
    if (parsed.source.is_ipv4()) return FrameFault::bad_source;
    if (parsed.destination.is_ipv4()) return FrameFault::bad_ip_header;
    return FrameFault::none;
}

FrameFault parse_ipv6(Bytes rest, ParsedFrame& out) {
    if (rest.size() < ipv6_header_bytes) return FrameFault::too_short;
    const uint8_t* header = rest.data();
    const uint64_t first_words = load_u64(header);
    const size_t total_bytes = ipv6_header_bytes + (first_words >> 16 & 0xffff);
    if (first_words >> 60 != 6 || total_bytes > rest.size()) return FrameFault::bad_ip_header;
    const FrameFault fault = ipv6_kind(static_cast<uint8_t>(first_words >> 8), out.kind);
    if (fault != FrameFault::none) return fault;
    out.source = wire::load_ipv6(header + 8);
    out.destination = wire::load_ipv6(header + 24);
    out.hop_limit = static_cast<uint8_t>(first_words);
    out.traffic_class = static_cast<uint8_t>(first_words >> 52);
    out.packet = rest.first(total_bytes);
    out.body = out.packet.subspan(ipv6_header_bytes);
    return check_ipv6_addresses(out);
}

FrameFault parse_arp_frame(Bytes rest, ParsedFrame& out) {
    if (rest.size() < arp_bytes) return FrameFault::too_short;
    ArpPacket packet;
    if (!parse_arp(rest, packet)) return FrameFault::bad_arp;
    out.kind = FrameKind::arp;
    out.body = rest.first(arp_bytes);
    return FrameFault::none;
}

// Whether the frame's tag, or its lack of one, suits us; moves `payload_at` behind the tag.
FrameFault check_vlan(Bytes frame, const VlanSetting& vlan, size_t& payload_at) {
    if (load_u16(frame.data() + ethernet_bytes - 2) != ethertype_vlan) {
        return vlan.mode == VlanSetting::Mode::tagged ? FrameFault::foreign_vlan
                                                      : FrameFault::none;
    }
    if (vlan.mode == VlanSetting::Mode::untagged) return FrameFault::foreign_vlan;
    if (frame.size() < ethernet_bytes + vlan_tag_bytes) return FrameFault::too_short;
    // The lower 12 bits; the others are a priority (IEEE 802.1Q, 9.6).
    const uint16_t id = load_u16(frame.data() + ethernet_bytes) & 0x0fff;
    if (vlan.mode == VlanSetting::Mode::tagged && id != vlan.id) return FrameFault::foreign_vlan;
    payload_at += vlan_tag_bytes;
    return FrameFault::none;
}

FrameFault parse_ethernet(Bytes frame, const FrameParseOptions& options, ParsedFrame& out) {
    if (frame.size() < ethernet_bytes) return FrameFault::too_short;
    out.destination_mac = wire::load_mac(frame.data());
    out.source_mac = wire::load_mac(frame.data() + 6);
    // A group never sends (IEEE 802.3, 3.2.3); an answer to it would reach many.
    if (out.source_mac.is_multicast()) return FrameFault::bad_source;
    size_t payload_at = ethernet_bytes;
    const FrameFault fault = check_vlan(frame, options.vlan, payload_at);
    if (fault != FrameFault::none) return fault;
    const Bytes rest = frame.subspan(payload_at);
    switch (load_u16(rest.data() - 2)) {
    case ethertype_ipv4: return parse_ipv4(rest, options.skip_checksum, out);
    case ethertype_ipv6: return parse_ipv6(rest, out);
    case ethertype_arp: return parse_arp_frame(rest, out);
    default: return FrameFault::unknown_ethertype;
    }
}

}  // namespace

ParsedFrame parse_frame(Bytes frame, const FrameParseOptions& options) {
    ParsedFrame parsed;
    parsed.fault = parse_ethernet(frame, options, parsed);
    if (parsed.fault != FrameFault::none) parsed.kind = FrameKind::dropped;
    return parsed;
}

bool parse_arp(Bytes packet, ArpPacket& out) {
    if (packet.size() < arp_bytes) return false;
    const uint8_t* at = packet.data();
    // Ethernet (1) and IPv4, with addresses of 6 and 4 bytes (RFC 826).
    constexpr uint64_t fixed = uint64_t{1} << 48 | uint64_t{ethertype_ipv4} << 32 | 0x0604 << 16;
    const uint64_t operation = load_u64(at) ^ fixed;
    if (operation != static_cast<uint16_t>(ArpPacket::Operation::request) &&
        operation != static_cast<uint16_t>(ArpPacket::Operation::reply)) {
        return false;
    }
    out.operation = static_cast<ArpPacket::Operation>(operation);
    out.sender_mac = wire::load_mac(at + 8);
    out.sender_ip = load_u32(at + 14);
    out.target_mac = wire::load_mac(at + 18);
    out.target_ip = load_u32(at + 24);
    // No host has a group's address (RFC 1812, 3.3.2, says so to routers).
    return !out.sender_mac.is_multicast();
}

}  // namespace millrace
