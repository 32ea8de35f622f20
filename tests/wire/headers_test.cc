#include <doctest/doctest.h>

#include "captured_frames.h"
#include "frame_bytes.h"
#include "wire/headers.h"

using namespace millrace;

namespace {

Bytes first(const FrameBytes& bytes, size_t count) { return Bytes(bytes).first(count); }

}  // namespace

TEST_CASE("headers: an Ethernet header is 14 bytes without a tag") {
    FrameBytes room(20, 0xee);
    CHECK(write_ethernet(room, mac_b, mac_a, ethertype_ipv4, {}) == 14);
    CHECK(copy(first(room, 15)) == from_hex("02000000000b02000000000a0800" "ee"));
}

TEST_CASE("headers: a tag stands before the ethertype, in mode tagged only") {
    FrameBytes room(20, 0xee);
    CHECK(write_ethernet(room, mac_b, mac_a, ethertype_ipv6,
                         {.mode = VlanSetting::Mode::tagged, .id = 0xabc}) == 18);
    CHECK(copy(first(room, 19)) == from_hex("02000000000b02000000000a8100" "0abc" "86dd" "ee"));
    CHECK(write_ethernet(room, mac_b, mac_a, ethertype_ipv6,
                         {.mode = VlanSetting::Mode::pass_through, .id = 0xabc}) == 14);
}

TEST_CASE("headers: an IPv4 header is the one that Linux writes") {
    const FrameBytes frame = from_hex(captured::data_ipv4);
    FrameBytes room(20, 0xee);
    CHECK(write_ip(room, {.source = ip("10.9.0.1"),
                          .destination = ip("10.9.0.2"),
                          .payload_bytes = static_cast<uint32_t>(frame.size() - 34),
                          .identification = get_u16(frame, 18)}) == 20);
    CHECK(room == copy(Bytes(frame).subspan(14, 20)));
}

TEST_CASE("headers: the IPv4 checksum's field is zero when the device fills it in") {
    FrameBytes room(20, 0xee);
    write_ip(room, {.source = ip("10.9.0.1"),
                    .destination = ip("10.9.0.2"),
                    .payload_bytes = 100,
                    .leave_checksum = true});
    CHECK(get_u16(room, 10) == 0);
}

TEST_CASE("headers: every field of an IPv4 header has its place") {
    FrameBytes room(20, 0xee);
    write_ip(room, {.source = ip("1.2.3.4"),
                    .destination = ip("250.251.252.253"),
                    .protocol = protocol_icmp,
                    .hop_limit = 3,
                    .traffic_class = 0xb9,
                    .payload_bytes = 65'515,
                    .identification = 0xfedc,
                    .leave_checksum = true});
    CHECK(room == from_hex("45b9ffff" "fedc4000" "03010000" "01020304" "fafbfcfd"));
}

TEST_CASE("headers: an IPv6 header is the one that Linux writes, but for the flow label") {
    const FrameBytes frame = from_hex(captured::data_ipv6);
    FrameBytes wanted = copy(Bytes(frame).subspan(14, 40));
    wanted[1] = wanted[2] = wanted[3] = 0;
    FrameBytes room(40, 0xee);
    CHECK(write_ip(room, {.source = ip("fd00::1"),
                          .destination = ip("fd00::2"),
                          .payload_bytes = static_cast<uint32_t>(frame.size() - 54)}) == 40);
    CHECK(room == wanted);
}

TEST_CASE("headers: an IPv6 traffic class lies across the first two bytes") {
    FrameBytes room(40, 0xee);
    write_ip(room, {.source = ip("fd00::1"),
                    .destination = ip("fd00::2"),
                    .protocol = protocol_icmpv6,
                    .hop_limit = 255,
                    .traffic_class = 0xb9,
                    .payload_bytes = 65'535});
    CHECK(copy(first(room, 8)) == from_hex("6b900000" "ffff3aff"));
}

TEST_CASE("headers: ARP packets are those that Linux writes") {
    FrameBytes room(28, 0xee);
    CHECK(write_arp(room, {.operation = ArpPacket::Operation::request,
                           .sender_mac = mac_a,
                           .sender_ip = ip("10.9.0.1").ipv4(),
                           .target_ip = ip("10.9.0.2").ipv4()}) == 28);
    CHECK(room == copy(Bytes(from_hex(captured::arp_request)).subspan(14)));
    write_arp(room, {.operation = ArpPacket::Operation::reply,
                     .sender_mac = mac_b,
                     .sender_ip = ip("10.9.0.2").ipv4(),
                     .target_mac = mac_a,
                     .target_ip = ip("10.9.0.1").ipv4()});
    CHECK(room == copy(Bytes(from_hex(captured::arp_reply)).subspan(14)));
}
