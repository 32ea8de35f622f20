// Sending: partial progress, merging, back pressure, zero copy.
#include <algorithm>

#include "uring_harness.h"

namespace millrace::test {

namespace {

// Sends `text` in pieces; `apart` gives each a slot of its own.
void send_pieces(Shard& shard, Connection& connection, std::string_view text, size_t piece,
                 bool apart) {
    for (size_t offset = 0; offset < text.size(); offset += piece) {
        const std::string_view part = text.substr(offset, piece);
        REQUIRE((apart ? shard.send_apart(connection, part) : shard.send(connection, part)));
    }
}

}  // namespace

TEST_CASE("uring: a peer that reads late gets all bytes in order") {
    for (const bool apart : {false, true}) {
        Shard shard;
        UringTransportOptions options = Shard::small();
        options.socket_send_bytes = 32 * 1024;
        if (!shard.make(options)) return;
        shard.listen();
        Peer peer;
        Connection& connection = shard.accept_one(peer, 8 * 1024);
        const std::string text = pattern(4 << 20);
        send_pieces(shard, connection, text, 3'001, apart);
        connection.tell_when_drained = true;
        shard.run_for(Duration::ms(50));
        CHECK(connection.out.bytes_queued() > text.size() / 2);
        CHECK(shard.drained.empty());
        CHECK(shard.gather(peer, text.size()) == text);
        CHECK(connection.out.empty());
        CHECK(shard.drained.size() == 1);
        CHECK(shard.net->counters().sends.read() > 1);
        CHECK(shard.net->counters().bytes_sent.read() == text.size());
    }
}

TEST_CASE("uring: a burst of adjacent messages is one send") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.turn();
    send_pieces(shard, connection, pattern(3'200), 100, false);
    CHECK(shard.gather(peer, 3'200) == pattern(3'200));
    CHECK(shard.net->counters().sends.read() == 1);
}

TEST_CASE("uring: messages that are apart go out in one gathered send") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.turn();
    send_pieces(shard, connection, pattern(3'200), 100, true);
    CHECK(connection.out.slot_count() == 32);
    CHECK(shard.gather(peer, 3'200) == pattern(3'200));
    CHECK(shard.net->counters().sends.read() == 1);
}

TEST_CASE("uring: a turn's output to many connections is one enter call") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    std::vector<Peer> peers(50);
    for (Peer& peer : peers) shard.accept_one(peer);
    shard.run_for(Duration::ms(20));
    for (Connection* connection : shard.accepted) shard.send(*connection, "to everyone");
    shard.net->flush(monotonic_now());
    const uint64_t before = shard.net->enter_count();
    shard.turn(Duration{});
    CHECK(shard.net->enter_count() == before + 1);
    CHECK(shard.net->counters().sends.read() == 50);
    for (Peer& peer : peers) CHECK(shard.gather(peer, 11) == "to everyone");
}

TEST_CASE("uring: after sends that leave nothing to do, the same poll waits for an event") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    shard.run_for(Duration::ms(20));
    REQUIRE(shard.send(connection, "hello"));
    shard.net->flush(monotonic_now());
    const Instant before = monotonic_now();
    const uint64_t enters_before = shard.net->enter_count();
    CHECK(shard.net->poll(before + Duration::ms(5)).empty());
    CHECK(shard.net->counters().sends.read() == 1);
    CHECK(shard.net->enter_count() == enters_before + 2);
    CHECK(shard.net->waited_since() >= before);
    CHECK(shard.net->waited_since() < Instant::never());
    CHECK(monotonic_now() >= before + Duration::ms(5));
    CHECK(shard.gather(peer, 5) == "hello");
}

TEST_CASE("uring: more output than the ring has entries goes out all the same") {
    UringTransportOptions options = Shard::small();
    options.submission_entries = 8;
    options.completion_entries = 16;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    std::vector<Peer> peers(100);
    for (Peer& peer : peers) shard.accept_one(peer);
    for (int round = 0; round < 20; ++round) {
        for (Connection* connection : shard.accepted) {
            shard.send_apart(*connection, "one and ");
            shard.send_apart(*connection, "two;    ");
        }
        for (Peer& peer : peers) CHECK(shard.gather(peer, 16) == "one and two;    ");
    }
    MESSAGE("overflows: ", shard.net->counters().completion_overflows.read());
}

TEST_CASE("uring: a paused connection isn't read, and goes on when resumed") {
    Shard shard;
    if (!shard.make()) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer);
    peer.send("before;");
    CHECK(shard.run_until([&] { return shard.received == "before;"; }));
    shard.net->outbox().set_receive_paused(connection, true);
    shard.run_for(Duration::ms(20));
    peer.send("meanwhile;");
    shard.run_for(Duration::ms(50));
    CHECK(shard.received == "before;");
    shard.net->outbox().set_receive_paused(connection, false);
    CHECK(shard.run_until([&] { return shard.received == "before;meanwhile;"; }));

    // Back and forth within a turn, and faster than the kernel cancels.
    for (int round = 0; round < 20; ++round) {
        shard.net->outbox().set_receive_paused(connection, round % 2 == 0);
        if (round % 3 != 0) shard.turn(Duration::us(0));
    }
    peer.send("after");
    CHECK(shard.run_until([&] { return shard.received == "before;meanwhile;after"; }));
}

TEST_CASE("uring: zero-copy sends carry the right bytes and hold their blocks") {
    for (const bool apart : {false, true}) {
        UringTransportOptions options = Shard::small();
        options.zero_copy_bytes_min = 1'000;
        Shard shard;
        if (!shard.make(options)) return;
        shard.listen();
        Peer peer;
        Connection& connection = shard.accept_one(peer, 16 * 1024);
        const std::string text = pattern(2 << 20);
        send_pieces(shard, connection, text, 20'000, apart);
        WARN(connection.out.at(0).block->registered_index >= 0);
        CHECK(shard.gather(peer, text.size()) == text);
        CHECK(shard.net->counters().sends_zero_copy.read() > 0);
        CHECK(shard.net->counters().bytes_sent.read() == text.size());
        // Short ones go the plain way.
        const uint64_t before = shard.net->counters().sends_zero_copy.read();
        shard.send(connection, "short");
        CHECK(shard.gather(peer, 5) == "short");
        CHECK(shard.net->counters().sends_zero_copy.read() == before);
        // Every notification comes, and with the last of them the memory goes.
        CHECK(shard.run_until([&] { return connection.operations == 1; }));
        CHECK(shard.net->counters().sends_zero_copy_copied.read() > 0);
        shard.net->outbox().close_now(connection, CloseReason::local);
        CHECK(shard.run_until([&] { return shard.connections_alive() == 0; }));
        shard.stream->close();
    }
}

TEST_CASE("uring: where the kernel copies all the same, zero copy ends with the first sends") {
    UringTransportOptions options = Shard::small();
    options.zero_copy_bytes_min = 1'000;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    Peer peer;
    Peer other_peer;
    Connection& connection = shard.accept_one(peer, 64 * 1024);
    Connection& other = shard.accept_one(other_peer, 64 * 1024);
    const std::string text = pattern(100'000);
    send_pieces(shard, connection, text, 20'000, true);
    CHECK(shard.gather(peer, text.size()) == text);
    CHECK(shard.run_until([&] { return connection.operations == 1; }));
    if (shard.net->counters().sends_zero_copy_copied.read() == 0) return;  // not told, or not so
    const uint64_t first = shard.net->counters().sends_zero_copy.read();
    send_pieces(shard, connection, text, 20'000, true);
    CHECK(shard.gather(peer, text.size()) == text);
    CHECK(shard.net->counters().sends_zero_copy.read() == first);
    // Another connection may go another way.
    send_pieces(shard, other, text, 20'000, true);
    CHECK(shard.gather(other_peer, text.size()) == text);
    CHECK(shard.net->counters().sends_zero_copy.read() > first);
    CHECK(shard.run_until([&] { return other.operations == 1; }));
}

TEST_CASE("uring: closing in the middle of zero-copy sends waits for what the kernel holds") {
    UringTransportOptions options = Shard::small();
    options.zero_copy_bytes_min = 1'000;
    options.socket_send_bytes = 256 * 1024;
    Shard shard;
    if (!shard.make(options)) return;
    shard.listen();
    Peer peer;
    Connection& connection = shard.accept_one(peer, 4 * 1024);
    send_pieces(shard, connection, pattern(4 << 20), 50'000, true);
    shard.run_for(Duration::ms(20));
    shard.net->outbox().close_now(connection, CloseReason::slow_receiver);
    CHECK(shard.run_until([&] { return shard.closed.size() == 1; }));
    CHECK(shard.closed[0].second == CloseReason::slow_receiver);
    peer.close();
    CHECK(shard.run_until([&] { return shard.connections_alive() == 0; }));
}

TEST_CASE("uring: both kinds of receive buffers deliver a long stream whole") {
    for (const bool incremental : {false, true}) {
        UringTransportOptions options = Shard::small();
        options.incremental_buffers = incremental;
        Shard shard;
        if (!shard.make(options)) return;
        shard.listen();
        Peer peer;
        shard.accept_one(peer);
        const std::string text = pattern(1 << 20);
        for (size_t offset = 0; offset < text.size();) {
            const size_t piece = std::min<size_t>(1 + offset % 9'973, text.size() - offset);
            peer.send(std::string_view(text).substr(offset, piece));
            offset += piece;
            shard.turn(Duration::us(0));
        }
        CHECK(shard.run_until([&] { return shard.received.size() >= text.size(); }));
        CHECK(shard.received == text);
    }
}

}  // namespace millrace::test
