#include "tcp_frames.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "wire/checksum.h"
#include "wire/frame.h"
#include "wire/headers.h"
#include "wire/tcp_header.h"

namespace millrace::sim {

namespace {

constexpr uint32_t ethernet_bytes = 14;
constexpr uint32_t ipv4_bytes = 20;
constexpr uint32_t ipv6_bytes = 40;

uint16_t get_u16(Bytes bytes, uint32_t at) {
    return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
void put_u16(std::span<uint8_t> bytes, uint32_t at, uint32_t value) {
    bytes[at] = static_cast<uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<uint8_t>(value);
}
uint32_t get_u32(Bytes bytes, uint32_t at) {
    return uint32_t{get_u16(bytes, at)} << 16 | get_u16(bytes, at + 2);
}
void put_u32(std::span<uint8_t> bytes, uint32_t at, uint32_t value) {
    put_u16(bytes, at, value >> 16);
    put_u16(bytes, at + 2, value & 0xffff);
}

bool is_ipv4(Bytes frame) { return get_u16(frame, 12) == ethertype_ipv4; }
bool is_ipv6(Bytes frame) { return get_u16(frame, 12) == ethertype_ipv6; }
uint32_t transport_at(Bytes frame) {
    return ethernet_bytes + (is_ipv4(frame) ? ipv4_bytes : ipv6_bytes);
}
uint32_t tcp_header_length(Bytes frame) { return (frame[transport_at(frame) + 12] >> 4) * 4u; }

PartialSum pseudo_sum(Bytes frame, uint32_t transport_bytes, uint8_t protocol) {
    const ParsedFrame parsed = parse_frame(frame, {.vlan = {}, .skip_checksum = true});
    return pseudo_header_sum(parsed.source, parsed.destination, protocol, transport_bytes);
}

void fill_ipv4_checksum(FrameBytes& frame) {
    put_u16(frame, ethernet_bytes + 10, 0);
    put_u16(frame, ethernet_bytes + 10,
            sum_of(Bytes(frame).subspan(ethernet_bytes, ipv4_bytes)).checksum());
}

void fill_tcp_checksum(FrameBytes& frame) {
    const uint32_t at = transport_at(frame);
    const Bytes transport = Bytes(frame).subspan(at);
    put_u16(frame, at + tcp_checksum_at, 0);
    const auto bytes = static_cast<uint32_t>(transport.size());
    const PartialSum sum = pseudo_sum(frame, bytes, protocol_tcp).then(sum_of(transport), 0);
    put_u16(frame, at + tcp_checksum_at, sum.checksum());
}

// The device adds up everything behind the IP header, the seed in the checksum's field included.
void finish_seeded_checksum(FrameBytes& frame, uint32_t at) {
    const uint16_t checksum = sum_of(Bytes(frame).subspan(at)).checksum();
    put_u16(frame, at + tcp_checksum_at, checksum);
}

void set_ip_length(FrameBytes& frame) {
    const auto bytes = static_cast<uint32_t>(frame.size()) - ethernet_bytes;
    if (is_ipv4(frame)) put_u16(frame, ethernet_bytes + 2, bytes);
    else put_u16(frame, ethernet_bytes + 4, bytes - ipv6_bytes);
}

// Segmentation offload: each piece has the headers, with its own lengths, numbers and flags.
std::vector<FrameBytes> cut(const FrameBytes& whole, const OutFrame& frame) {
    std::vector<FrameBytes> pieces;
    const uint32_t at = frame.transport_at;
    for (uint32_t offset = 0; offset < frame.payload_bytes; offset += frame.segment_bytes) {
        const uint32_t bytes =
            std::min<uint32_t>(frame.segment_bytes, frame.payload_bytes - offset);
        FrameBytes piece(whole.begin(), whole.begin() + frame.header_bytes);
        const auto* begin = whole.data() + frame.header_bytes + offset;
        piece.insert(piece.end(), begin, begin + bytes);
        set_ip_length(piece);
        put_u32(piece, at + 4, get_u32(whole, at + 4) + offset);
        const bool is_last = offset + bytes == frame.payload_bytes;
        if (!is_last) piece[at + 13] &= static_cast<uint8_t>(~(tcp_flag::fin | tcp_flag::psh));
        if (is_ipv4(piece)) fill_ipv4_checksum(piece);
        fill_tcp_checksum(piece);
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

}  // namespace

std::vector<FrameBytes> frames_of_device(const OutFrame& frame) {
    FrameBytes whole(frame.header.begin(), frame.header.begin() + frame.header_bytes);
    for (uint32_t part = 0; part < frame.slice_count; ++part) {
        const Bytes bytes = frame.slices[part].bytes();
        whole.insert(whole.end(), bytes.begin(), bytes.end());
    }
    if (frame.segment_bytes > 0) return cut(whole, frame);
    if (frame.ipv4_checksum) fill_ipv4_checksum(whole);
    if (frame.tcp_checksum) finish_seeded_checksum(whole, frame.transport_at);
    return {std::move(whole)};
}

uint32_t ip_packet_bytes(Bytes frame) {
    if (frame.size() < ethernet_bytes || (!is_ipv4(frame) && !is_ipv6(frame))) return 0;
    return static_cast<uint32_t>(frame.size()) - ethernet_bytes;
}

bool is_tcp(Bytes frame) {
    return parse_frame(frame, {}).kind == FrameKind::tcp;
}

uint32_t tcp_payload_bytes(Bytes frame) {
    return static_cast<uint32_t>(frame.size()) - transport_at(frame) - tcp_header_length(frame);
}

FrameBytes packet_too_big(Bytes frame, uint32_t mtu) {
    const ParsedFrame parsed = parse_frame(frame, {});
    const bool ipv4 = is_ipv4(frame);
    // RFC 792: the header and eight bytes; RFC 4443, 3.2: as much as fits into 1280.
    const uint32_t quoted_bytes = ipv4 ? ipv4_bytes + 8 : std::min<uint32_t>(
        static_cast<uint32_t>(parsed.packet.size()), 1'280 - ipv6_bytes - 8);
    FrameBytes out(ethernet_bytes + ipv6_bytes + 8 + quoted_bytes);
    std::span<uint8_t> room(out);
    uint32_t at = write_ethernet(room, parsed.source_mac, parsed.destination_mac,
                                 ipv4 ? ethertype_ipv4 : ethertype_ipv6, {});
    IpHeader header;
    header.source = parsed.destination;
    header.destination = parsed.source;
    header.protocol = ipv4 ? protocol_icmp : protocol_icmpv6;
    header.payload_bytes = 8 + quoted_bytes;
    at += write_ip(room.subspan(at), header);
    out.resize(at + 8 + quoted_bytes);
    std::span<uint8_t> icmp = std::span<uint8_t>(out).subspan(at);
    icmp[0] = ipv4 ? 3 : 2;
    icmp[1] = ipv4 ? 4 : 0;
    if (ipv4) put_u16(icmp, 6, mtu);
    else put_u32(icmp, 4, mtu);
    std::copy_n(parsed.packet.begin(), quoted_bytes, icmp.begin() + 8);
    PartialSum sum = sum_of(icmp);
    if (!ipv4) {
        sum = pseudo_header_sum(header.source, header.destination, protocol_icmpv6,
                                header.payload_bytes).then(sum, 0);
    }
    put_u16(icmp, 2, sum.checksum());
    return out;
}

void damage(FrameBytes& frame, Prng& random) {
    if (ip_packet_bytes(frame) == 0) return;
    const auto bytes = static_cast<uint32_t>(frame.size()) - ethernet_bytes;
    if (random.below(10) == 0) {
        frame.resize(ethernet_bytes + random.below(bytes));
        return;
    }
    const uint32_t burst_bits = random.below(3) == 0 ? 2 + random.below(14) : 1;
    const uint32_t first = random.below(bytes * 8 - burst_bits + 1);
    for (uint32_t bit = first; bit < first + burst_bits; ++bit) {
        // The ends of a burst are wrong for sure.
        const bool is_end = bit == first || bit + 1 == first + burst_bits;
        if (!is_end && random.below(2) == 0) continue;
        frame[ethernet_bytes + bit / 8] ^= static_cast<uint8_t>(0x80 >> bit % 8);
    }
}

void alter_payload(FrameBytes& frame, Prng& random) {
    const uint32_t payload = tcp_payload_bytes(frame);
    frame[frame.size() - 1 - random.below(payload)] ^= 0x55;
    fill_tcp_checksum(frame);
}

void add_fin(FrameBytes& frame) {
    frame[transport_at(frame) + 13] |= tcp_flag::fin;
    fill_tcp_checksum(frame);
}

FrameBytes forge(Bytes frame, Prng& random) {
    const uint32_t at = transport_at(frame);
    FrameBytes forged(frame.begin(), frame.begin() + at + 20);
    forged.resize(forged.size() + random.below(100), 0xee);
    put_u32(forged, at + 4, static_cast<uint32_t>(random.next()));
    put_u32(forged, at + 8, static_cast<uint32_t>(random.next()));
    forged[at + 12] = 5 << 4;
    forged[at + 13] = static_cast<uint8_t>(random.next());
    set_ip_length(forged);
    if (is_ipv4(forged)) fill_ipv4_checksum(forged);
    fill_tcp_checksum(forged);
    return forged;
}

std::string frame_as_text(Bytes frame) {
    const ParsedFrame parsed = parse_frame(frame, {});
    TcpPorts ports;
    Segment segment;
    if (parsed.kind != FrameKind::tcp || !parse_tcp(parsed.body, ports, segment)) {
        constexpr const char* names[] = {"dropped", "tcp", "icmp", "icmpv6", "arp"};
        return fmt::format("{}, {} bytes", names[static_cast<size_t>(parsed.kind)], frame.size());
    }
    std::string flags;
    constexpr char letters[] = "FSRPAUEC";
    for (uint32_t bit = 0; bit < 8; ++bit) {
        if ((segment.flags >> bit & 1) != 0) flags += letters[bit];
    }
    std::string text = fmt::format(
        "{} {}->{} seq {} +{} ack {} win {}", flags, ports.source, ports.destination,
        segment.seq.value, segment.payload.size(), segment.ack.value, segment.window);
    const TcpOptions& options = segment.options;
    if (options.mss != 0) text += fmt::format(" mss {}", options.mss);
    if (options.has_window_scale) text += fmt::format(" ws {}", options.window_scale);
    if (options.has_timestamps) {
        text += fmt::format(" ts {} {}", options.timestamp_value, options.timestamp_echo);
    }
    for (uint32_t index = 0; index < options.sack_count; ++index) {
        text += fmt::format(" sack {}:{}", options.sack[index].begin.value,
                            options.sack[index].end.value);
    }
    return text;
}

}  // namespace millrace::sim
