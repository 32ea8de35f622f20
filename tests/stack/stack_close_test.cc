// Closing: who closes, what is still delivered, and that `closed` comes last and once.
#include <algorithm>
#include <set>

#include "base/prng.h"
#include "stack_harness.h"

namespace millrace::test {

TEST_CASE("stack: a peer's FIN is told as closed, after the bytes before it") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.client.send(*own, "last words");
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }));
    CHECK(pair.server.received == "last words");
    CHECK(pair.server.order == "arx");
    CHECK(pair.server.closed[0].second == CloseReason::peer_closed);
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(100)));
    CHECK(pair.client.closed[0].second == CloseReason::local);
    pair.turn();
    CHECK(pair.client.connections_alive() == 0);
    CHECK(pair.server.connections_alive() == 0);
    CHECK(pair.client.net->time_wait_count() == 1);  // who closes first waits
    CHECK(pair.server.net->time_wait_count() == 0);
    CHECK(pair.wire.bad_frames == 0);
}

TEST_CASE("stack: what stands in the ring at the peer's FIN is still sent") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    const std::string text = pattern(200'000);
    for (size_t at = 0; at < text.size(); at += 50'000) {
        pair.server.send(*other, std::string_view(text).substr(at, 50'000));
    }
    // The client finishes sending, and goes on reading: a half-closed connection.
    TcpConnection& half = TcpConnection::of(*own);
    half.fin_wanted = true;
    half.set_state(TcpState::fin_wait_1);
    pair.client.net->outbox().mark(*own);
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }));
    CHECK(pair.run_until([&] { return pair.client.received.size() == text.size(); }));
    CHECK(pair.client.received == text);
    CHECK(pair.run_until([&] { return pair.server.connections_alive() == 0; }));
    CHECK(pair.client.closed.size() == 1);
}

