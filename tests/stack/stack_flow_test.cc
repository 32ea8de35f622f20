// Output and its limits: pausing, draining, a link that is full, what frames are made of.
#include <algorithm>

#include "stack_harness.h"

namespace millrace::test {

namespace {

void send_all(Host& host, Connection& connection, std::string_view text, size_t part) {
    for (size_t at = 0; at < text.size(); at += part) {
        REQUIRE(host.send_apart(connection, text.substr(at, part)));
    }
}

// A stack under the real clock, alone on its wire.
struct AwakeHost {
    AwakeHost(FakeWire& wire, const HostOptions& options)
        : arena(std::move(*Arena::create({16 << 20, HugePages::off}))), heap(*arena, ledger),
          blocks(heap, ledger), waker(std::move(*Waker::create())) {
        auto made = StackTransport::create(
            options.stack, std::make_unique<FakeLink>(wire, blocks, options.facts), *arena, ledger,
            heap, blocks, waker);
        REQUIRE(made.has_value());
        net = std::move(*made);
    }

    std::unique_ptr<Arena> arena;
    Ledger ledger;
    Heap heap;
    BlockPool blocks;
    Waker waker;
    std::unique_ptr<StackTransport> net;
};

}  // namespace

TEST_CASE("stack: a paused connection delivers nothing, and all of it when it resumes") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.net->outbox().set_receive_paused(*other, true);
    pair.turn();
    const std::string text = pattern(600'000);
    send_all(pair.client, *own, text, 60'000);
    pair.run_for(Duration::s(2));
    CHECK(pair.server.received.empty());
    CHECK(own->out.bytes_queued() >= text.size() - 256 * 1024);  // the window has closed
    pair.server.net->outbox().set_receive_paused(*other, false);
    CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); },
                         Duration::s(5)));
    CHECK(pair.server.received == text);
}

TEST_CASE("stack: a peer's end behind a pause is told after the bytes, once it resumes") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.net->outbox().set_receive_paused(*other, true);
    pair.turn();
    pair.client.send(*own, "before the end");
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    pair.run_for(Duration::s(1));
    CHECK(pair.server.order == "a");
    pair.server.net->outbox().set_receive_paused(*other, false);
    pair.run_for(Duration::ms(5));
    CHECK(pair.server.order == "arx");
    CHECK(pair.server.received == "before the end");
}

TEST_CASE("stack: close_when_sent on a paused connection goes through") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.net->outbox().set_receive_paused(*other, true);
    pair.turn();
    pair.client.send(*own, pattern(10'000));
    pair.run_for(Duration::ms(50));
    pair.server.net->outbox().close_when_sent(*other, CloseReason::local);
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }, Duration::s(1)));
    CHECK(pair.server.received.empty());
    CHECK(pair.client.closed.size() == 1);
}

