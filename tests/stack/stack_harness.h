// Stacks joined by a wire in memory, under a clock that the test moves.
// Owned by: one test. A host is a StackTransport with its shard's memory, and notes its events.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "addresses.h"
#include "fake_link.h"
#include "stack/stack_transport.h"

namespace millrace::test {

struct Clock {
    Instant now = Instant::at_ms(1'000'000);
    StackClock reader() {
        return {[](void* context) { return static_cast<Clock*>(context)->now; }, this};
    }
};

struct HostOptions {
    StackOptions stack;
    LinkFacts facts;
    uint64_t arena_bytes = 64 << 20;
};

inline HostOptions host_options(uint8_t number) {
    HostOptions options;
    options.facts.mac = mac_of(number);
    options.facts.name = "fake";
    const std::string last = std::to_string(number);
    options.stack.interface.addresses = {prefix("10.0.0." + last + "/16"),
                                         prefix("fd00::" + last + "/64")};
    options.stack.idle.mode = IdlePolicy::Mode::never_wait;
    options.stack.seed = number;
    options.stack.connections_max = 100'000;
    return options;
}

struct Host {
    std::unique_ptr<Arena> arena;
    Ledger ledger;
    std::unique_ptr<Heap> heap;
    std::unique_ptr<BlockPool> blocks;
    std::unique_ptr<BlockStream> stream;
    std::unique_ptr<Waker> waker;
    std::unique_ptr<StackTransport> net;
    FakeLink* link = nullptr;

    std::vector<Connection*> accepted, connected, drained;
    std::vector<std::pair<Connection*, CloseReason>> closed;
    std::string received;  // of all connections
    std::string order;     // of events: a c r d x
    std::function<void(const Event&)> on_event = [](const Event&) {};

    Host(FakeWire& wire, Clock& clock, HostOptions options) {
        arena = std::move(*Arena::create({options.arena_bytes, HugePages::off}));
        heap = std::make_unique<Heap>(*arena, ledger);
        blocks = std::make_unique<BlockPool>(*heap, ledger);
        stream = std::make_unique<BlockStream>(*blocks);
        waker = std::make_unique<Waker>(std::move(*Waker::create()));
        options.stack.clock = clock.reader();
        auto made_link = std::make_unique<FakeLink>(wire, *blocks, options.facts,
                                                    options.stack.shard_count);
        link = made_link.get();
        auto made = StackTransport::create(options.stack, std::move(made_link), *arena, ledger,
                                           *heap, *blocks, *waker);
        REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
        net = std::move(*made);
    }
    ~Host() {
        net.reset();
        stream.reset();
    }

    void turn(Instant now) {
        for (const Event& event : net->poll(now)) {
            note(event);
            on_event(event);
        }
        net->flush(now);
        net->verify();
    }
    bool send(Connection& connection, std::string_view text) {
        const std::span<uint8_t> room = stream->try_reserve(static_cast<uint32_t>(text.size()));
        if (room.size() < text.size()) return false;
        std::copy(text.begin(), text.end(), room.begin());
        return net->outbox().send(connection, stream->commit(static_cast<uint32_t>(text.size())));
    }
    // As send(), but what is sent next isn't adjacent: it needs a slot of its own.
    bool send_apart(Connection& connection, std::string_view text) {
        if (!send(connection, text)) return false;
        if (stream->try_reserve(8).empty()) return false;
        stream->commit(8);
        return true;
    }
    uint64_t connections_alive() { return ledger.line("tcp connections").objects.read(); }
    uint64_t blocks_alive() { return ledger.line("blocks").objects.read(); }

private:
    void note(const Event& event) {
        switch (event.kind) {
        case Event::Kind::accepted:
            order += 'a';
            accepted.push_back(event.connection);
            break;
        case Event::Kind::connected:
            order += 'c';
            connected.push_back(event.connection);
            break;
        case Event::Kind::received:
            order += 'r';
            received += as_text(event.bytes);
            break;
        case Event::Kind::drained:
            order += 'd';
            drained.push_back(event.connection);
            break;
        case Event::Kind::closed:
            order += 'x';
            closed.push_back({event.connection, event.connection->close_reason});
            break;
        }
    }
};

// A server (10.0.0.1, fd00::1) and a client (10.0.0.2, fd00::2), unless told otherwise.
struct Pair {
    Clock clock;
    FakeWire wire;
    Host server;
    Host client;
    uint16_t port = 0;

    explicit Pair(HostOptions server_options = host_options(1),
                  HostOptions client_options = host_options(2))
        : server(wire, clock, std::move(server_options)),
          client(wire, clock, std::move(client_options)) {}

    void listen(const std::string& host = "0.0.0.0") {
        const auto bound = server.net->listen({host, 0});
        REQUIRE(bound.has_value());
        port = *bound;
    }
    void turn(Duration step = Duration::ms(1)) {
        client.turn(clock.now);
        server.turn(clock.now);
        clock.now = clock.now + step;
    }
    void run_for(Duration span, Duration step = Duration::ms(1)) {
        const Instant end = clock.now + span;
        while (clock.now < end) turn(step);
    }
    template <class Condition>
    bool run_until(Condition&& condition, Duration limit = Duration::s(10),
                   Duration step = Duration::ms(1)) {
        const Instant end = clock.now + limit;
        while (!condition()) {
            if (clock.now > end) return false;
            turn(step);
        }
        return true;
    }
    Connection& connect(const std::string& host = "10.0.0.1") {
        Connection* made = client.net->connect({.remote = {host, port}, .source_host = {}});
        REQUIRE(made != nullptr);
        return *made;
    }
    // Both ends of a connection that is open: the client's, the server's.
    std::pair<Connection*, Connection*> open(const std::string& host = "10.0.0.1") {
        const size_t before = server.accepted.size();
        Connection& own = connect(host);
        REQUIRE(run_until([&] {
            return server.accepted.size() > before && !client.connected.empty() &&
                   client.connected.back() == &own;
        }));
        return {&own, server.accepted.back()};
    }
};

// Text whose every place can be told from its neighbours.
inline std::string pattern(size_t bytes) {
    std::string text(bytes, '\0');
    for (size_t index = 0; index < bytes; ++index) {
        text[index] = static_cast<char>((index * 2'654'435'761u) >> 13);
    }
    return text;
}

}  // namespace millrace::test
