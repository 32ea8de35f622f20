#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "captured_frames.h"
#include "frame_bytes.h"
#include "wire/frame.h"

using namespace millrace;

namespace {

using Mode = VlanSetting::Mode;

constexpr FrameParseOptions untagged{};

FrameFault fault_of(const FrameBytes& frame, const FrameParseOptions& options = untagged) {
    const ParsedFrame parsed = parse_frame(frame, options);
    CHECK((parsed.kind == FrameKind::dropped) == (parsed.fault != FrameFault::none));
    return parsed.fault;
}

FrameBytes with_byte(std::string_view hex, size_t at, uint8_t value) {
    FrameBytes frame = from_hex(hex);
    frame.at(at) = value;
    return frame;
}
FrameBytes with_ipv4_byte(std::string_view hex, size_t at, uint8_t value) {
    return with_ipv4_checksum(with_byte(hex, 14 + at, value));
}
FrameBytes with_ipv4_source(std::string_view source) {
    FrameBytes frame = from_hex(captured::data_ipv4);
    const IpAddress address = ip(source);
    std::copy(address.octets.begin() + 12, address.octets.end(), frame.begin() + 26);
    return with_ipv4_checksum(frame);
}
FrameBytes with_ipv6_address(std::string_view hex, size_t at, std::string_view text) {
    FrameBytes frame = from_hex(hex);
    const IpAddress address = ip(text);
    std::copy(address.octets.begin(), address.octets.end(), frame.begin() + at);
    return frame;
}
FrameBytes with_tag(std::string_view hex, uint16_t tag) {
    FrameBytes frame = from_hex(hex);
    frame.insert(frame.begin() + 12, {0x81, 0x00, static_cast<uint8_t>(tag >> 8),
                                      static_cast<uint8_t>(tag)});
    return frame;
}

}  // namespace

TEST_CASE("frame: TCP over IPv4 is taken apart") {
    const FrameBytes frame = from_hex(captured::data_ipv4);
    const ParsedFrame parsed = parse_frame(frame, untagged);
    CHECK(parsed.kind == FrameKind::tcp);
    CHECK(parsed.fault == FrameFault::none);
    CHECK(parsed.destination_mac == mac("02:00:00:00:00:0b"));
    CHECK(parsed.source_mac == mac("02:00:00:00:00:0a"));
    CHECK(parsed.source == ip("10.9.0.1"));
    CHECK(parsed.destination == ip("10.9.0.2"));
    CHECK(parsed.hop_limit == 64);
    CHECK(parsed.packet.data() == frame.data() + 14);
    CHECK(parsed.packet.size() == frame.size() - 14);
    CHECK(parsed.body.data() == frame.data() + 34);
    CHECK(as_text(parsed.body).ends_with("hello wire"));
}

TEST_CASE("frame: TCP over IPv6 is taken apart") {
    const FrameBytes frame = from_hex(captured::data_ipv6);
    const ParsedFrame parsed = parse_frame(frame, untagged);
    CHECK(parsed.kind == FrameKind::tcp);
    CHECK(parsed.source == ip("fd00::1"));
    CHECK(parsed.destination == ip("fd00::2"));
    CHECK(parsed.hop_limit == 64);
    CHECK(parsed.packet.size() == frame.size() - 14);
    CHECK(parsed.body.data() == frame.data() + 54);
    CHECK(as_text(parsed.body).ends_with("hello wire"));
}

TEST_CASE("frame: ICMP goes with its own family only") {
    CHECK(parse_frame(from_hex(captured::echo_request_ipv4), untagged).kind == FrameKind::icmp);
    CHECK(parse_frame(from_hex(captured::echo_request_ipv6), untagged).kind == FrameKind::icmpv6);
    CHECK(fault_of(with_ipv4_byte(captured::echo_request_ipv4, 9, 58)) ==
          FrameFault::unknown_protocol);
    CHECK(fault_of(with_byte(captured::echo_request_ipv6, 20, 1)) == FrameFault::unknown_protocol);
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 9, 17)) == FrameFault::unknown_protocol);
}

TEST_CASE("frame: the traffic class is read in both families") {
    const FrameBytes ipv4 = with_ipv4_byte(captured::data_ipv4, 1, 0xb9);
    CHECK(parse_frame(ipv4, untagged).traffic_class == 0xb9);
    FrameBytes ipv6 = from_hex(captured::data_ipv6);
    ipv6[14] = 0x6b;
    ipv6[15] = static_cast<uint8_t>(0x90 | (ipv6[15] & 0x0f));
    CHECK(parse_frame(ipv6, untagged).traffic_class == 0xb9);
}

TEST_CASE("frame: padding behind the packet is cut off") {
    for (const std::string_view hex :
         {captured::syn_ipv4, captured::syn_ipv6, captured::arp_request}) {
        const FrameBytes exact = from_hex(hex);
        FrameBytes padded = exact;
        padded.insert(padded.end(), 18, 0x55);
        const ParsedFrame want = parse_frame(exact, untagged);
        const ParsedFrame got = parse_frame(padded, untagged);
        CHECK(got.kind == want.kind);
        CHECK(got.body.size() == want.body.size());
        CHECK(got.packet.size() == want.packet.size());
    }
}