TEST_CASE("stack: drained comes once, when less than 64 KiB is left") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    uint32_t left = 0;
    pair.client.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::drained) left = event.connection->out.bytes_queued();
    };
    send_all(pair.client, *own, pattern(300'000), 60'000);
    own->tell_when_drained = true;
    CHECK(pair.run_until([&] { return pair.server.received.size() == 300'000; }));
    pair.run_for(Duration::ms(100));
    CHECK(pair.client.drained.size() == 1);
    CHECK(left < StackTransport::drained_below_bytes);
    CHECK(left > 0);
    CHECK(!own->tell_when_drained);
}

TEST_CASE("stack: send_progress_ms stands still while the peer takes nothing") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.net->outbox().set_receive_paused(*other, true);
    pair.turn();
    send_all(pair.client, *own, pattern(500'000), 50'000);
    pair.run_for(Duration::s(3));  // the last part of the window is sent late (RFC 9293 3.8.6.2.1)
    const uint32_t before = own->send_progress_ms;
    pair.run_for(Duration::s(5), Duration::ms(10));
    CHECK(own->send_progress_ms == before);
    pair.server.net->outbox().set_receive_paused(*other, false);
    pair.run_for(Duration::s(1));
    CHECK(own->send_progress_ms != before);
}

TEST_CASE("stack: a link that takes a few frames a turn loses nothing, and tails alone repeat") {
    Pair pair;
    pair.listen();
    std::vector<Connection*> own;
    for (int index = 0; index < 20; ++index) own.push_back(pair.open().first);
    const std::string text = pattern(30'000);
    std::vector<std::string> got(20);
    pair.server.on_event = [&](const Event& event) {
        if (event.kind != Event::Kind::received) return;
        const auto at = std::find(pair.server.accepted.begin(), pair.server.accepted.end(),
                                  event.connection) - pair.server.accepted.begin();
        got[static_cast<size_t>(at)] += as_text(event.bytes);
    };
    for (Connection* connection : own) send_all(pair.client, *connection, text, 3'000);
    CHECK(pair.run_until([&] {
        pair.client.link->room = 3;
        return std::all_of(got.begin(), got.end(),
                           [&](const std::string& part) { return part.size() == text.size(); });
    }));
    for (const std::string& part : got) CHECK(part == text);
    CHECK(pair.client.net->stack_counters().link_full.read() > 10);
    const TcpCounters& tcp = pair.client.net->tcp_counters();
    CHECK(tcp.retransmissions.read() <= tcp.tail_probes.read());
    CHECK(tcp.timeouts.read() == 0);
    pair.client.link->room = UINT32_MAX;
    for (Connection* connection : own) {
        pair.client.net->outbox().close_when_sent(*connection, CloseReason::local);
    }
    CHECK(pair.run_until([&] { return pair.client.closed.size() == 20; }));
    pair.client.stream->close();
    pair.turn();
    CHECK(pair.client.blocks_alive() == 0);
}

TEST_CASE("stack: a block that goes to many receivers is summed once a flush") {
    Pair pair;
    pair.listen();
    std::vector<Connection*> receivers;
    for (int index = 0; index < 50; ++index) receivers.push_back(pair.open().second);
    const std::string text = pattern(4'096);
    const std::span<uint8_t> room = pair.server.stream->try_reserve(4'096);
    REQUIRE(room.size() == 4'096);
    std::copy(text.begin(), text.end(), room.begin());
    const Slice slice = pair.server.stream->commit(4'096);
    const uint64_t computed = pair.server.net->stack_counters().payload_sums_computed.read();
    for (Connection* receiver : receivers) pair.server.net->outbox().send(*receiver, slice);
    CHECK(pair.run_until([&] { return pair.client.received.size() == 50 * text.size(); }));
    CHECK(pair.client.received.substr(0, 4'096).size() == 4'096);
    CHECK(pair.wire.bad_frames == 0);
    CHECK(pair.server.net->stack_counters().payload_sums_computed.read() - computed == 3);
    CHECK(pair.server.net->stack_counters().payload_sums_reused.read() >= 49 * 3);
}

TEST_CASE("stack: slices of odd lengths are summed right") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    const std::string text = pattern(20'000);
    size_t at = 0;
    for (size_t part = 1; at < text.size(); part = part % 331 + 2) {
        const std::string_view piece = std::string_view(text).substr(at, part);
        REQUIRE(pair.client.send_apart(*own, piece));
        at += piece.size();
    }
    CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); }));
    CHECK(pair.server.received == text);
    CHECK(pair.wire.bad_frames == 0);
    CHECK(pair.client.link->slices_seen_max > 1);
}

TEST_CASE("stack: a device that fills checksums in gets the pseudo-header's sum") {
    HostOptions options = host_options(2);
    options.facts.tx_ipv4_checksum = true;
    options.facts.tx_tcp_checksum = true;
    Pair pair(host_options(1), options);
    pair.listen("::");
    REQUIRE(pair.server.net->listen({"0.0.0.0", pair.port}).has_value());
    const auto [four, other_four] = pair.open("10.0.0.1");
    const auto [six, other_six] = pair.open("fd00::1");
    send_all(pair.client, *four, pattern(9'999), 777);
    send_all(pair.client, *six, pattern(9'999), 777);
    CHECK(pair.run_until([&] { return pair.server.received.size() == 2 * 9'999; }));
    CHECK(pair.wire.bad_frames == 0);
    CHECK(pair.client.net->stack_counters().payload_sums_computed.read() == 0);
}

TEST_CASE("stack: segmentation offload gives long frames that the device can cut") {
    HostOptions options = host_options(2);
    options.facts.tx_ipv4_checksum = true;
    options.facts.tx_tcp_checksum = true;
    options.facts.tcp_segmentation = true;
    Pair pair(host_options(1), options);
    pair.listen("::");
    REQUIRE(pair.server.net->listen({"0.0.0.0", pair.port}).has_value());
    for (const char* host : {"10.0.0.1", "fd00::1"}) {
        pair.server.received.clear();
        pair.client.link->payload_seen_max = 0;
        const auto [own, other] = pair.open(host);
        const std::string text = pattern(1'000'000);
        send_all(pair.client, *own, text, 60'000);
        CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); }));
        CHECK(pair.server.received == text);
        CHECK(pair.client.link->payload_seen_max > 20'000);
    }
    CHECK(pair.wire.bad_frames == 0);
}

TEST_CASE("stack: a device of one slice a frame gets what it can take") {
    HostOptions options = host_options(2);
    options.facts.slices_max = 1;
    Pair pair(host_options(1), options);
    pair.listen();
    const auto [own, other] = pair.open();
    const std::string text = pattern(30'000);
    uint32_t frame = 0;
    pair.wire.passes = [&](const ParsedFrame&) { return ++frame % 11 != 0; };
    send_all(pair.client, *own, text, 100);
    CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); },
                         Duration::s(60)));
    CHECK(pair.server.received == text);
    CHECK(pair.client.link->slices_seen_max == 1);
}

TEST_CASE("stack: bytes that fill a gap come in order, many chunks of them over several polls") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    TcpConnection& connection = TcpConnection::of(*own);
    connection.congestion.start(60'000);  // a wide window from the start
    bool is_first = true;
    pair.wire.passes = [&](const ParsedFrame& frame) {
        if (frame.kind != FrameKind::tcp || frame.body.size() < 200 || !is_first) return true;
        is_first = false;
        return false;
    };
    const std::string text = pattern(100'000);
    send_all(pair.client, *own, text, 50'000);
    CHECK(pair.run_until([&] { return pair.server.received.size() == text.size(); }));
    CHECK(pair.server.received == text);
    CHECK(pair.server.net->tcp_counters().out_of_order.read() > 10);
}

TEST_CASE("stack: a jumbo frame's segments arrive whole, and both mtus bound them") {
    HostOptions server = host_options(1);
    server.facts.mtu = 9'000;
    server.stack.interface.mtu = 9'000;
    HostOptions client = host_options(2);
    client.facts.mtu = 9'000;
    client.stack.interface.mtu = 4'000;
    Pair pair(server, client);
    pair.listen();
    const auto [own, other] = pair.open();
    size_t longest = 0;
    pair.wire.passes = [&](const ParsedFrame& frame) {
        longest = std::max(longest, frame.packet.size());
        return true;
    };
    send_all(pair.server, *other, pattern(60'000), 30'000);
    send_all(pair.client, *own, pattern(60'000), 30'000);
    CHECK(pair.run_until([&] {
        return pair.server.received.size() == 60'000 && pair.client.received.size() == 60'000;
    }));
    CHECK(longest == 4'000);
}

TEST_CASE("stack: poll waits no longer than told, and a wake-up ends it") {
    FakeWire wire;
    HostOptions options = host_options(1);
    for (const auto mode : {IdlePolicy::Mode::spin, IdlePolicy::Mode::pause,
                            IdlePolicy::Mode::sleep}) {
        options.stack.idle.mode = mode;
        AwakeHost host(wire, options);
        Instant begin = monotonic_now();
        CHECK(host.net->poll(begin - Duration::ms(5)).empty());
        CHECK(monotonic_now() - begin < Duration::ms(5));
        begin = monotonic_now();
        CHECK(host.net->poll(begin + Duration::ms(10)).empty());
        CHECK(monotonic_now() - begin >= Duration::ms(10));
        host.waker.wake();
        begin = monotonic_now();
        CHECK(host.net->poll(begin + Duration::s(5)).empty());
        CHECK(monotonic_now() - begin < Duration::s(1));
    }
}

}  // namespace millrace::test
