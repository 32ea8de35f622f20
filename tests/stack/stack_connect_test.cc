// Opening connections between two stacks, and bytes both ways.
#include <algorithm>
#include <set>

#include "stack_harness.h"

namespace millrace::test {

TEST_CASE("stack: a client connects, and bytes go both ways unchanged") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    const std::string up = pattern(300'000);
    const std::string down = pattern(500'000);
    for (size_t at = 0; at < up.size(); at += 50'000) {
        pair.client.send(*own, std::string_view(up).substr(at, 50'000));
    }
    for (size_t at = 0; at < down.size(); at += 50'000) {
        pair.server.send(*other, std::string_view(down).substr(at, 50'000));
    }
    CHECK(pair.run_until([&] {
        return pair.server.received.size() == up.size() &&
               pair.client.received.size() == down.size();
    }));
    CHECK(pair.server.received == up);
    CHECK(pair.client.received == down);
    CHECK(pair.wire.bad_frames == 0);
    CHECK(pair.server.order.substr(0, 2) == "ar");
    CHECK(pair.client.order.substr(0, 2) == "cr");
    pair.run_for(Duration::ms(100));  // the last acknowledgements
    CHECK(own->out.empty());
    CHECK(other->out.empty());
    CHECK(pair.server.net->counters().bytes_sent.read() == down.size());
    CHECK(pair.server.net->counters().bytes_received.read() == up.size());
}

TEST_CASE("stack: IPv6 connects as IPv4 does") {
    Pair pair;
    pair.listen("::");
    const auto [own, other] = pair.open("fd00::1");
    pair.client.send(*own, "six");
    pair.server.send(*other, "six too");
    CHECK(pair.run_until([&] {
        return pair.server.received == "six" && pair.client.received == "six too";
    }));
    CHECK(pair.wire.bad_frames == 0);
    CHECK(pair.client.net->stack_counters().solicitations_sent.read() == 1);
}

TEST_CASE("stack: an unspecified IPv4 address doesn't listen on IPv6") {
    Pair pair;
    pair.listen("0.0.0.0");
    pair.connect("fd00::1");
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }));
    CHECK(pair.client.closed[0].second == CloseReason::connect_failed);
}

TEST_CASE("stack: a closed port refuses, and connect gives closed alone") {
    Pair pair;
    pair.port = 81;
    pair.connect();
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(100)));
    CHECK(pair.client.order == "x");
    CHECK(pair.client.closed[0].second == CloseReason::connect_failed);
    pair.turn();
    CHECK(pair.client.connections_alive() == 0);
    CHECK(pair.client.net->connection_count() == 0);
    CHECK(pair.server.net->stack_counters().resets_sent.read() == 1);
}

TEST_CASE("stack: an address that nobody has fails after three questions") {
    Pair pair;
    pair.port = 80;
    pair.connect("10.0.7.7");
    const Instant begin = pair.clock.now;
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }));
    CHECK(pair.client.closed[0].second == CloseReason::connect_failed);
    CHECK(pair.clock.now - begin >= Duration::s(3));
    CHECK(pair.clock.now - begin < Duration::ms(3'300));
    CHECK(pair.client.net->stack_counters().arp_questions_sent.read() == 3);
}

TEST_CASE("stack: an address without a way fails at once") {
    Pair pair;
    pair.port = 80;
    pair.connect("192.168.1.1");
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(10)));
    CHECK(pair.client.net->stack_counters().connect_no_route.read() == 1);
}

TEST_CASE("stack: what isn't on the link goes to the gateway") {
    HostOptions far = host_options(1);
    far.stack.interface.addresses = {prefix("192.168.5.1/24"), prefix("10.0.0.1/16")};
    HostOptions near = host_options(2);
    near.stack.interface.gateway_ipv4 = ip("10.0.0.1");
    Pair pair(far, near);
    pair.listen();
    pair.open("192.168.5.1");
    CHECK(pair.client.net->stack_counters().arp_questions_sent.read() == 1);
}

TEST_CASE("stack: closing while the neighbor's answer is still to come ends the attempt") {
    Pair pair;
    pair.port = 80;
    Connection& own = pair.connect("10.0.7.7");
    pair.run_for(Duration::ms(10));
    pair.client.net->outbox().close_now(own, CloseReason::local);
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(200)));
    CHECK(pair.client.closed[0].second == CloseReason::local);
    CHECK(pair.client.order == "x");
}

TEST_CASE("stack: a SYN that is lost is sent again, and a SYN-ACK too") {
    Pair pair;
    pair.listen();
    uint32_t syns = 0;
    uint32_t syn_acks = 0;
    pair.wire.passes = [&](const ParsedFrame& frame) {
        TcpPorts ports;
        Segment segment;
        if (frame.kind != FrameKind::tcp || !parse_tcp(frame.body, ports, segment)) return true;
        if (!segment.has(tcp_flag::syn)) return true;
        return segment.has(tcp_flag::ack) ? ++syn_acks > 1 : ++syns > 1;
    };
    pair.open();
    CHECK(syns == 2);
    CHECK(syn_acks == 2);
}

TEST_CASE("stack: listen on somebody else's address is an error that names it") {
    Pair pair;
    const auto bound = pair.server.net->listen({"10.0.0.9", 80});
    REQUIRE(!bound.has_value());
    CHECK(bound.error().message.find("10.0.0.9") != std::string::npos);
    CHECK(bound.error().message.find("10.0.0.1/16") != std::string::npos);
    CHECK(!pair.server.net->listen({"localhost", 80}).has_value());
}