TEST_CASE("frame: whatever is cut short is dropped, at every length") {
    for (const std::string_view hex : {captured::syn_ipv4, captured::syn_ipv6,
                                       captured::arp_reply}) {
        const FrameBytes frame = from_hex(hex);
        for (size_t count = 0; count < frame.size(); ++count) {
            // A copy of the exact length, so that a sanitizer sees a read past the end.
            const auto exact = std::make_unique<uint8_t[]>(count);
            std::copy_n(frame.begin(), count, exact.get());
            const ParsedFrame parsed = parse_frame(Bytes(exact.get(), count), untagged);
            CHECK(parsed.kind == FrameKind::dropped);
            const bool is_known = parsed.fault == FrameFault::too_short ||
                                  parsed.fault == FrameFault::bad_ip_header;
            CHECK(is_known);
        }
    }
}

TEST_CASE("frame: an unknown ethertype is counted as such") {
    CHECK(fault_of(with_byte(captured::data_ipv4, 13, 0x01)) == FrameFault::unknown_ethertype);
}

TEST_CASE("frame: an IPv4 header with a wrong version or length is dropped") {
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 0, 0x55)) == FrameFault::bad_ip_header);
    CHECK(fault_of(with_byte(captured::data_ipv4, 14, 0x44)) == FrameFault::bad_ip_header);
    FrameBytes shorter_than_header = from_hex(captured::data_ipv4);
    put_u16(shorter_than_header, 16, 19);
    CHECK(fault_of(shorter_than_header) == FrameFault::bad_ip_header);
    FrameBytes longer_than_frame = from_hex(captured::data_ipv4);
    put_u16(longer_than_frame, 16, get_u16(longer_than_frame, 16) + 1);
    CHECK(fault_of(longer_than_frame) == FrameFault::bad_ip_header);
}

TEST_CASE("frame: options of IPv4 are skipped, and covered by the checksum") {
    FrameBytes frame = from_hex(captured::data_ipv4);
    frame[14] = 0x46;
    put_u16(frame, 16, get_u16(frame, 16) + 4);
    frame.insert(frame.begin() + 34, {0x94, 0x04, 0x00, 0x00});
    frame = with_ipv4_checksum(frame);
    const ParsedFrame parsed = parse_frame(frame, untagged);
    CHECK(parsed.kind == FrameKind::tcp);
    CHECK(parsed.body.data() == frame.data() + 38);
    frame[37] = 1;
    CHECK(fault_of(frame) == FrameFault::bad_ip_checksum);
}

TEST_CASE("frame: a bad IPv4 checksum drops it, unless the device has looked") {
    for (size_t at = 14; at < 34; ++at) {
        // The version, lengths and addresses have checks of their own; the rest only this one.
        if (at < 18 || at >= 26) continue;
        CHECK(fault_of(with_byte(captured::data_ipv4, at, 0x99)) == FrameFault::bad_ip_checksum);
    }
    const FrameBytes frame = with_byte(captured::data_ipv4, 24, 0x99);
    CHECK(parse_frame(frame, {.skip_checksum = true}).kind == FrameKind::tcp);
}

TEST_CASE("frame: fragments of IPv4 are dropped, first and later ones") {
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 6, 0x20)) == FrameFault::fragment);
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 6, 0x1f)) == FrameFault::fragment);
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 7, 0x01)) == FrameFault::fragment);
    CHECK(fault_of(with_ipv4_byte(captured::data_ipv4, 6, 0x00)) == FrameFault::none);
}

TEST_CASE("frame: nobody sends from a group, a broadcast or no address") {
    for (const std::string_view source : {"224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0"}) {
        CAPTURE(source);
        CHECK(fault_of(with_ipv4_source(source)) == FrameFault::bad_source);
    }
    CHECK(fault_of(with_ipv4_source("223.255.255.255")) == FrameFault::none);
    CHECK(fault_of(with_ipv6_address(captured::data_ipv6, 22, "ff02::1")) ==
          FrameFault::bad_source);
    CHECK(fault_of(with_ipv6_address(captured::data_ipv6, 22, "::")) == FrameFault::bad_source);
    CHECK(fault_of(with_byte(captured::data_ipv4, 6, 0x03)) == FrameFault::bad_source);
}

TEST_CASE("frame: ICMPv6 may come from no address, for duplicate address detection") {
    const FrameBytes frame = from_hex(captured::address_detection);
    const ParsedFrame parsed = parse_frame(frame, untagged);
    CHECK(parsed.kind == FrameKind::icmpv6);
    CHECK(parsed.source == IpAddress{});
}

