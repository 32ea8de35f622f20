#include <doctest/doctest.h>

#include <algorithm>

#include "captured_frames.h"
#include "frame_bytes.h"
#include "wire/headers.h"
#include "wire/icmp.h"

using namespace millrace;

namespace {

using Kind = IcmpMessage::Kind;

// An ICMP message as it comes out of a frame. It keeps the bytes.
struct Arrived {
    FrameBytes bytes;
    IpAddress source;
    IpAddress destination;
    uint8_t hop_limit = 255;

    IcmpMessage parse() const {
        ParsedFrame frame;
        frame.kind = source.is_ipv4() ? FrameKind::icmp : FrameKind::icmpv6;
        frame.source = source;
        frame.destination = destination;
        frame.hop_limit = hop_limit;
        frame.body = bytes;
        return parse_icmp(frame);
    }
    void fix_checksum() {
        put_u16(bytes, 2, 0);
        FrameBytes covered;
        if (!source.is_ipv4()) {
            covered.insert(covered.end(), source.octets.begin(), source.octets.end());
            covered.insert(covered.end(), destination.octets.begin(), destination.octets.end());
            covered.resize(covered.size() + 8);
            put_u16(covered, 34, static_cast<uint16_t>(bytes.size()));
            covered[39] = 58;
        }
        covered.insert(covered.end(), bytes.begin(), bytes.end());
        put_u16(bytes, 2, static_cast<uint16_t>(~plain_sum(covered)));
    }
    Kind kind_when_fixed() {
        fix_checksum();
        return parse().kind;
    }
};

Arrived arrived(std::string_view hex) {
    const FrameBytes frame = from_hex(hex);
    const ParsedFrame parsed = parse_frame(frame, {});
    MR_ASSERT(parsed.kind == FrameKind::icmp || parsed.kind == FrameKind::icmpv6);
    return {copy(parsed.body), parsed.source, parsed.destination, parsed.hop_limit};
}
// An error that quotes the packet of this frame.
Arrived error_about(std::string_view hex, std::string_view header_hex, size_t quoted_bytes) {
    const ParsedFrame outer = parse_frame(from_hex(hex), {});
    const FrameBytes frame = from_hex(hex);
    Arrived message{from_hex(header_hex), outer.destination, outer.source, 64};
    message.bytes.insert(message.bytes.end(), frame.begin() + 14,
                         frame.begin() + 14 + quoted_bytes);
    message.fix_checksum();
    return message;
}

}  // namespace

TEST_CASE("icmp: echo requests of Linux are read in both families") {
    for (const std::string_view hex : {captured::echo_request_ipv4, captured::echo_request_ipv6}) {
        const Arrived request = arrived(hex);
        const IcmpMessage message = request.parse();
        CHECK(message.kind == Kind::echo_request);
        CHECK(message.echo.size() == 13);
        CHECK(as_text(message.echo).ends_with("odd data!"));
    }
}

TEST_CASE("icmp: echo replies are those that Linux gives") {
    const auto check = [](std::string_view request_hex, std::string_view reply_hex) {
        const Arrived request = arrived(request_hex);
        const IcmpMessage message = request.parse();
        FrameBytes room(4, 0xee);
        CHECK(write_echo_reply(room, message.echo, request.destination, request.source) == 4);
        room.insert(room.end(), message.echo.begin(), message.echo.end());
        CHECK(room == arrived(reply_hex).bytes);
    };
    check(captured::echo_request_ipv4, captured::echo_reply_ipv4);
    check(captured::echo_request_ipv6, captured::echo_reply_ipv6);
}

TEST_CASE("icmp: an echo reply says nothing to us") {
    CHECK(arrived(captured::echo_reply_ipv4).parse().kind == Kind::ignored);
    CHECK(arrived(captured::echo_reply_ipv6).parse().kind == Kind::ignored);
    CHECK(arrived(captured::router_solicitation).parse().kind == Kind::ignored);
}

