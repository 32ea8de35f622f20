// Any bytes as a frame from the wire, with every setting of tags and checksums: what is taken from
// it lies inside it, and what was understood, when written again, is understood alike.
#include <algorithm>
#include <iterator>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "fuzz_target.h"
#include "wire/checksum.h"
#include "wire/frame.h"
#include "wire/headers.h"
#include "wire/icmp.h"
#include "wire/tcp_header.h"

using namespace millrace;

namespace {

using Mode = VlanSetting::Mode;

constexpr VlanSetting vlan_settings[] = {
    {.mode = Mode::untagged}, {.mode = Mode::tagged, .id = 5}, {.mode = Mode::pass_through}};

bool lies_in(Bytes part, Bytes whole) {
    return part.empty() || (part.data() >= whole.data() &&
                            part.data() + part.size() <= whole.data() + whole.size());
}

bool equal(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

bool equal(const TcpOptions& a, const TcpOptions& b) {
    return a.mss == b.mss && a.has_window_scale == b.has_window_scale &&
           a.window_scale == b.window_scale && a.sack_permitted == b.sack_permitted &&
           a.has_timestamps == b.has_timestamps && a.timestamp_value == b.timestamp_value &&
           a.timestamp_echo == b.timestamp_echo && a.sack_count == b.sack_count &&
           std::equal(a.sack.begin(), a.sack.begin() + a.sack_count, b.sack.begin());
}

// A packet around this transport, with the addresses and the other fields of `like`.
std::vector<uint8_t> packet_again(const ParsedFrame& like, uint8_t protocol, Bytes transport,
                                  const VlanSetting& vlan) {
    std::vector<uint8_t> room(18 + 40 + transport.size());
    const uint16_t ethertype = like.destination.is_ipv4() ? ethertype_ipv4 : ethertype_ipv6;
    uint32_t bytes =
        write_ethernet(room, like.destination_mac, like.source_mac, ethertype, vlan);
    bytes += write_ip(std::span(room).subspan(bytes),
                      {.source = like.source,
                       .destination = like.destination,
                       .protocol = protocol,
                       .hop_limit = like.hop_limit,
                       .traffic_class = like.traffic_class,
                       .payload_bytes = static_cast<uint32_t>(transport.size())});
    std::copy(transport.begin(), transport.end(), room.begin() + bytes);
    room.resize(bytes + transport.size());
    return room;
}

void check_same_packet(const ParsedFrame& a, const ParsedFrame& b) {
    MR_ASSERT(a.fault == FrameFault::none);
    MR_ASSERT(b.fault == FrameFault::none);
    MR_ASSERT(a.kind == b.kind);
    MR_ASSERT(a.source_mac == b.source_mac);
    MR_ASSERT(a.destination_mac == b.destination_mac);
    MR_ASSERT(a.source == b.source);
    MR_ASSERT(a.destination == b.destination);
    MR_ASSERT(a.hop_limit == b.hop_limit);
    MR_ASSERT(a.traffic_class == b.traffic_class);
}

// The segment with a header of ours, its checksum filled in.
std::vector<uint8_t> transport_again(const ParsedFrame& parsed, const TcpPorts& ports,
                                     const Segment& segment) {
    const OutSegment out{.seq = segment.seq,
                         .ack = segment.ack,
                         .window = segment.window,
                         .flags = segment.flags,
                         .options = segment.options};
    std::vector<uint8_t> transport(tcp_header_bytes_max);
    transport.resize(write_tcp(transport, ports, out));
    MR_ASSERT(transport.size() == tcp_header_bytes(out));
    const auto bytes = static_cast<uint32_t>(transport.size() + segment.payload.size());
    const uint16_t checksum =
        pseudo_header_sum(parsed.source, parsed.destination, protocol_tcp, bytes)
            .then(sum_of(transport), 0)
            .then(sum_of(segment.payload), transport.size())
            .checksum();
    transport[tcp_checksum_at] = static_cast<uint8_t>(checksum >> 8);
    transport[tcp_checksum_at + 1] = static_cast<uint8_t>(checksum);
    transport.insert(transport.end(), segment.payload.begin(), segment.payload.end());
    return transport;
}

void check_tcp(const ParsedFrame& parsed, const VlanSetting& vlan) {
    TcpPorts ports;
    Segment segment;
    // The answer doesn't matter; that nothing outside is read does.
    (void)tcp_checksum_is_good(parsed.body, parsed.source, parsed.destination);
    if (!parse_tcp(parsed.body, ports, segment)) return;
    MR_ASSERT(lies_in(segment.payload, parsed.body));
    MR_ASSERT(segment.options.sack_count <= TcpOptions::sack_blocks_max);
    MR_ASSERT(segment.options.window_scale <= 14);

    const std::vector<uint8_t> transport = transport_again(parsed, ports, segment);
    // A header of ours may be padded more than the one that was read: then the packet is too long.
    if (transport.size() + 20 > 65'535) return;
    const std::vector<uint8_t> frame = packet_again(parsed, protocol_tcp, transport, vlan);
    const ParsedFrame again = parse_frame(frame, {.vlan = vlan});
    check_same_packet(parsed, again);
    MR_ASSERT(tcp_checksum_is_good(again.body, again.source, again.destination));
    TcpPorts ports_again;
    Segment segment_again;
    MR_ASSERT(parse_tcp(again.body, ports_again, segment_again));
    MR_ASSERT(ports.source == ports_again.source);
    MR_ASSERT(ports.destination == ports_again.destination);
    MR_ASSERT(segment.seq == segment_again.seq);
    MR_ASSERT(segment_again.ack == (segment.has(tcp_flag::ack) ? segment.ack : SeqNumber{}));
    MR_ASSERT(segment.window == segment_again.window);
    MR_ASSERT(segment.flags == segment_again.flags);
    MR_ASSERT(equal(segment.options, segment_again.options));
    MR_ASSERT(equal(segment.payload, segment_again.payload));
}

// What we send of the same meaning, empty when we send nothing like it.
std::vector<uint8_t> icmp_again(const ParsedFrame& parsed, const IcmpMessage& message) {
    std::vector<uint8_t> room(32);
    const MacAddress link_address = message.link_address.value_or(MacAddress{});
    if (message.kind == IcmpMessage::Kind::neighbor_solicitation) {
        room.resize(write_neighbor_solicitation(room, parsed.source, parsed.destination,
                                                message.target, link_address));
    } else if (message.kind == IcmpMessage::Kind::neighbor_advertisement) {
        room.resize(write_neighbor_advertisement(room, parsed.source, parsed.destination,
                                                 message.target, link_address,
                                                 message.solicited));
    } else if (message.kind == IcmpMessage::Kind::echo_request) {
        room.resize(write_echo_reply(room, message.echo, parsed.source, parsed.destination));
        room.insert(room.end(), message.echo.begin(), message.echo.end());
    } else {
        room.clear();
    }
    return room;
}

void check_icmp(const ParsedFrame& parsed, const VlanSetting& vlan) {
    const IcmpMessage message = parse_icmp(parsed);
    MR_ASSERT(lies_in(message.echo, parsed.body));
    const std::vector<uint8_t> transport = icmp_again(parsed, message);
    if (transport.empty()) return;
    const uint8_t protocol = parsed.kind == FrameKind::icmp ? protocol_icmp : protocol_icmpv6;
    const std::vector<uint8_t> frame = packet_again(parsed, protocol, transport, vlan);
    const ParsedFrame again = parse_frame(frame, {.vlan = vlan});
    check_same_packet(parsed, again);
    const IcmpMessage message_again = parse_icmp(again);
    if (message.kind == IcmpMessage::Kind::echo_request) {
        MR_ASSERT(message_again.kind == IcmpMessage::Kind::ignored);  // its checksum is good
        MR_ASSERT(equal(message.echo, again.body.subspan(4)));
        return;
    }
    MR_ASSERT(message.kind == message_again.kind);
    MR_ASSERT(message.target == message_again.target);
    MR_ASSERT(message.solicited == message_again.solicited);
    if (message.link_address) MR_ASSERT(message.link_address == message_again.link_address);
}

void check_arp(const ParsedFrame& parsed) {
    ArpPacket packet, again;
    MR_ASSERT(parse_arp(parsed.body, packet));
    std::vector<uint8_t> room(28);
    MR_ASSERT(write_arp(room, packet) == 28);
    MR_ASSERT(equal(room, parsed.body));
    MR_ASSERT(parse_arp(room, again));
    MR_ASSERT(packet.sender_mac == again.sender_mac);
    MR_ASSERT(packet.sender_ip == again.sender_ip);
    MR_ASSERT(packet.target_mac == again.target_mac);
    MR_ASSERT(packet.target_ip == again.target_ip);
    MR_ASSERT(packet.operation == again.operation);
}

void check_kind(const ParsedFrame& parsed, const VlanSetting& vlan) {
    switch (parsed.kind) {
    case FrameKind::dropped:
        MR_ASSERT(parsed.fault != FrameFault::none);
        MR_ASSERT(static_cast<uint32_t>(parsed.fault) < frame_fault_count);
        return;
    case FrameKind::tcp: return check_tcp(parsed, vlan);
    case FrameKind::icmp:
    case FrameKind::icmpv6: return check_icmp(parsed, vlan);
    case FrameKind::arp: return check_arp(parsed);
    }
}

void check_frame(Bytes frame, const FrameParseOptions& options) {
    const ParsedFrame parsed = parse_frame(frame, options);
    if (parsed.fault == FrameFault::none) {
        MR_ASSERT(lies_in(parsed.body, frame));
        const bool is_arp = parsed.kind == FrameKind::arp;
        MR_ASSERT(lies_in(parsed.packet, frame));
        MR_ASSERT(is_arp || lies_in(parsed.body, parsed.packet));
        MR_ASSERT(is_arp || parsed.source.is_ipv4() == parsed.destination.is_ipv4());
    }
    check_kind(parsed, options.vlan);
}

// A fuzzer doesn't guess checksums: this makes an ICMP message's good, so that it gets past it.
void repair_icmp(std::vector<uint8_t>& frame, const FrameParseOptions& options) {
    const ParsedFrame parsed = parse_frame(frame, options);
    const bool is_icmp = parsed.kind == FrameKind::icmp || parsed.kind == FrameKind::icmpv6;
    if (!is_icmp || parsed.body.size() < 4) return;
    uint8_t* field = frame.data() + (parsed.body.data() - frame.data()) + 2;
    field[0] = field[1] = 0;
    const PartialSum pseudo =
        parsed.kind == FrameKind::icmp
            ? PartialSum{}
            : pseudo_header_sum(parsed.source, parsed.destination, protocol_icmpv6,
                                static_cast<uint32_t>(parsed.body.size()));
    const uint16_t checksum = pseudo.then(sum_of(parsed.body), 0).checksum();
    field[0] = static_cast<uint8_t>(checksum >> 8);
    field[1] = static_cast<uint8_t>(checksum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    for (const VlanSetting& vlan : vlan_settings) {
        check_frame({data, size}, {.vlan = vlan, .skip_checksum = false});
        const FrameParseOptions trusting{.vlan = vlan, .skip_checksum = true};
        check_frame({data, size}, trusting);
        std::vector<uint8_t> repaired(data, data + size);
        repair_icmp(repaired, trusting);
        check_frame(repaired, trusting);
    }
    return 0;
}