TEST_CASE("stack: a port is listened on once, and port 0 gives different ones") {
    Pair pair;
    const auto first = pair.server.net->listen({"0.0.0.0", 0});
    const auto second = pair.server.net->listen({"0.0.0.0", 0});
    REQUIRE((first.has_value() && second.has_value()));
    CHECK(*first != *second);
    CHECK(!pair.server.net->listen({"0.0.0.0", *first}).has_value());
}

TEST_CASE("stack: stop_listening refuses newcomers and keeps what is open") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.net->stop_listening();
    pair.connect();
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }));
    pair.server.send(*other, "still here");
    CHECK(pair.run_until([&] { return pair.client.received == "still here"; }));
    CHECK(own->close_reason == CloseReason::none);
}

TEST_CASE("stack: a source address that was asked for is used, and a foreign one is refused") {
    HostOptions options = host_options(2);
    options.stack.interface.own_ranges = {prefix("10.0.50.0/24")};
    Pair pair(host_options(1), options);
    pair.listen();
    pair.wire.keeps = true;
    Connection* own = pair.client.net->connect(
        {.remote = {"10.0.0.1", pair.port}, .source_host = "10.0.50.77"});
    REQUIRE(own != nullptr);
    CHECK(pair.run_until([&] { return pair.server.accepted.size() == 1; }));
    CHECK(TcpConnection::of(*pair.server.accepted[0]).flow.key.remote == ip("10.0.50.77"));
    CHECK(pair.client.net->connect(
              {.remote = {"10.0.0.1", pair.port}, .source_host = "10.0.99.1"}) == nullptr);
}

TEST_CASE("stack: ten thousand connections from a range to one server, each its own flow") {
    HostOptions many = host_options(2);
    many.stack.interface.own_ranges = {prefix("10.1.0.0/16")};
    many.stack.interface.addresses = {prefix("10.0.0.2/8")};
    HostOptions one = host_options(1);
    one.stack.interface.addresses = {prefix("10.0.0.1/8")};
    Pair pair(one, many);
    pair.listen();
    constexpr uint32_t count = 10'000;
    for (uint32_t index = 0; index < count; ++index) {
        pair.connect();
        if (index % 500 == 499) pair.turn();
    }
    CHECK(pair.run_until([&] {
        return pair.client.connected.size() == count && pair.server.accepted.size() == count;
    }));
    CHECK(pair.wire.bad_frames == 0);
    std::set<IpAddress> sources;
    for (Connection* connection : pair.server.accepted) {
        sources.insert(TcpConnection::of(*connection).flow.key.remote);
    }
    CHECK(sources.size() == count);
    CHECK(pair.client.net->tcp_counters().timeouts.read() == 0);
}

TEST_CASE("stack: client ports lead to their own shard") {
    HostOptions options = host_options(2);
    options.stack.shard = 2;
    options.stack.shard_count = 4;
    Pair pair(host_options(1), options);
    pair.listen();
    for (uint32_t index = 0; index < 200; ++index) {
        const FlowKey key = TcpConnection::of(pair.connect()).flow.key;
        CHECK(pair.client.link->shard_of(key.local, key.local_port, key.remote,
                                         key.remote_port) == 2);
    }
    CHECK(pair.run_until([&] { return pair.client.connected.size() == 200; }));
}

TEST_CASE("stack: one address runs out of ports, which connect says, and ports come back") {
    HostOptions options = host_options(2);
    options.stack.connections_max = 100'000;
    options.stack.interface.addresses = {prefix("10.0.0.2/16")};
    Pair pair(host_options(1), options);
    pair.port = 80;
    std::set<uint16_t> ports;
    Connection* last = nullptr;
    for (uint32_t index = 0; index < SourcePorts::port_count; ++index) {
        last = &pair.connect("10.0.7.7");
        ports.insert(TcpConnection::of(*last).flow.key.local_port);
    }
    CHECK(ports.size() == SourcePorts::port_count);
    CHECK(*ports.begin() == SourcePorts::port_min);
    const ConnectOptions again{.remote = {"10.0.7.7", 80}, .source_host = {}};
    CHECK(pair.client.net->connect(again) == nullptr);
    CHECK(pair.client.net->stack_counters().connect_no_port.read() == 1);
    const uint16_t freed = TcpConnection::of(*last).flow.key.local_port;
    pair.client.net->outbox().close_now(*last, CloseReason::local);
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(500)));
    pair.turn();
    Connection* made = pair.client.net->connect(again);
    REQUIRE(made != nullptr);
    CHECK(TcpConnection::of(*made).flow.key.local_port == freed);
}

TEST_CASE("stack: connections_max is an answer on both sides, and room that was freed is used") {
    HostOptions server = host_options(1);
    server.stack.connections_max = 2;
    HostOptions client = host_options(2);
    client.stack.connections_max = 3;
    Pair pair(server, client);
    pair.listen();
    const auto [first, other] = pair.open();
    pair.open();
    pair.connect();
    CHECK(pair.client.net->connect({.remote = {"10.0.0.1", pair.port}, .source_host = {}}) ==
          nullptr);
    pair.run_for(Duration::ms(500));
    CHECK(pair.server.accepted.size() == 2);
    CHECK(pair.server.net->counters().accept_failures.read() > 0);
    pair.server.net->outbox().close_now(*other, CloseReason::local);
    CHECK(pair.run_until([&] { return pair.server.accepted.size() == 3; }));
}

TEST_CASE("stack: describe and dump name what there is") {
    Pair pair;
    pair.listen();
    pair.open();
    CHECK(pair.server.net->describe().find("10.0.0.1/16") != std::string::npos);
    std::string text;
    pair.server.net->dump(text);
    CHECK(text.find("handshakes_completed 1\n") != std::string::npos);
    CHECK(text.find("listening 0.0.0.0 port") != std::string::npos);
}

}  // namespace millrace::test
