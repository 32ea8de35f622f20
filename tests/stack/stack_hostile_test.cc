// Handshakes under pressure, and segments that nobody should have sent.
#include <algorithm>

#include "base/prng.h"
#include "stack_frames.h"

namespace millrace::test {

namespace {

OutSegment syn(uint32_t seq) {
    OutSegment segment;
    segment.seq = {seq};
    segment.flags = tcp_flag::syn;
    segment.window = 60'000;
    segment.options.mss = 1'460;
    return segment;
}

OutSegment with_flags(uint8_t flags, uint32_t seq, uint32_t ack) {
    OutSegment segment;
    segment.seq = {seq};
    segment.ack = {ack};
    segment.flags = flags;
    segment.window = 60'000;
    return segment;
}

}  // namespace

TEST_CASE("stack: a SYN-ACK agrees to what the SYN offered and no more") {
    Alone alone;
    const uint16_t port = alone.listen();
    const auto plain = alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    REQUIRE(plain.size() == 1);
    ParsedTcp answer = parsed_tcp(plain[0]);
    CHECK(answer.segment.flags == (tcp_flag::syn | tcp_flag::ack));
    CHECK(answer.segment.ack == SeqNumber{101});
    CHECK(answer.segment.options.mss == 1'460);
    CHECK(!answer.segment.options.has_window_scale);
    CHECK(!answer.segment.options.has_timestamps);
    CHECK(!answer.segment.options.sack_permitted);

    OutSegment rich = syn(100);
    rich.options.has_window_scale = true;
    rich.options.window_scale = 9;
    rich.options.has_timestamps = true;
    rich.options.timestamp_value = 4'711;
    rich.options.sack_permitted = true;
    const auto full = alone.answers(tcp_frame({}, {5'001, port}, rich));
    REQUIRE(full.size() == 1);
    answer = parsed_tcp(full[0]);
    CHECK(answer.segment.options.has_window_scale);
    CHECK(answer.segment.options.has_timestamps);
    CHECK(answer.segment.options.timestamp_echo == 4'711);
    CHECK(answer.segment.options.sack_permitted);
}

TEST_CASE("stack: a handshake that nobody ends is asked again, then forgotten") {
    HostOptions options = host_options(1);
    options.stack.tcp.syn_retries_max = 3;
    Alone alone(options);
    const uint16_t port = alone.listen();
    alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    CHECK(alone.host.net->half_open_count() == 1);
    std::vector<int64_t> asked;
    const Instant begin = alone.clock.now;
    for (int step = 0; step < 2'000; ++step) {
        alone.wire.sent.clear();
        alone.host.turn(alone.clock.now);
        if (!alone.wire.sent.empty()) {
            asked.push_back(((alone.clock.now - begin).to_ms() + 50) / 100);
        }
        alone.clock.now = alone.clock.now + Duration::ms(10);
    }
    CHECK(asked == std::vector<int64_t>{10, 30, 70});
    CHECK(alone.host.net->half_open_count() == 0);
    CHECK(alone.host.net->stack_counters().handshakes_expired.read() == 1);
}

TEST_CASE("stack: a handshake takes only its own last ACK") {
    Alone alone;
    const uint16_t port = alone.listen();
    const auto out = alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    const uint32_t iss = parsed_tcp(out[0]).segment.seq.value;
    // A wrong acknowledgement gets a RST with its own number (RFC 9293, 3.10.7.4).
    const auto wrong = alone.answers(
        tcp_frame({}, {5'000, port}, with_flags(tcp_flag::ack, 101, iss + 2)));
    REQUIRE(wrong.size() == 1);
    CHECK(parsed_tcp(wrong[0]).segment.flags == tcp_flag::rst);
    CHECK(parsed_tcp(wrong[0]).segment.seq == SeqNumber{iss + 2});
    // A RST beside the exact number changes nothing.
    alone.answers(tcp_frame({}, {5'000, port}, with_flags(tcp_flag::rst, 102, 0)));
    CHECK(alone.host.net->half_open_count() == 1);
    // The same SYN again: our answer was lost.
    const auto again = alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    REQUIRE(again.size() == 1);
    CHECK(parsed_tcp(again[0]).segment.seq == SeqNumber{iss});
    // Another SYN: a plain ACK, which a host that has forgotten answers by a RST.
    const auto other = alone.answers(tcp_frame({}, {5'000, port}, syn(9'000)));
    REQUIRE(other.size() == 1);
    CHECK(parsed_tcp(other[0]).segment.flags == tcp_flag::ack);
    CHECK(parsed_tcp(other[0]).segment.ack == SeqNumber{101});
    CHECK(alone.host.accepted.empty());
    alone.answers(tcp_frame({}, {5'000, port}, with_flags(tcp_flag::ack, 101, iss + 1), "hi"));
    CHECK(alone.host.accepted.size() == 1);
    CHECK(alone.host.received == "hi");
    CHECK(alone.host.net->half_open_count() == 0);
}

TEST_CASE("stack: the exact RST ends a handshake") {
    Alone alone;
    const uint16_t port = alone.listen();
    alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    CHECK(alone.answers(tcp_frame({}, {5'000, port}, with_flags(tcp_flag::rst, 101, 0))).empty());
    CHECK(alone.host.net->half_open_count() == 0);
}

TEST_CASE("stack: SYN, last ACK and bytes in one burst are all handled") {
    Alone alone;
    const uint16_t port = alone.listen();
    const auto out = alone.answers(tcp_frame({}, {5'000, port}, syn(100)));
    const uint32_t iss = parsed_tcp(out[0]).segment.seq.value;
    const auto ack = [&](uint32_t seq, std::string_view text) {
        return tcp_frame({}, {5'000, port}, with_flags(tcp_flag::ack, seq, iss + 1), text);
    };
    alone.answers(ack(101, ""), ack(101, "one "), ack(105, "two "),
                  tcp_frame({}, {5'000, port},
                            with_flags(tcp_flag::ack | tcp_flag::fin, 109, iss + 1), "three"));
    CHECK(alone.host.order == "arrrx");
    CHECK(alone.host.received == "one two three");
}

TEST_CASE("stack: under many SYNs cookies are sent, and whoever means it gets in") {
    HostOptions options = host_options(1);
    options.stack.half_open = {.count_max = 64, .cookies_from = 32, .per_source_max = 64};
    Pair pair(options);
    pair.listen();
    Prng random(7);
    for (int index = 0; index < 5'000; ++index) {
        Addressed way;
        way.from = IpAddress::from_ipv4(0x0a000000 + 0x200 + random.below(0xf000));
        way.from_mac = mac_of(99);  // nobody
        pair.server.link->put(tcp_frame(
            way, {static_cast<uint16_t>(1'024 + random.below(60'000)), pair.port}, syn(index)));
        if (index % 100 == 99) pair.turn(Duration::us(100));
    }
    CHECK(pair.server.net->half_open_count() <= 64);
    CHECK(pair.server.net->stack_counters().cookies_sent.read() > 4'000);
    const auto [own, other] = pair.open();
    CHECK(pair.server.net->stack_counters().cookies_accepted.read() == 1);
    const TcpConnection& accepted = TcpConnection::of(*other);
    const TcpConnection& opened = TcpConnection::of(*own);
    const bool agreed = accepted.has_timestamps && accepted.has_sack &&
                        accepted.snd_scale == opened.rcv_scale;
    CHECK(agreed);
    const std::string text = pattern(200'000);
    for (size_t at = 0; at < text.size(); at += 50'000) {
        pair.server.send(*other, std::string_view(text).substr(at, 50'000));
    }
    CHECK(pair.run_until([&] { return pair.client.received.size() == text.size(); }));
    CHECK(pair.client.received == text);
    CHECK(pair.wire.bad_frames == 0);
}

TEST_CASE("stack: without cookies under way, an ACK out of the blue is only refused") {
    Alone alone;
    const uint16_t port = alone.listen();
    const auto out = alone.answers(
        tcp_frame({}, {5'000, port}, with_flags(tcp_flag::ack, 100, 4'711)));
    REQUIRE(out.size() == 1);
    CHECK(parsed_tcp(out[0]).segment.flags == tcp_flag::rst);
    CHECK(alone.host.net->stack_counters().cookies_refused.read() == 0);
    CHECK(alone.host.accepted.empty());
}

TEST_CASE("stack: unknown segments are refused, so many a second, and a RST never") {
    HostOptions options = host_options(1);
    options.stack.resets_per_second_max = 5;
    Alone alone(options);
    const auto out = alone.answers(tcp_frame({}, {5'000, 81}, syn(100), "text"));
    REQUIRE(out.size() == 1);
    CHECK(parsed_tcp(out[0]).segment.flags == (tcp_flag::rst | tcp_flag::ack));
    CHECK(parsed_tcp(out[0]).segment.ack == SeqNumber{105});
    CHECK(alone.answers(tcp_frame({}, {5'000, 81}, with_flags(tcp_flag::rst, 1, 0))).empty());
    size_t count = 1;
    for (uint16_t port = 1; port < 20; ++port) {
        count += alone.answers(tcp_frame({}, {port, 81}, syn(100))).size();
    }
    CHECK(count == 5);
    CHECK(alone.host.net->stack_counters().resets_suppressed.read() == 15);
}

TEST_CASE("stack: TCP to many, to others, from ourselves or damaged gets no answer") {
    Alone alone;
    const uint16_t port = alone.listen();
    const StackCounters& counters = alone.host.net->stack_counters();
    Addressed loud;
    loud.to_mac = MacAddress::broadcast();
    CHECK(alone.answers(tcp_frame(loud, {5'000, port}, syn(1))).empty());
    Addressed broadcast;
    broadcast.to = ip("10.0.255.255");
    CHECK(alone.answers(tcp_frame(broadcast, {5'000, port}, syn(1))).empty());
    CHECK(counters.not_unicast.read() == 2);
    Addressed foreign;
    foreign.to = ip("10.0.0.9");
    CHECK(alone.answers(tcp_frame(foreign, {5'000, port}, syn(1))).empty());
    CHECK(counters.foreign_address.read() == 1);
    Addressed other_card;
    other_card.to_mac = mac_of(9);
    CHECK(alone.answers(tcp_frame(other_card, {5'000, port}, syn(1))).empty());
    CHECK(counters.foreign_mac.read() == 1);
    Addressed land;
    land.from = land.to;
    CHECK(alone.answers(tcp_frame(land, {port, port}, syn(1))).empty());
    CHECK(counters.tcp_from_ourselves.read() == 1);
    FrameBytes damaged = tcp_frame({}, {5'000, port}, syn(1), "abc");
    damaged.back() ^= 0x10;
    CHECK(alone.answers(damaged).empty());
    CHECK(counters.tcp_bad_checksum.read() == 1);
    CHECK(alone.host.net->half_open_count() == 0);
}

TEST_CASE("stack: any bytes at all are survived") {
    Alone alone;
    const uint16_t port = alone.listen();
    Prng random(11);
    const FrameBytes good = tcp_frame({}, {5'000, port}, syn(1), "some payload");
    const FrameBytes arp = arp_frame({.operation = ArpPacket::Operation::request,
                                      .sender_mac = mac_of(2),
                                      .sender_ip = 0x0a000002,
                                      .target_mac = {},
                                      .target_ip = 0x0a000001},
                                     MacAddress::broadcast());
    for (int round = 0; round < 20'000; ++round) {
        FrameBytes frame = random.below(4) == 0 ? arp : good;
        for (uint32_t change = random.below(4); change > 0; --change) {
            frame[random.below(static_cast<uint32_t>(frame.size()))] =
                static_cast<uint8_t>(random.next());
        }
        if (random.below(3) == 0) frame.resize(random.below(static_cast<uint32_t>(frame.size())));
        alone.host.link->put(frame);
        if (round % 64 == 63) alone.host.turn(alone.clock.now);
    }
    CHECK(alone.wire.bad_frames == 0);
    CHECK(alone.host.net->stack_counters().frames_in.read() >= 19'900);
}

TEST_CASE("stack: a tiny arena refuses newcomers, keeps the old ones, and recovers") {
    HostOptions options = host_options(1);
    options.arena_bytes = 1 << 20;
    options.stack.half_open = {.count_max = 10'000, .cookies_from = 10'000,
                               .per_source_max = 10'000};
    Pair pair(options);
    pair.listen();
    const auto [own, other] = pair.open();
    for (int index = 0; index < 4'000; ++index) {
        pair.connect();
        if (index % 200 == 199) pair.turn();
    }
    pair.run_for(Duration::s(2), Duration::ms(5));
    CHECK(pair.server.net->stack_counters().accept_no_memory.read() > 0);
    CHECK(pair.server.accepted.size() > 500);
    CHECK(pair.server.accepted.size() < 4'000);
    for (size_t index = 1; index < pair.server.accepted.size(); ++index) {
        pair.server.net->outbox().close_now(*pair.server.accepted[index], CloseReason::local);
    }
    pair.server.accepted.clear();
    pair.client.send(*own, "still here");
    CHECK(pair.run_until([&] { return pair.server.received == "still here"; }));
    const size_t before = pair.server.accepted.size();
    CHECK(pair.run_until([&] { return pair.server.accepted.size() > before + 100; },
                         Duration::s(30), Duration::ms(10)));
    CHECK(other->close_reason == CloseReason::none);
}

}  // namespace millrace::test