TEST_CASE("icmp: a wrong checksum makes every message malformed") {
    for (const std::string_view hex :
         {captured::echo_request_ipv4, captured::echo_request_ipv6, captured::echo_reply_ipv4,
          captured::port_unreachable_ipv4, captured::neighbor_solicitation}) {
        Arrived message = arrived(hex);
        message.bytes.back() ^= 0x10;
        CHECK(message.parse().kind == Kind::malformed);
    }
}

TEST_CASE("icmp: less than eight bytes are malformed") {
    for (size_t count = 0; count < 8; ++count) {
        Arrived message{FrameBytes(count), ip("10.9.0.1"), ip("10.9.0.2")};
        if (count >= 4) message.fix_checksum();
        CHECK(message.parse().kind == Kind::malformed);
    }
}

TEST_CASE("icmp: an echo request from no address has nobody to answer to") {
    Arrived message = arrived(captured::echo_request_ipv6);
    message.source = IpAddress{};
    CHECK(message.kind_when_fixed() == Kind::ignored);
}

TEST_CASE("icmp: errors of Linux about UDP are unreachable without a quote of TCP") {
    for (const std::string_view hex :
         {captured::port_unreachable_ipv4, captured::port_unreachable_ipv6}) {
        const IcmpMessage message = arrived(hex).parse();
        CHECK(message.kind == Kind::unreachable);
        CHECK_FALSE(message.quoted.has_value());
    }
}