TEST_CASE("stack: a told connection whose peer takes nothing any more is reset after the linger") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    bool is_cut = false;
    pair.wire.passes = [&](const ParsedFrame&) { return !is_cut; };
    pair.server.send(*other, pattern(60'000));
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    CHECK(pair.run_until([&] {
        pair.client.turn(pair.clock.now);
        pair.server.turn(pair.clock.now);
        is_cut = !pair.server.closed.empty();
        return is_cut;
    }));
    const Instant begin = pair.clock.now;
    CHECK(pair.run_until([&] { return pair.server.connections_alive() == 0; }));
    CHECK(pair.clock.now - begin >= Duration::ms(1'990));
    CHECK(pair.clock.now - begin < Duration::ms(2'600));
    CHECK(pair.server.net->counters().closed.read() == 1);
    CHECK(pair.server.net->stack_counters().resets_sent.read() == 1);
}

TEST_CASE("stack: a FIN that comes again leaves after bytes in more slots than a frame has") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    // All is lost for a while: then a whole segment's worth of small slots and the FIN go again.
    bool is_cut = true;
    pair.wire.passes = [&](const ParsedFrame&) { return !is_cut; };
    const std::string text = pattern(600);
    for (size_t at = 0; at < text.size(); at += 30) {
        REQUIRE(pair.client.send_apart(*own, std::string_view(text).substr(at, 30)));
        pair.run_for(Duration::ms(1));
    }
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    pair.run_for(Duration::ms(100));
    is_cut = false;
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }, Duration::s(10)));
    CHECK(pair.server.received == text);
    CHECK(pair.server.closed.at(0).second == CloseReason::peer_closed);
    CHECK(pair.client.link->slices_seen_max <= OutFrame::slices_max);
}

TEST_CASE("stack: close_when_sent delivers all, waits for the peer's FIN, and is told once") {
    HostOptions lasting = host_options(2);
    lasting.stack.close_on_peer_fin = false;
    Pair pair(host_options(1), lasting);
    pair.listen();
    const auto [own, other] = pair.open();
    const std::string text = pattern(400'000);
    for (size_t at = 0; at < text.size(); at += 50'000) {
        pair.server.send(*other, std::string_view(text).substr(at, 50'000));
    }
    pair.server.net->outbox().close_when_sent(*other, CloseReason::local);
    CHECK(pair.run_until([&] { return pair.client.received.size() == text.size(); }));
    pair.run_for(Duration::ms(10));
    const bool finished = own->peer_finished;
    CHECK(finished);
    CHECK(pair.client.received == text);
    pair.client.send(*own, "nobody reads this");
    pair.run_for(Duration::ms(100));
    CHECK(pair.server.closed.empty());  // the peer hasn't closed
    CHECK(pair.server.received.empty());
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    CHECK(pair.run_until([&] { return pair.server.closed.size() == 1; }, Duration::ms(100)));
    CHECK(pair.server.closed[0].second == CloseReason::local);
    CHECK(pair.run_until([&] { return pair.client.closed.size() == 1; }, Duration::ms(100)));
    pair.run_for(Duration::ms(10));
    CHECK(pair.server.closed.size() == 1);
}

TEST_CASE("stack: a peer that never closes is closed after the linger time") {
    HostOptions lasting = host_options(2);
    lasting.stack.close_on_peer_fin = false;
    Pair pair(host_options(1), lasting);
    pair.listen();
    const auto [own, other] = pair.open();
    pair.server.send(*other, "bye");
    pair.server.net->outbox().close_when_sent(*other, CloseReason::shutdown);
    const Instant begin = pair.clock.now;
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }));
    CHECK(pair.clock.now - begin > Duration::ms(1'900));
    CHECK(pair.clock.now - begin < Duration::ms(2'500));
    CHECK(pair.server.closed[0].second == CloseReason::shutdown);
    CHECK(pair.client.received == "bye");
    pair.turn();
    CHECK(pair.server.connections_alive() == 0);
}

TEST_CASE("stack: close_now drops what is queued, resets the peer, and is told in the next poll") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.client.net->outbox().set_receive_paused(*own, true);
    for (int index = 0; index < 20; ++index) pair.server.send_apart(*other, pattern(50'000));
    pair.run_for(Duration::ms(20));
    pair.server.net->outbox().close_now(*other, CloseReason::slow_receiver);
    pair.turn();
    pair.turn();
    CHECK(pair.server.closed.size() == 1);
    CHECK(pair.server.closed[0].second == CloseReason::slow_receiver);
    CHECK(pair.server.connections_alive() == 0);
    CHECK(pair.server.net->connection_count() == 0);
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }, Duration::ms(100)));
    CHECK(pair.client.closed[0].second == CloseReason::peer_reset);
}

TEST_CASE("stack: closing in the turn of accepted works, and gives no other event") {
    Pair pair;
    pair.listen();
    pair.server.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::accepted) {
            pair.server.net->outbox().close_now(*event.connection, CloseReason::local);
        }
    };
    Connection& own = pair.connect();
    pair.client.send(own, "unheard");
    CHECK(pair.run_until([&] { return !pair.server.closed.empty(); }));
    pair.run_for(Duration::ms(20));
    CHECK((pair.server.order == "ax" || pair.server.order == "arx"));
}

TEST_CASE("stack: closing a connection that is still connecting gives closed alone") {
    Pair pair;
    pair.listen();
    pair.wire.passes = [](const ParsedFrame& frame) { return frame.kind != FrameKind::tcp; };
    Connection& own = pair.connect();
    pair.run_for(Duration::ms(10));
    pair.client.net->outbox().close_now(own, CloseReason::local);
    pair.turn();
    pair.turn();
    CHECK(pair.client.order == "x");
    CHECK(pair.client.connections_alive() == 0);
}

TEST_CASE("stack: close_when_sent before the handshake ends still delivers") {
    Pair pair;
    pair.listen();
    Connection& own = pair.connect();
    pair.client.send(own, "hello and goodbye");
    pair.client.net->outbox().close_when_sent(own, CloseReason::local);
    CHECK(pair.run_until([&] { return !pair.client.closed.empty(); }));
    CHECK(pair.server.received == "hello and goodbye");
    CHECK(pair.server.order == "arx");
}

TEST_CASE("stack: both sides closing at once end both") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    pair.server.net->outbox().close_when_sent(*other, CloseReason::local);
    pair.client.net->flush(pair.clock.now);
    pair.server.net->flush(pair.clock.now);  // before either FIN has come
    CHECK(pair.run_until([&] {
        return pair.client.closed.size() == 1 && pair.server.closed.size() == 1;
    }));
    pair.turn();
    CHECK(pair.client.connections_alive() + pair.server.connections_alive() == 0);
}

