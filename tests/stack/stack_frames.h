// Frames written by hand, for what a well-behaved stack never sends.
#pragma once

#include <string_view>

#include "stack_harness.h"
#include "wire/icmp.h"

namespace millrace::test {

struct Addressed {
    MacAddress from_mac = mac_of(2);
    MacAddress to_mac = mac_of(1);
    IpAddress from = ip("10.0.0.2");
    IpAddress to = ip("10.0.0.1");
    uint8_t hop_limit = 64;
};

inline FrameBytes ip_frame(const Addressed& way, uint8_t protocol, Bytes body) {
    FrameBytes frame(14 + 40);
    const bool is_ipv4 = way.to.is_ipv4();
    write_ethernet(frame, way.to_mac, way.from_mac, is_ipv4 ? ethertype_ipv4 : ethertype_ipv6, {});
    IpHeader header;
    header.source = way.from;
    header.destination = way.to;
    header.protocol = protocol;
    header.hop_limit = way.hop_limit;
    header.payload_bytes = static_cast<uint32_t>(body.size());
    frame.resize(14 + write_ip(std::span(frame).subspan(14), header));
    frame.insert(frame.end(), body.begin(), body.end());
    return frame;
}

inline FrameBytes tcp_frame(const Addressed& way, TcpPorts ports, const OutSegment& segment,
                            std::string_view payload = {}) {
    FrameBytes body(tcp_header_bytes(segment));
    write_tcp(body, ports, segment);
    body.insert(body.end(), payload.begin(), payload.end());
    const PartialSum sum = pseudo_header_sum(way.from, way.to, protocol_tcp,
                                             static_cast<uint32_t>(body.size()))
                               .then(sum_of(body), 0);
    store16(body.data() + tcp_checksum_at, sum.checksum());
    return ip_frame(way, protocol_tcp, body);
}

inline FrameBytes arp_frame(const ArpPacket& packet, const MacAddress& to) {
    FrameBytes frame(14 + 28);
    write_ethernet(frame, to, packet.sender_mac, ethertype_arp, {});
    write_arp(std::span(frame).subspan(14), packet);
    return frame;
}

inline FrameBytes icmp_frame(const Addressed& way, FrameBytes body) {
    const bool is_ipv4 = way.to.is_ipv4();
    store16(body.data() + 2, 0);
    PartialSum sum = sum_of(body);
    if (!is_ipv4) {
        sum = pseudo_header_sum(way.from, way.to, protocol_icmpv6,
                                static_cast<uint32_t>(body.size()))
                  .then(sum, 0);
    }
    store16(body.data() + 2, sum.checksum());
    return ip_frame(way, is_ipv4 ? protocol_icmp : protocol_icmpv6, body);
}

// A host whose peer is the test: frames in by link->put(), frames out in wire.sent.
struct Alone {
    Clock clock;
    FakeWire wire;
    Host host;

    explicit Alone(HostOptions options = host_options(1)) : host(wire, clock, std::move(options)) {
        host.turn(clock.now);
        wire.keeps = true;
    }
    // What the host sends in a turn after these frames.
    template <class... Frames>
    std::vector<FrameBytes> answers(const Frames&... frames) {
        wire.sent.clear();
        (host.link->put(frames), ...);
        host.turn(clock.now);
        clock.now = clock.now + Duration::ms(1);
        return wire.sent;
    }
    uint16_t listen() { return *host.net->listen({"0.0.0.0", 0}); }
};

struct ParsedTcp {
    ParsedFrame frame;
    TcpPorts ports;
    Segment segment;
};
inline ParsedTcp parsed_tcp(const FrameBytes& frame) {
    ParsedTcp parsed;
    parsed.frame = parse_frame(frame, {});
    REQUIRE(parsed.frame.kind == FrameKind::tcp);
    REQUIRE(parse_tcp(parsed.frame.body, parsed.ports, parsed.segment));
    return parsed;
}

}  // namespace millrace::test
