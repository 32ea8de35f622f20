// Closing: who closes, what is still delivered, and that `closed` comes last and once.
#include <algorithm>
#include <set>

#include "uring_harness.h"

namespace millrace::test {

TEST_CASE("uring: what arrived before a FIN is delivered before closed") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    std::string order;
    shard.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::received) order += "r";
        if (event.kind == Event::Kind::closed) order += "c";
    };
    for (int round = 0; round < 20; ++round) {
        order.clear();
        shard.received.clear();
        Peer peer = Peer::connect(shard.port);
        peer.send("last words");
        peer.close();
        CHECK(shard.run_until([&] { return !order.empty() && order.back() == 'c'; }));
        CHECK(shard.received == "last words");
        CHECK(std::count(order.begin(), order.end(), 'c') == 1);
    }
    CHECK(shard.net->counters().closed.read() == 20);
}

TEST_CASE("uring: a reset by the peer is told as one") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    shard.accept_one(peer);
    shard.turn();
    peer.abort();
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }));
    CHECK(shard.closed[0].second == CloseReason::peer_reset);
}

TEST_CASE("uring: words before a reset that hits our sends are still delivered") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    for (int round = 0; round < 50; ++round) {
        shard.received.clear();
        const size_t closed = shard.closed.size();
        Peer peer;
        Connection& connection = shard.accept_one(peer);
        shard.turn();
        // The unread greeting turns the peer's close into a reset.
        shard.send(connection, "greeting");
        shard.run_for(Duration::ms(1));
        peer.send("goodbye");
        peer.close();
        if (shard.closed.size() == closed) shard.send(connection, "more");
        CHECK(shard.run_until([&] { return shard.closed.size() > closed; }));
        CHECK(shard.closed.back().second != CloseReason::local);
        CHECK(shard.received == "goodbye");
    }
}

TEST_CASE("uring: close_when_sent delivers the last bytes, whatever the peer had sent") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.net->outbox().set_receive_paused(connection, true);
    shard.run_for(Duration::ms(20));
    peer.send("nobody reads this");
    const std::string text = pattern(1 << 20);
    for (size_t offset = 0; offset < text.size(); offset += 32'768) {
        shard.send(connection, std::string_view(text).substr(offset, 32'768));
    }
    shard.net->outbox().close_when_sent(connection, CloseReason::local);
    CHECK(shard.gather(peer, text.size() + 1) == text);
    CHECK(peer.ended);
    CHECK(!peer.reset);
    CHECK(shard.closed.empty());  // lingers until the peer closes
    peer.send("nor this");
    shard.run_for(Duration::ms(20));
    peer.close();
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }, Duration::s(1)));
    CHECK(shard.closed[0].second == CloseReason::local);
    CHECK(shard.received.empty());
}

TEST_CASE("uring: a peer that never closes is closed after the linger time") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.send(connection, "bye");
    shard.net->outbox().close_when_sent(connection, CloseReason::shutdown);
    const Instant begin = monotonic_now();
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }, Duration::s(5)));
    CHECK(monotonic_now() - begin > Duration::ms(1'900));
    CHECK(shard.closed[0].second == CloseReason::shutdown);
    shard.turn();
    CHECK(shard.connections_alive() == 0);
    CHECK(shard.gather(peer, 4) == "bye");
}

TEST_CASE("uring: a peer that only stopped sending still gets what close_when_sent promised") {
    Shard shard;
    UringTransportOptions options = Shard::small();
    options.socket_send_bytes = 16 * 1024;
    if (!shard.make(options)) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer, 4 * 1024);
    const std::string text = pattern(500'000);
    for (size_t offset = 0; offset < text.size(); offset += 50'000) {
        shard.send(connection, std::string_view(text).substr(offset, 50'000));
    }
    shard.net->outbox().close_when_sent(connection, CloseReason::local);
    shard.turn();
    peer.finish();
    shard.run_for(Duration::ms(20));
    CHECK(shard.closed.empty());
    CHECK(shard.gather(peer, text.size() + 1) == text);
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }, Duration::s(1)));
}

