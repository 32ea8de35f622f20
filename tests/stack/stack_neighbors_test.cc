// ARP, neighbor discovery, ICMP: what is answered, learned and left alone.
#include "stack_frames.h"

namespace millrace::test {

namespace {

ArpPacket question(uint32_t target, uint32_t sender = 0x0a000002) {
    return {.operation = ArpPacket::Operation::request,
            .sender_mac = mac_of(2),
            .sender_ip = sender,
            .target_mac = {},
            .target_ip = target};
}

FrameBytes echo_request(size_t data_bytes, bool is_ipv4) {
    FrameBytes body(8);
    body[0] = is_ipv4 ? 8 : 128;
    store16(body.data() + 4, 0x1234);
    store16(body.data() + 6, 7);
    const std::string data = pattern(data_bytes);
    body.insert(body.end(), data.begin(), data.end());
    return body;
}

}  // namespace

TEST_CASE("arp: a question about an own address, or one of a range, is answered") {
    HostOptions options = host_options(1);
    options.stack.interface.own_ranges = {prefix("10.0.64.0/18")};
    Alone alone(options);
    for (const uint32_t target : {0x0a000001u, 0x0a004001u, 0x0a007ffeu}) {
        const auto out = alone.answers(arp_frame(question(target), MacAddress::broadcast()));
        REQUIRE(out.size() == 1);
        const ParsedFrame frame = parse_frame(out[0], {});
        ArpPacket answer;
        REQUIRE((frame.kind == FrameKind::arp && parse_arp(frame.body, answer)));
        CHECK(frame.destination_mac == mac_of(2));
        CHECK(answer.operation == ArpPacket::Operation::reply);
        CHECK(answer.sender_mac == mac_of(1));
        CHECK(answer.sender_ip == target);
        CHECK(answer.target_ip == 0x0a000002);
    }
}

TEST_CASE("arp: what isn't ours is left alone, and so is a copy of another shard's frame") {
    Alone alone;
    CHECK(alone.answers(arp_frame(question(0x0a000009), MacAddress::broadcast())).empty());
    alone.host.link->gives_copies = true;
    CHECK(alone.answers(arp_frame(question(0x0a000001), MacAddress::broadcast())).empty());
}

TEST_CASE("arp: a probe from nobody is answered, a conflict is counted") {
    Alone alone;
    CHECK(alone.answers(arp_frame(question(0x0a000001, 0), MacAddress::broadcast())).size() == 1);
    CHECK(alone.answers(
                   arp_frame(question(0x0a000009, 0x0a000001), MacAddress::broadcast()))
              .empty());
    CHECK(alone.host.net->stack_counters().address_conflicts.read() == 1);
}

TEST_CASE("arp: own addresses are announced at start, by the first shard alone") {
    for (const uint32_t shard : {0u, 1u}) {
        Clock clock;
        FakeWire wire;
        wire.keeps = true;
        HostOptions options = host_options(1);
        options.stack.shard = shard;
        options.stack.shard_count = 2;
        Host host(wire, clock, options);
        host.turn(clock.now);
        CHECK(wire.sent.size() == (shard == 0 ? 2 : 0));
        if (shard != 0) continue;
        ArpPacket packet;
        REQUIRE(parse_arp(parse_frame(wire.sent[0], {}).body, packet));
        CHECK(packet.sender_ip == packet.target_ip);
        const ParsedFrame second = parse_frame(wire.sent[1], {});
        CHECK(parse_icmp(second).kind == IcmpMessage::Kind::neighbor_advertisement);
        CHECK(second.hop_limit == 255);
    }
}

TEST_CASE("arp: a neighbor learned by a copy lets a waiting connection go on") {
    Alone alone;
    alone.host.net->connect({.remote = {"10.0.0.2", 80}, .source_host = {}});
    alone.answers();
    alone.host.link->gives_copies = true;
    const auto out = alone.answers(arp_frame({.operation = ArpPacket::Operation::reply,
                                              .sender_mac = mac_of(2),
                                              .sender_ip = 0x0a000002,
                                              .target_mac = mac_of(1),
                                              .target_ip = 0x0a000001},
                                             mac_of(1)));
    REQUIRE(out.size() == 1);
    CHECK(parsed_tcp(out[0]).frame.destination_mac == mac_of(2));
    CHECK(parsed_tcp(out[0]).segment.flags == tcp_flag::syn);
}

TEST_CASE("nd: a solicitation for an own address is answered, with our MAC address") {
    Alone alone;
    Addressed way;
    way.from = ip("fd00::2");
    way.to = solicited_node(ip("fd00::1"));
    way.to_mac = multicast_mac(way.to);
    way.hop_limit = 255;
    FrameBytes body(32);
    write_neighbor_solicitation(body, way.from, way.to, ip("fd00::1"), mac_of(2));
    const auto out = alone.answers(icmp_frame(way, body));
    REQUIRE(out.size() == 1);
    const ParsedFrame frame = parse_frame(out[0], {});
    const IcmpMessage message = parse_icmp(frame);
    CHECK(message.kind == IcmpMessage::Kind::neighbor_advertisement);
    CHECK(frame.destination == ip("fd00::2"));
    CHECK(frame.destination_mac == mac_of(2));
    CHECK(message.target == ip("fd00::1"));
    CHECK(message.link_address == mac_of(1));
    CHECK(message.solicited);

    write_neighbor_solicitation(body, way.from, way.to, ip("fd00::9"), mac_of(2));
    CHECK(alone.answers(icmp_frame(way, body)).empty());
}

TEST_CASE("icmp: an echo comes back with its data, short and long, of both families") {
    Alone alone;
    for (const bool is_ipv4 : {true, false}) {
        Addressed way;
        if (!is_ipv4) {
            way.from = ip("fd00::2");
            way.to = ip("fd00::1");
        }
        for (const size_t bytes : {size_t{0}, size_t{1}, size_t{56}, size_t{1'400}}) {
            const FrameBytes request = echo_request(bytes, is_ipv4);
            const auto out = alone.answers(icmp_frame(way, request));
            REQUIRE(out.size() == 1);
            const ParsedFrame frame = parse_frame(out[0], {});
            CHECK(parse_icmp(frame).kind != IcmpMessage::Kind::malformed);
            CHECK(frame.body[0] == (is_ipv4 ? 0 : 129));
            CHECK(frame.source == way.to);
            CHECK(frame.destination == way.from);
            REQUIRE(frame.body.size() == request.size());
            CHECK(std::equal(frame.body.begin() + 4, frame.body.end(), request.begin() + 4));
        }
    }
    CHECK(alone.host.net->stack_counters().echoes_answered.read() == 8);
}

TEST_CASE("icmp: an echo to a broadcast address, or with a bad checksum, gets no answer") {
    Alone alone;
    Addressed way;
    way.to = ip("10.0.255.255");
    CHECK(alone.answers(icmp_frame(way, echo_request(8, true))).empty());
    Addressed loud;
    loud.to_mac = MacAddress::broadcast();
    CHECK(alone.answers(icmp_frame(loud, echo_request(8, true))).empty());
    FrameBytes broken = icmp_frame({}, echo_request(8, true));
    broken.back() ^= 1;
    CHECK(alone.answers(broken).empty());
    CHECK(alone.host.net->stack_counters().icmp_malformed.read() == 1);
}

TEST_CASE("icmp: echoes are limited in their rate") {
    HostOptions options = host_options(1);
    options.stack.echoes_per_second_max = 3;
    Alone alone(options);
    size_t count = 0;
    for (int index = 0; index < 10; ++index) {
        count += alone.answers(icmp_frame({}, echo_request(8, true))).size();
    }
    CHECK(count == 3);
    CHECK(alone.host.net->stack_counters().echoes_suppressed.read() == 7);
    alone.clock.now = alone.clock.now + Duration::s(1);
    CHECK(alone.answers(icmp_frame({}, echo_request(8, true))).size() == 1);
}

TEST_CASE("icmp: a router's word about the MTU makes segments shorter") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    size_t longest = 0;
    bool has_told = false;
    // A hop of 1000 bytes between the two, which says so.
    pair.wire.passes = [&](const ParsedFrame& frame) {
        if (frame.kind != FrameKind::tcp || frame.source != ip("10.0.0.2")) return true;
        longest = std::max(longest, frame.packet.size());
        if (frame.packet.size() <= 1'000) return true;
        has_told = true;
        FrameBytes body(8);
        body[0] = 3;
        body[1] = 4;
        store16(body.data() + 6, 1'000);
        body.insert(body.end(), frame.packet.begin(), frame.packet.begin() + 28);
        Addressed way;
        way.from_mac = mac_of(1);
        way.to_mac = mac_of(2);
        way.from = ip("10.0.0.1");
        way.to = ip("10.0.0.2");
        pair.client.link->put(icmp_frame(way, body));
        return false;
    };
    const std::string text = pattern(100'000);
    for (size_t at = 0; at < text.size(); at += 50'000) {
        pair.client.send(*own, std::string_view(text).substr(at, 50'000));
    }
    CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); }));
    CHECK(pair.server.received == text);
    CHECK(has_told);
    CHECK(longest == 1'500);
    CHECK(TcpConnection::of(*own).mss == 1'000 - 20 - 20 - 12);
    CHECK(pair.client.net->tcp_counters().mtu_reductions.read() >= 1);
}

TEST_CASE("stack: with a VLAN, tags go out and frames without one are dropped") {
    HostOptions server = host_options(1);
    HostOptions client = host_options(2);
    server.stack.interface.vlan = {VlanSetting::Mode::tagged, 7};
    client.stack.interface.vlan = {VlanSetting::Mode::tagged, 7};
    Pair pair(server, client);
    pair.listen("::");
    const auto [own, other] = pair.open("fd00::1");
    pair.client.send(*own, pattern(5'000));
    CHECK(pair.run_until([&] { return pair.server.received.size() == 5'000; }));
    CHECK(pair.wire.bad_frames == 0);
    pair.server.link->put(arp_frame(question(0x0a000001), MacAddress::broadcast()));
    pair.turn();
    CHECK(pair.server.net->stack_counters()
              .frame_faults[static_cast<size_t>(FrameFault::foreign_vlan)]
              .read() == 1);
}

}  // namespace millrace::test
