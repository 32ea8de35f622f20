// Listening, accepting, connecting, receiving, sending and closing over loopback.
#include <set>
#include <thread>

#include "uring_harness.h"

namespace millrace::test {

TEST_CASE("uring: what a peer sends comes back to it") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    shard.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::received) {
            CHECK(shard.send(*event.connection, as_text(event.bytes)));
        }
    };
    Peer peer;
    shard.accept_one(peer);
    peer.send("hello");
    CHECK(shard.gather(peer, 5) == "hello");
    peer.send(" again");
    CHECK(shard.gather(peer, 6) == " again");
    CHECK(shard.net->counters().bytes_received.read() == 11);
    CHECK(shard.net->counters().bytes_sent.read() == 11);

    peer.close();
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }));
    CHECK(shard.closed[0].second == CloseReason::peer_closed);
    CHECK(shard.net->connection_count() == 0);
    shard.turn();
    CHECK(shard.connections_alive() == 0);
}

TEST_CASE("uring: a transport made and bound on one thread runs on another") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    std::thread runner([&] {
        Peer peer;
        Connection& connection = shard.accept_one(peer);
        shard.send(connection, "from the other thread");
        CHECK(shard.gather(peer, 21) == "from the other thread");
    });
    runner.join();
}

TEST_CASE("uring: two shards share a port") {
    Shard first, second;
    if (!first.make() || !second.make()) return;
    first.listen();
    REQUIRE(second.net->listen({"127.0.0.1", first.port}));
    std::vector<Peer> peers;
    for (int index = 0; index < 64; ++index) peers.push_back(Peer::connect(first.port));
    CHECK(first.run_until([&] {
        second.turn(Duration::ms(1));
        return first.accepted.size() + second.accepted.size() == peers.size();
    }));
    CHECK(first.accepted.size() > 0);
    CHECK(second.accepted.size() > 0);
}

TEST_CASE("uring: many connections each get their own bytes") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    shard.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::received) {
            CHECK(shard.send(*event.connection, as_text(event.bytes)));
        }
    };
    std::vector<Peer> peers;
    for (int index = 0; index < 300; ++index) {
        peers.push_back(Peer::connect(shard.port));
        peers.back().send("peer " + std::to_string(index) + ";");
        if (index % 50 == 0) shard.turn();
    }
    for (int index = 0; index < 300; ++index) {
        const std::string text = "peer " + std::to_string(index) + ";";
        CHECK(shard.gather(peers[static_cast<size_t>(index)], text.size()) == text);
    }
    CHECK(shard.net->connection_count() == 300);
    peers.clear();
    CHECK(shard.run_until([&] { return shard.closed.size() == 300; }));
    CHECK(std::set<Connection*>(shard.accepted.begin(), shard.accepted.end()).size() == 300);
    shard.turn();
    CHECK(shard.connections_alive() == 0);
}

TEST_CASE("uring: two transports talk to each other through connect") {
    Shard server, client;
    if (!server.make() || !client.make()) return;
    server.listen();
    server.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::received) {
            server.send(*event.connection, as_text(event.bytes));
        }
    };
    client.on_event = [&](const Event& event) {
        if (event.kind == Event::Kind::connected) client.send(*event.connection, "ping");
    };
    std::vector<Connection*> made;
    for (int index = 0; index < 100; ++index) {
        const std::string source = "127.0.0." + std::to_string(2 + index % 3);
        made.push_back(client.net->connect({{"127.0.0.1", server.port}, source}));
        REQUIRE(made.back() != nullptr);
    }
    CHECK(client.run_until([&] {
        server.turn(Duration::ms(1));
        return client.received.size() == 400;
    }));
    CHECK(client.connected.size() == 100);
    CHECK(client.net->counters().connected.read() == 100);
    for (Connection* connection : made) {
        client.net->outbox().close_now(*connection, CloseReason::local);
    }
    CHECK(client.run_until([&] {
        server.turn(Duration::ms(1));
        return client.closed.size() == 100 && server.closed.size() == 100;
    }));
    client.turn();
    CHECK(client.connections_alive() == 0);
}

TEST_CASE("uring: connecting to a closed port gives closed alone") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    const uint16_t port = shard.port;
    shard.turn();
    shard.net->stop_listening();
    shard.run_for(Duration::ms(20));
    REQUIRE(shard.net->connect({{"127.0.0.1", port}, ""}) != nullptr);
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }));
    CHECK(shard.closed[0].second == CloseReason::connect_failed);
    CHECK(shard.connected.empty());
    shard.turn();
    CHECK(shard.connections_alive() == 0);
    CHECK(shard.net->connection_count() == 0);
}

TEST_CASE("uring: a connect that is given up at once ends with closed") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Connection* connection = shard.net->connect({{"127.0.0.1", shard.port}, ""});
    REQUIRE(connection != nullptr);
    shard.net->outbox().close_now(*connection, CloseReason::local);
    CHECK(shard.run_until([&] { return !shard.closed.empty(); }));
    CHECK(shard.closed[0].first == connection);
    CHECK(shard.closed[0].second == CloseReason::local);
}

TEST_CASE("uring: addresses that are none are refused") {
    Shard shard;
    if (!shard.make()) return;
    CHECK(!shard.net->listen({"localhost", 0}));
    CHECK(shard.net->connect({{"not an address", 1}, ""}) == nullptr);
    CHECK(shard.net->connect({{"127.0.0.1", 1}, "::1"}) == nullptr);
    CHECK(shard.net->connection_count() == 0);
}

TEST_CASE("uring: IPv6 works like IPv4") {
    Shard shard;
    if (!shard.make()) return;
    const auto port = shard.net->listen({"::1", 0});
    if (!port) {
        std::printf("skipped: no IPv6 loopback (%s)\n", port.error().message.c_str());
        return;
    }
    REQUIRE(shard.net->connect({{"::1", *port}, "::1"}) != nullptr);
    CHECK(shard.run_until(
        [&] { return shard.connected.size() == 1 && shard.accepted.size() == 1; }));
}

TEST_CASE("uring: another thread ends a wait through the waker") {
    Shard shard;
    if (!shard.make()) return;
    shard.turn();
    for (int round = 0; round < 3; ++round) {
        const Instant begin = monotonic_now();
        std::thread other([&] {
            ::usleep(20'000);
            shard.waker->wake();
        });
        shard.turn(Duration::s(10));
        CHECK(monotonic_now() - begin < Duration::s(5));
        other.join();
    }
}

TEST_CASE("uring: looking for work without any costs no system call") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    for (int index = 0; index < 5; ++index) shard.turn();
    const uint64_t before = shard.net->enter_count();
    for (int index = 0; index < 1'000; ++index) {
        CHECK(shard.net->poll(shard.now).empty());
        shard.net->flush(shard.now);
    }
    CHECK(shard.net->enter_count() == before);
}

TEST_CASE("uring: the start-up line names what is in use") {
    Shard shard;
    if (!shard.make()) return;
    const std::string line = shard.net->describe();
    CHECK(line.find("direct descriptors(1000)") != std::string::npos);
    CHECK(line.find("zero-copy off") != std::string::npos);
    std::printf("%s\n", line.c_str());
}

}  // namespace millrace::test