TEST_CASE("uring: close_now drops what is queued, even behind a send that can't move") {
    Shard shard;
    UringTransportOptions options = Shard::small();
    options.socket_send_bytes = 16 * 1024;
    if (!shard.make(options)) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer, 4 * 1024);
    for (int index = 0; index < 20; ++index) shard.send_apart(connection, pattern(50'000));
    shard.run_for(Duration::ms(20));
    const bool sending = connection.sending;
    CHECK(sending);
    shard.net->outbox().close_now(connection, CloseReason::slow_receiver);
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }, Duration::s(1)));
    CHECK(shard.closed.size() == 1);
    CHECK(shard.closed[0].second == CloseReason::slow_receiver);
    shard.turn();
    CHECK(shard.connections_alive() == 0);
    CHECK(shard.net->connection_count() == 0);
}

TEST_CASE("uring: closing in the turn of accepted works, and gives no other event") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    std::string order;
    shard.on_event = [&](const Event& event) {
        order += "acrdx"[static_cast<int>(event.kind)];
        if (event.kind == Event::Kind::accepted) {
            shard.net->outbox().close_now(*event.connection, CloseReason::local);
        }
    };
    Peer peer = Peer::connect(shard.port);
    peer.send("unheard");
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }));
    shard.run_for(Duration::ms(20));
    CHECK((order == "ax" || order == "arx"));
}

TEST_CASE("uring: stop_listening refuses newcomers and keeps what is open") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.net->stop_listening();
    shard.run_for(Duration::ms(20));
    const int late = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(shard.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == -1);
    ::close(late);
    shard.send(connection, "still here");
    CHECK(shard.gather(peer, 10) == "still here");
}

TEST_CASE("uring: random peers and random closes never lose or repeat a closed") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    uint32_t state = 12'345;
    const auto random = [&](uint32_t bound) {
        state = state * 1'664'525 + 1'013'904'223;
        return (state >> 10) % bound;
    };
    std::set<Connection*> alive;
    shard.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::accepted) {
            CHECK(alive.insert(event.connection).second);
            return;
        }
        REQUIRE(alive.count(event.connection) == 1);
        if (event.kind == Event::Kind::closed) alive.erase(event.connection);
        if (event.kind != Event::Kind::received) return;
        Outbox& outbox = shard.net->outbox();
        switch (random(8)) {
        case 0: outbox.close_now(*event.connection, CloseReason::local); break;
        case 1: outbox.close_when_sent(*event.connection, CloseReason::local); break;
        case 2: outbox.set_receive_paused(*event.connection, true); break;
        default: shard.send_apart(*event.connection, pattern(1 + random(20'000)));
        }
    };
    std::vector<Peer> peers;
    for (int round = 0; round < 2'000; ++round) {
        if (peers.size() < 100 && random(3) == 0) peers.push_back(Peer::connect(shard.port));
        if (!peers.empty()) {
            const uint32_t index = random(static_cast<uint32_t>(peers.size()));
            Peer& peer = peers[index];
            const std::string text = pattern(1 + random(3'000));
            ::send(peer.descriptor(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            peer.take();
            if (random(4) == 0) {
                if (random(2) == 0) peer.abort();
                std::swap(peer, peers.back());
                peers.pop_back();
            }
        }
        shard.turn(Duration::us(0));
    }
    peers.clear();
    // Paused ones don't notice that their peer has gone.
    CHECK(shard.run_until([&] {
        for (Connection* connection : alive) {
            shard.net->outbox().set_receive_paused(*connection, false);
        }
        return shard.closed.size() == shard.accepted.size();
    }));
    shard.turn();
    CHECK(shard.net->counters().accepted.read() == shard.net->counters().closed.read());
    CHECK(shard.connections_alive() == 0);
}

}  // namespace millrace::test