TEST_CASE("frame: IPv6 with a mapped address is never taken for IPv4") {
    CHECK(fault_of(with_ipv6_address(captured::data_ipv6, 22, "::ffff:10.9.0.1")) ==
          FrameFault::bad_source);
    CHECK(fault_of(with_ipv6_address(captured::data_ipv6, 38, "::ffff:10.9.0.2")) ==
          FrameFault::bad_ip_header);
}

TEST_CASE("frame: an IPv6 header with a wrong version or length is dropped") {
    CHECK(fault_of(with_byte(captured::data_ipv6, 14, 0x40)) == FrameFault::bad_ip_header);
    FrameBytes frame = from_hex(captured::data_ipv6);
    put_u16(frame, 18, get_u16(frame, 18) + 1);
    CHECK(fault_of(frame) == FrameFault::bad_ip_header);
}

TEST_CASE("frame: extension headers of IPv6 are counted apart from fragments") {
    CHECK(fault_of(with_byte(captured::data_ipv6, 20, 44)) == FrameFault::fragment);
    for (const uint8_t next_header : {0, 43, 50, 51, 60, 135, 139, 140}) {
        CHECK(fault_of(with_byte(captured::data_ipv6, 20, next_header)) ==
              FrameFault::ipv6_extension);
    }
    CHECK(fault_of(from_hex(captured::listener_report)) == FrameFault::ipv6_extension);
    CHECK(fault_of(with_byte(captured::data_ipv6, 20, 59)) == FrameFault::unknown_protocol);
}

TEST_CASE("frame: a tag is foreign to an untagged interface") {
    CHECK(fault_of(with_tag(captured::data_ipv4, 5)) == FrameFault::foreign_vlan);
    CHECK(fault_of(with_tag(captured::data_ipv4, 0)) == FrameFault::foreign_vlan);
}

TEST_CASE("frame: a tagged interface takes its own tag only, of any priority") {
    const FrameParseOptions options{.vlan = {.mode = Mode::tagged, .id = 5}};
    CHECK(fault_of(with_tag(captured::data_ipv4, 5), options) == FrameFault::none);
    CHECK(fault_of(with_tag(captured::data_ipv4, 0xf005), options) == FrameFault::none);
    CHECK(fault_of(with_tag(captured::data_ipv4, 6), options) == FrameFault::foreign_vlan);
    CHECK(fault_of(with_tag(captured::data_ipv4, 0x0105), options) == FrameFault::foreign_vlan);
    CHECK(fault_of(from_hex(captured::data_ipv4), options) == FrameFault::foreign_vlan);
    const FrameBytes frame = with_tag(captured::data_ipv6, 5);
    CHECK(parse_frame(frame, options).packet.data() == frame.data() + 18);
}

TEST_CASE("frame: with pass-through any tag and none is taken, but not two") {
    const FrameParseOptions options{.vlan = {.mode = Mode::pass_through}};
    CHECK(fault_of(from_hex(captured::data_ipv4), options) == FrameFault::none);
    FrameBytes frame = with_tag(captured::data_ipv4, 0x6fff);
    CHECK(parse_frame(frame, options).body.data() == frame.data() + 38);
    frame.insert(frame.begin() + 12, {0x81, 0x00, 0x00, 0x01});
    CHECK(fault_of(frame, options) == FrameFault::unknown_ethertype);
}

TEST_CASE("frame: a tag that is cut off is too short") {
    FrameBytes frame = with_tag(captured::data_ipv4, 5);
    for (const size_t count : {14u, 15u, 17u}) {
        frame.resize(18);
        frame.resize(count);
        CHECK(fault_of(frame, {.vlan = {.mode = Mode::pass_through}}) == FrameFault::too_short);
    }
}

TEST_CASE("frame: ARP of Linux is read") {
    const FrameBytes frame = from_hex(captured::arp_reply);
    const ParsedFrame parsed = parse_frame(frame, untagged);
    REQUIRE(parsed.kind == FrameKind::arp);
    ArpPacket packet;
    REQUIRE(parse_arp(parsed.body, packet));
    CHECK(packet.operation == ArpPacket::Operation::reply);
    CHECK(packet.sender_mac == mac("02:00:00:00:00:0b"));
    CHECK(packet.sender_ip == 0x0a090002);
    CHECK(packet.target_mac == mac("02:00:00:00:00:0a"));
    CHECK(packet.target_ip == 0x0a090001);
}

TEST_CASE("frame: ARP for other hardware, protocols or operations is refused") {
    for (size_t at = 14; at < 22; ++at) {
        CHECK(fault_of(with_byte(captured::arp_request, at, 0x77)) == FrameFault::bad_arp);
    }
    CHECK(fault_of(with_byte(captured::arp_request, 21, 3)) == FrameFault::bad_arp);
    CHECK(fault_of(with_byte(captured::arp_request, 21, 0)) == FrameFault::bad_arp);
}

TEST_CASE("frame: ARP that gives a host a group's address is refused") {
    CHECK(fault_of(with_byte(captured::arp_reply, 22, 0x01)) == FrameFault::bad_arp);
}
