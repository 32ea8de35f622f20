// What happens when something runs out: buffers, slots of the file table, memory, completions.
#include "uring_harness.h"

namespace millrace::test {

TEST_CASE("uring: a tiny ring of receive buffers slows down but loses nothing") {
    for (const bool incremental : {false, true}) {
        UringTransportOptions options = Shard::small();
        options.receive_buffer_count = 2;
        options.receive_buffer_bytes = 256;
        options.incremental_buffers = incremental;
        Shard shard;
        if (!shard.make(options)) return;
        shard.listen();
        std::vector<Peer> peers(10);
        for (Peer& peer : peers) shard.accept_one(peer);
        shard.turn();
        for (Peer& peer : peers) peer.send(std::string(5'000, 'x'));
        CHECK(shard.run_until([&] { return shard.received.size() == 50'000; }));
        CHECK(shard.net->counters().receive_buffer_shortages.read() > 0);
        peers[3].send("y");
        CHECK(shard.run_until([&] { return shard.received.size() == 50'001; }));
    }
}

TEST_CASE("uring: a full file table pauses accepting, and a freed slot resumes it") {
    UringTransportOptions options = Shard::small();
    options.connections_max = 4;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    std::vector<Peer> peers(4);
    for (Peer& peer : peers) shard.accept_one(peer);
    Peer refused = Peer::connect(shard.port);  // the kernel has taken it before we could know
    shard.run_for(Duration::ms(150));
    CHECK(shard.accepted.size() == 4);
    CHECK(shard.net->counters().accept_failures.read() >= 1);
    CHECK(shard.net->counters().accept_failures.read() <= 3);
    CHECK(shard.net->connect({{"127.0.0.1", shard.port}, ""}) == nullptr);

    Peer waiting = Peer::connect(shard.port);  // stands in the backlog
    const uint64_t enters = shard.net->enter_count();
    for (int index = 0; index < 10; ++index) shard.turn(Duration::ms(20));
    CHECK(shard.net->enter_count() - enters < 40);  // it doesn't spin
    CHECK(shard.accepted.size() == 4);
    peers[0].close();
    CHECK(shard.run_until([&] { return shard.accepted.size() == 5; }, Duration::s(2)));
    shard.send(*shard.accepted.back(), "welcome");
    CHECK(shard.gather(waiting, 7) == "welcome");
}

TEST_CASE("uring: without memory for a connection its socket is closed and accepting pauses") {
    // Room for the receive buffers and a few chunks more.
    Shard shard;
    if (!shard.make(Shard::small(), 10 * Arena::chunk_bytes)) return;
    shard.listen();
    std::vector<std::byte*> rest;
    while (std::byte* chunk = shard.arena->try_take_chunk()) rest.push_back(chunk);
    Peer refused = Peer::connect(shard.port);
    CHECK(shard.run_until([&] {
        refused.take();
        return refused.ended || refused.reset;
    }));
    CHECK(shard.accepted.empty());
    CHECK(shard.net->counters().accept_failures.read() >= 1);

    for (std::byte* chunk : rest) shard.arena->give_back_chunk(chunk);
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.send(connection, "welcome");
    CHECK(shard.gather(peer, 7) == "welcome");
}

TEST_CASE("uring: an overflowing completion queue loses nothing") {
    UringTransportOptions options = Shard::small();
    options.submission_entries = 8;
    options.completion_entries = 8;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    std::vector<Peer> peers(200);
    for (Peer& peer : peers) shard.accept_one(peer);
    shard.turn();
    for (int round = 0; round < 10; ++round) {
        shard.received.clear();
        for (Peer& peer : peers) peer.send("all at once");
        CHECK(shard.run_until([&] { return shard.received.size() >= peers.size() * 11; }));
        CHECK(shard.received.size() == peers.size() * 11);
    }
    MESSAGE("overflows: ", shard.net->counters().completion_overflows.read());
    peers.clear();
    CHECK(shard.run_until([&] { return shard.closed.size() == 200; }));
    shard.turn();
    CHECK(shard.connections_alive() == 0);
}

TEST_CASE("uring: a process holds more sockets than it may have descriptors") {
    constexpr uint32_t count = 11'000;  // at both ends
    UringTransportOptions options = Shard::small();
    options.submission_entries = 1'024;
    options.completion_entries = 8'192;
    options.connections_max = count;
    Shard server, client;
    if (!server.make(options) || !client.make(options)) return;
    if (client.net->describe().find(std::to_string(count)) == std::string::npos) {
        std::printf("skipped: RLIMIT_NOFILE bounds a file table below %u\n", count);
        return;
    }
    server.listen();
    std::vector<Connection*> made;
    CHECK(client.run_until([&] {
        for (int index = 0; index < 300 && made.size() < count; ++index) {
            made.push_back(client.net->connect({{"127.0.0.1", server.port}, ""}));
            REQUIRE(made.back() != nullptr);
        }
        server.turn(Duration::us(0));
        return client.connected.size() == count && server.accepted.size() == count;
    }));
    CHECK(client.net->connect({{"127.0.0.1", server.port}, ""}) == nullptr);  // full
    for (Connection* connection : server.accepted) server.send(*connection, "to all");
    CHECK(client.run_until([&] {
        server.turn(Duration::us(0));
        return client.received.size() == count * 6;
    }));
    for (Connection* connection : made) {
        client.net->outbox().close_now(*connection, CloseReason::local);
    }
    CHECK(client.run_until([&] {
        server.turn(Duration::us(0));
        return client.closed.size() == count && server.closed.size() == count;
    }));
}

TEST_CASE("uring: a poll returns a bounded batch and the next one the rest") {
    UringTransportOptions options = Shard::small();
    options.completion_entries = 4'096;
    options.receive_buffer_bytes = 64;
    options.receive_buffer_count = 4'096;
    options.incremental_buffers = false;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    std::vector<Peer> peers(100);
    for (Peer& peer : peers) shard.accept_one(peer);
    shard.turn();
    for (Peer& peer : peers) peer.send(std::string(64 * 20, 'z'));
    size_t largest = 0;
    CHECK(shard.run_until([&] {
        const auto events = shard.net->poll(shard.now + Duration::ms(5));
        largest = std::max(largest, events.size());
        for (const Event& event : events) shard.received += as_text(event.bytes);
        shard.net->flush(shard.now = monotonic_now());
        return shard.received.size() >= 64 * 20 * 100;
    }));
    CHECK(largest <= UringTransport::events_max);
    CHECK(largest > 100);
}

}  // namespace millrace::test