TEST_CASE("icmp: fragmentation needed brings the mtu and the segment it is about") {
    const IcmpMessage message =
        error_about(captured::data_ipv4, "0304000000000578", 28).parse();
    CHECK(message.kind == Kind::packet_too_big);
    CHECK(message.mtu == 1'400);
    REQUIRE(message.quoted.has_value());
    CHECK(message.quoted->source == ip("10.9.0.1"));
    CHECK(message.quoted->destination == ip("10.9.0.2"));
    CHECK(message.quoted->source_port == 50'600);
    CHECK(message.quoted->destination_port == 4'000);
    const FrameBytes frame = from_hex(captured::data_ipv4);
    CHECK(message.quoted->sequence ==
          (uint32_t{get_u16(frame, 38)} << 16 | get_u16(frame, 40)));
}

TEST_CASE("icmp: packet too big brings the mtu and the segment it is about") {
    const IcmpMessage message =
        error_about(captured::data_ipv6, "0200000000010500", 82).parse();
    CHECK(message.kind == Kind::packet_too_big);
    CHECK(message.mtu == 0x10500);
    REQUIRE(message.quoted.has_value());
    CHECK(message.quoted->source == ip("fd00::1"));
    CHECK(message.quoted->destination == ip("fd00::2"));
    CHECK(message.quoted->source_port == 39'744);
    CHECK(message.quoted->destination_port == 4'000);
}

TEST_CASE("icmp: a quote that is cut before the sequence number is malformed") {
    for (size_t count = 0; count < 28; ++count) {
        CHECK(error_about(captured::data_ipv4, "0304000000000578", count).parse().kind ==
              Kind::malformed);
    }
    for (size_t count = 0; count < 48; ++count) {
        CHECK(error_about(captured::data_ipv6, "0200000000000500", count).parse().kind ==
              Kind::malformed);
    }
}

TEST_CASE("icmp: the quote of a later fragment holds no ports") {
    Arrived message = error_about(captured::data_ipv4, "0304000000000578", 28);
    message.bytes[8 + 7] = 1;
    message.fix_checksum();
    const IcmpMessage parsed = message.parse();
    CHECK(parsed.kind == Kind::packet_too_big);
    CHECK_FALSE(parsed.quoted.has_value());
}

TEST_CASE("icmp: options in a quoted IPv4 header are skipped") {
    Arrived message = error_about(captured::data_ipv4, "0304000000000578", 28);
    message.bytes[8] = 0x46;
    message.bytes.insert(message.bytes.begin() + 28, {1, 1, 1, 1});
    message.fix_checksum();
    const IcmpMessage parsed = message.parse();
    REQUIRE(parsed.quoted.has_value());
    CHECK(parsed.quoted->source_port == 50'600);
    message.bytes[8] = 0x44;
    CHECK(message.kind_when_fixed() == Kind::malformed);
}

TEST_CASE("icmp: soft errors are unreachable in both families, and keep their quote") {
    for (const std::string_view header :
         {"0301000000000000", "0b00000000000000", "0c00000000000000"}) {
        const IcmpMessage message = error_about(captured::data_ipv4, header, 28).parse();
        CHECK(message.kind == Kind::unreachable);
        CHECK(message.quoted.has_value());
    }
    for (const std::string_view header :
         {"0100000000000000", "0300000000000000", "0400000000000000"}) {
        const IcmpMessage message = error_about(captured::data_ipv6, header, 60).parse();
        CHECK(message.kind == Kind::unreachable);
        CHECK(message.quoted.has_value());
    }
}

TEST_CASE("icmp: a quote of mapped addresses names no flow") {
    Arrived message = error_about(captured::data_ipv6, "0200000000000500", 60);
    const IpAddress mapped = ip("10.9.0.1");
    std::copy(mapped.octets.begin(), mapped.octets.end(), message.bytes.begin() + 16);
    message.fix_checksum();
    CHECK_FALSE(message.parse().quoted.has_value());
}

TEST_CASE("icmp: source quench and redirects are ignored") {
    CHECK(error_about(captured::data_ipv4, "0400000000000000", 28).parse().kind == Kind::ignored);
    CHECK(error_about(captured::data_ipv4, "0500000000000000", 28).parse().kind == Kind::ignored);
}

TEST_CASE("icmp: a neighbor solicitation of Linux is read and written") {
    const Arrived solicitation = arrived(captured::neighbor_solicitation);
    const IcmpMessage message = solicitation.parse();
    CHECK(message.kind == Kind::neighbor_solicitation);
    CHECK(message.target == ip("fd00::2"));
    CHECK(message.link_address == mac_a);
    FrameBytes room(32, 0xee);
    CHECK(write_neighbor_solicitation(room, ip("fd00::1"), solicited_node(ip("fd00::2")),
                                      ip("fd00::2"), mac_a) == 32);
    CHECK(room == solicitation.bytes);
}

TEST_CASE("icmp: a neighbor advertisement of Linux is read and written") {
    const Arrived advertisement = arrived(captured::neighbor_advertisement);
    const IcmpMessage message = advertisement.parse();
    CHECK(message.kind == Kind::neighbor_advertisement);
    CHECK(message.target == ip("fd00::2"));
    CHECK(message.link_address == mac_b);
    CHECK(message.solicited);
    CHECK(message.override);
    FrameBytes room(32, 0xee);
    CHECK(write_neighbor_advertisement(room, ip("fd00::2"), ip("fd00::1"), ip("fd00::2"), mac_b,
                                       true) == 32);
    CHECK(room == advertisement.bytes);
}

TEST_CASE("icmp: duplicate address detection of Linux is read") {
    const IcmpMessage message = arrived(captured::address_detection).parse();
    CHECK(message.kind == Kind::neighbor_solicitation);
    CHECK(message.target == ip("fe80::ff:fe00:a"));
    CHECK_FALSE(message.link_address.has_value());
}

TEST_CASE("icmp: a solicitation from no address carries no link-layer address") {
    FrameBytes room(32, 0xee);
    const IpAddress target = ip("fd00::9");
    CHECK(write_neighbor_solicitation(room, IpAddress{}, solicited_node(target), target, mac_a) ==
          24);
    room.resize(24);
    const Arrived message{room, IpAddress{}, solicited_node(target)};
    CHECK(message.parse().kind == Kind::neighbor_solicitation);
    CHECK(message.parse().target == target);
}

TEST_CASE("icmp: a solicitation from no address is checked more strictly") {
    Arrived message = arrived(captured::neighbor_solicitation);
    message.source = IpAddress{};
    CHECK(message.kind_when_fixed() == Kind::malformed);  // it names a link-layer address
    message.bytes.resize(24);
    CHECK(message.kind_when_fixed() == Kind::neighbor_solicitation);
    message.destination = ip("fd00::2");
    CHECK(message.kind_when_fixed() == Kind::malformed);  // it isn't sent to the group
}

TEST_CASE("icmp: neighbor messages that a router has passed on are malformed") {
    for (const std::string_view hex :
         {captured::neighbor_solicitation, captured::neighbor_advertisement}) {
        Arrived message = arrived(hex);
        message.hop_limit = 254;
        CHECK(message.kind_when_fixed() == Kind::malformed);
    }
}

TEST_CASE("icmp: neighbor messages with a code, a group as target or a cut are malformed") {
    Arrived with_code = arrived(captured::neighbor_solicitation);
    with_code.bytes[1] = 1;
    CHECK(with_code.kind_when_fixed() == Kind::malformed);
    Arrived with_group = arrived(captured::neighbor_solicitation);
    with_group.bytes[8] = 0xff;
    CHECK(with_group.kind_when_fixed() == Kind::malformed);
    for (size_t count = 8; count < 32; ++count) {
        Arrived cut = arrived(captured::neighbor_advertisement);
        cut.bytes.resize(count);
        const bool ends_before_options = count == 24;
        CHECK((cut.kind_when_fixed() == Kind::malformed) != ends_before_options);
    }
}

TEST_CASE("icmp: a neighbor option without length is malformed, an unknown one is skipped") {
    Arrived message = arrived(captured::neighbor_solicitation);
    message.bytes[25] = 0;
    CHECK(message.kind_when_fixed() == Kind::malformed);
    message.bytes[25] = 1;
    message.bytes[24] = 14;
    CHECK(message.kind_when_fixed() == Kind::neighbor_solicitation);
    CHECK_FALSE(message.parse().link_address.has_value());
}

TEST_CASE("icmp: a group's address as a neighbor's is malformed") {
    Arrived message = arrived(captured::neighbor_advertisement);
    message.bytes[26] = 0x33;
    CHECK(message.kind_when_fixed() == Kind::malformed);
}

TEST_CASE("icmp: an advertisement to a group can't be solicited") {
    Arrived message = arrived(captured::neighbor_advertisement);
    message.destination = ip("ff02::1");
    CHECK(message.kind_when_fixed() == Kind::malformed);
    message.bytes[4] = 0x20;
    CHECK(message.kind_when_fixed() == Kind::neighbor_advertisement);
    CHECK_FALSE(message.parse().solicited);
    CHECK(message.parse().override);
}

TEST_CASE("icmp: a router advertisement is known, from a neighbor only") {
    Arrived message{from_hex("8600000040000708" "0000000000000000"), ip("fe80::1"), ip("ff02::1")};
    CHECK(message.kind_when_fixed() == Kind::router_advertisement);
    message.hop_limit = 64;
    CHECK(message.kind_when_fixed() == Kind::malformed);
    message.hop_limit = 255;
    message.source = ip("fd00::1");
    CHECK(message.kind_when_fixed() == Kind::malformed);
}

TEST_CASE("icmp: groups of an address are named as RFC 4291 and RFC 2464 say") {
    CHECK(solicited_node(ip("4037::1:800:200e:8c6c")) == ip("ff02::1:ff0e:8c6c"));
    CHECK(multicast_mac(ip("ff02::1:ff0e:8c6c")) == mac("33:33:ff:0e:8c:6c"));
    CHECK(multicast_mac(ip("ff02::1")) == mac("33:33:00:00:00:01"));
}