TEST_CASE("stack: TIME-WAIT ends after its time, and its 4-tuple isn't used before") {
    HostOptions options = host_options(2);
    options.stack.time_wait = Duration::s(5);
    Pair pair(host_options(1), options);
    pair.listen();
    const auto [own, other] = pair.open();
    const FlowKey key = TcpConnection::of(*own).flow.key;
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    CHECK(pair.run_until([&] { return pair.client.net->time_wait_count() == 1; }));
    for (int index = 0; index < 50; ++index) {
        CHECK(TcpConnection::of(pair.connect()).flow.key != key);
    }
    pair.run_for(Duration::s(4), Duration::ms(50));
    CHECK(pair.client.net->time_wait_count() == 1);
    pair.run_for(Duration::s(2), Duration::ms(50));
    CHECK(pair.client.net->time_wait_count() == 0);
}

TEST_CASE("stack: a lost last ACK is sent again by TIME-WAIT") {
    Pair pair;
    pair.listen();
    const auto [own, other] = pair.open();
    uint32_t lost = 0;
    pair.wire.passes = [&](const ParsedFrame& frame) {
        TcpPorts ports;
        Segment segment;
        if (frame.kind != FrameKind::tcp || !parse_tcp(frame.body, ports, segment)) return true;
        // After the server's FIN, the first thing that the client says is lost.
        if (pair.server.closed.empty() || ports.destination != pair.port) return true;
        return lost++ > 0;
    };
    pair.client.net->outbox().close_when_sent(*own, CloseReason::local);
    CHECK(pair.run_until([&] { return pair.server.connections_alive() == 0; }, Duration::s(3)));
    CHECK(pair.client.net->stack_counters().time_wait_answers.read() >= 1);
}

TEST_CASE("stack: random closes of many connections never lose or repeat a closed") {
    for (uint64_t seed = 1; seed <= 5; ++seed) {
        Pair pair;
        pair.listen();
        Prng random(seed);
        pair.wire.passes = [&](const ParsedFrame&) { return random.below(100) >= 3; };
        std::set<Connection*> alive;
        const auto play = [&](Host& host) {
            return [&](const Event& event) {
                if (event.kind == Event::Kind::accepted || event.kind == Event::Kind::connected) {
                    CHECK(alive.insert(event.connection).second);
                    host.send(*event.connection, pattern(1 + random.below(5'000)));
                    return;
                }
                if (event.kind == Event::Kind::closed) {
                    alive.erase(event.connection);
                    return;
                }
                REQUIRE(alive.count(event.connection) == 1);
                Outbox& outbox = host.net->outbox();
                switch (random.below(12)) {
                case 0: outbox.close_now(*event.connection, CloseReason::local); break;
                case 1: outbox.close_when_sent(*event.connection, CloseReason::local); break;
                case 2: outbox.set_receive_paused(*event.connection, random.chance(0.5)); break;
                default: host.send_apart(*event.connection, pattern(1 + random.below(20'000)));
                }
            };
        };
        pair.client.on_event = play(pair.client);
        pair.server.on_event = play(pair.server);
        for (int round = 0; round < 2'000; ++round) {
            if (pair.client.net->connection_count() < 50 && random.below(3) == 0) pair.connect();
            pair.turn();
        }
        pair.wire.passes = {};
        pair.client.on_event = pair.server.on_event = [&](const Event& event) {
            if (event.kind == Event::Kind::closed) alive.erase(event.connection);
            else alive.insert(event.connection);
        };
        CHECK(pair.run_until([&] {
            for (Connection* connection : alive) {  // handshakes were still on their way
                Host& host = connection->is_client ? pair.client : pair.server;
                host.net->outbox().close_now(*connection, CloseReason::local);
            }
            return pair.client.net->tcp_connection_count() +
                       pair.server.net->tcp_connection_count() == 0;
        }, Duration::s(200), Duration::ms(10)));
        CHECK(pair.server.net->counters().accepted.read() ==
              pair.server.net->counters().closed.read());
        CHECK(alive.empty());
        CHECK(pair.wire.bad_frames == 0);
        pair.client.stream->close();
        pair.server.stream->close();
        pair.turn();
        CHECK(pair.client.blocks_alive() + pair.server.blocks_alive() <= 2);
    }
}

}  // namespace millrace::test
