// One shard of simulated clients against a scripted broker: no sockets, no threads.
#include <algorithm>
#include <deque>
#include <vector>

#include <doctest/doctest.h>

#include "codec/mqtt/decode.h"
#include "load/load_shard.h"
#include "runtime/clock.h"

using namespace millrace;

namespace {

using Packet = std::vector<uint8_t>;

struct ShardBench {
    explicit ShardBench(const LoadOptions& options)
        : plan(LoadPlan::make(options, 9)),
          arena(std::move(*Arena::create({.bytes_max = 16 << 20, .huge_pages = HugePages::off}))),
          heap(*arena, ledger),
          blocks(heap, ledger),
          outbox(heap, blocks),
          mesh(std::move(*MailMesh::create(1, 65'536))),
          mailbox(*mesh, 0),
          wheel(monotonic_now()) {
        result.rounds.resize(options.storm_round_count);
        shard.emplace(LoadShardParts{
            .plan = plan,
            .shard = 0,
            .heap = heap,
            .blocks = blocks,
            .outbox = outbox,
            .mailbox = mailbox,
            .wheel = wheel,
            .result = result,
            .connector = {this, [](void* context, const ConnectOptions&) {
                              return &static_cast<ShardBench*>(context)->connections.emplace_back();
                          }},
        });
    }
    ~ShardBench() {
        for (Connection& connection : connections) connection.out.clear(heap, blocks);
    }

    void order(LoadCommand command) {
        std::vector<uint8_t> mail(sizeof(command));
        write_mail(mail, command);
        shard->on_mail(1, mail);
        turn();
    }
    void turn() {
        const Instant now = monotonic_now();
        shard->begin_turn(now);
        shard->end_turn(now);
    }
    // Opens all clients and answers their CONNECT and SUBSCRIBE.
    void open() {
        order({.kind = LoadCommandKind::open});
        for (Connection& connection : connections) {
            shard->on_event({Event::Kind::connected, &connection, {}});
            receive(connection, {0x20, 2, 0, 0});
            if (sent(connection).at(1)[0] >> 4 == 8) receive(connection, {0x90, 3, 0, 1, 0});
        }
        for (Connection& connection : connections) sent(connection);
    }
    void receive(Connection& connection, const Packet& bytes) {
        shard->begin_turn(monotonic_now());
        shard->on_event({Event::Kind::received, &connection, bytes});
        shard->end_turn(monotonic_now());
    }
    // The packets queued since the last call.
    std::deque<Packet> sent(Connection& connection) {
        std::vector<uint8_t> bytes;
        for (uint32_t index = 0; index < connection.out.slot_count(); ++index) {
            const Bytes slice = connection.out.at(index).bytes();
            bytes.insert(bytes.end(), slice.begin(), slice.end());
        }
        connection.out.clear(heap, blocks);
        std::deque<Packet> packets;
        for (size_t offset = 0; offset < bytes.size();) {
            const uint32_t length = load_packet_length(Bytes(bytes).subspan(offset)).value();
            const auto begin = bytes.begin() + static_cast<long>(offset);
            packets.emplace_back(begin, begin + length);
            offset += length;
        }
        // A publisher sends no SUBSCRIBE: an empty second packet stands for that.
        if (packets.size() == 1) packets.push_back({0});
        return packets;
    }
    LoadTotals totals() const { return result.totals.load(); }

    LoadPlan plan;
    std::unique_ptr<Arena> arena;
    Ledger ledger;
    Heap heap;
    BlockPool blocks;
    Outbox outbox;
    std::unique_ptr<MailMesh> mesh;
    Mailbox mailbox;
    TimerWheel wheel;
    LoadShardResult result;
    std::deque<Connection> connections;
    std::optional<LoadShard> shard;
};

LoadOptions one_pair(uint8_t qos) {
    return {.mode = LoadMode::pair, .publisher_count = 1, .subscriber_count = 1,
            .payload_bytes = 32, .qos = qos, .window_count = 1, .message_count = 10,
            .topic = "t"};
}

}  // namespace

TEST_CASE("load: a client greets, subscribes and is ready") {
    ShardBench bench({.mode = LoadMode::connect, .connection_count = 1, .topic = "t"});
    bench.order({.kind = LoadCommandKind::open});
    REQUIRE(bench.connections.size() == 1);
    Connection& connection = bench.connections[0];
    bench.shard->on_event({Event::Kind::connected, &connection, {}});
    const Packet connect = bench.sent(connection)[0];
    const auto decoded = mqtt::decode_connect(Bytes(connect).subspan(2));
    REQUIRE(decoded.has_value());
    CHECK(decoded->client_id.size() == 23);
    bench.receive(connection, {0x20, 2, 0, 0});
    const Packet subscribe = bench.sent(connection)[0];
    CHECK(subscribe[0] == 0x82);
    CHECK(bench.totals().ready == 0);
    bench.receive(connection, {0x90, 3, 0, 1, 0});
    CHECK(bench.totals().ready == 1);
}

TEST_CASE("load: a refusing CONNACK counts as refused, once") {
    ShardBench bench({.mode = LoadMode::connect, .connection_count = 1, .topic = "t"});
    bench.order({.kind = LoadCommandKind::open});
    Connection& connection = bench.connections[0];
    bench.shard->on_event({Event::Kind::connected, &connection, {}});
    bench.receive(connection, {0x20, 2, 0, 3});
    CHECK(bool{connection.close_now});
    bench.shard->on_event({Event::Kind::closed, &connection, {}});
    bench.turn();
    CHECK(bench.totals().refused == 1);
    CHECK(bench.totals().lost == 0);
    CHECK(bench.totals().closed == 1);
}

TEST_CASE("load: in a closed loop the next message follows the delivery in the same turn") {
    ShardBench bench(one_pair(0));
    bench.open();
    Connection& subscriber = bench.connections[0];
    Connection& publisher = bench.connections[1];
    bench.order({.kind = LoadCommandKind::publish, .phase = 1, .messages = 10});
    for (uint64_t message = 1; message <= 10; ++message) {
        CHECK(bench.totals().published == message);
        bench.receive(subscriber, bench.sent(publisher)[0]);
        CHECK(bench.totals().delivered == message);
    }
    CHECK(bench.totals().published == 10);
    CHECK(bench.totals().publishers_finished == 1);
}

TEST_CASE("load: a QoS 2 message takes all four packets on both sides") {
    ShardBench bench(one_pair(2));
    bench.open();
    Connection& subscriber = bench.connections[0];
    Connection& publisher = bench.connections[1];
    bench.order({.kind = LoadCommandKind::publish, .phase = 1, .messages = 1});
    const Packet publish = bench.sent(publisher)[0];
    CHECK(publish[0] == 0x34);
    bench.receive(publisher, {0x50, 2, 0, 1});
    CHECK(bench.sent(publisher)[0] == Packet{0x62, 2, 0, 1});
    CHECK(bench.totals().acknowledged == 0);
    bench.receive(publisher, {0x70, 2, 0, 1});
    CHECK(bench.totals().acknowledged == 1);
    bench.receive(subscriber, publish);
    CHECK(bench.sent(subscriber)[0] == Packet{0x50, 2, 0, 1});
    bench.receive(subscriber, {0x62, 2, 0, 1});
    CHECK(bench.sent(subscriber)[0] == Packet{0x70, 2, 0, 1});
    CHECK(bench.totals().protocol_errors == 0);
}

TEST_CASE("load: what a broker may not send is a protocol error and ends that client") {
    for (const Packet& bytes : {Packet{0x40, 2, 0, 9}, Packet{0x20, 2, 0, 0}, Packet{0x10, 0},
                                Packet{0x36, 2, 0, 0}, Packet{0x00, 0}, Packet{0x90, 2, 0, 1},
                                Packet{0x62, 2, 0, 0}, Packet{0xf0, 0}}) {
        ShardBench bench(one_pair(1));
        bench.open();
        Connection& subscriber = bench.connections[0];
        bench.receive(subscriber, bytes);
        CHECK(bench.totals().protocol_errors == 1);
        CHECK(bench.totals().lost == 1);
        CHECK(bool{subscriber.close_now});
        bench.receive(subscriber, bytes);
        CHECK(bench.totals().protocol_errors == 1);
        bench.shard->on_event({Event::Kind::closed, &subscriber, {}});
        bench.turn();
        CHECK(bench.totals().lost == 1);
    }
}

TEST_CASE("load: a publisher that is lost counts as finished, and nothing more is sent for it") {
    ShardBench bench(one_pair(0));
    bench.open();
    bench.order({.kind = LoadCommandKind::publish, .phase = 1, .messages = 10});
    const Packet publish = bench.sent(bench.connections[1])[0];
    bench.shard->on_event({Event::Kind::closed, &bench.connections[1], {}});
    bench.receive(bench.connections[0], publish);
    CHECK(bench.totals().publishers_finished == 1);
    CHECK(bench.totals().published == 1);
    CHECK(bench.totals().lost == 1);
}

TEST_CASE("load: leaving sends DISCONNECT, cutting doesn't") {
    for (const LoadCommandKind kind : {LoadCommandKind::leave, LoadCommandKind::cut}) {
        ShardBench bench({.mode = LoadMode::storm, .connection_count = 1, .topic = "t"});
        bench.open();
        Connection& connection = bench.connections[0];
        bench.order({.kind = kind});
        CHECK(bool{connection.close_when_sent} == (kind == LoadCommandKind::leave));
        CHECK(bool{connection.close_now} == (kind == LoadCommandKind::cut));
        CHECK(connection.out.empty() == (kind == LoadCommandKind::cut));
        bench.shard->on_event({Event::Kind::closed, &connection, {}});
        bench.turn();
        CHECK(bench.totals().lost == 0);
        CHECK(bench.totals().closed == 1);
    }
}

TEST_CASE("load: a round counts the sessions that have survived the cut before it") {
    ShardBench bench({.mode = LoadMode::storm, .connection_count = 2, .storm_round_count = 2,
                      .topic = "t", .mqtt_version = 5, .clean_start = false,
                      .session_expiry_s = 77});
    const auto greet = [&](Connection& connection, uint8_t session_present) {
        bench.shard->on_event({Event::Kind::connected, &connection, {}});
        const Packet connect = bench.sent(connection)[0];
        const auto decoded = mqtt::decode_connect(Bytes(connect).subspan(2));
        REQUIRE(decoded.has_value());
        CHECK(!decoded->clean_start);
        CHECK(decoded->session_expiry_s == 77);
        bench.receive(connection, {0x20, 3, session_present, 0, 0});
        if (session_present == 1) {
            CHECK(connection.out.empty());  // the subscription is there already
            return;
        }
        CHECK(bench.sent(connection)[0][0] == 0x82);
        bench.receive(connection, {0x90, 4, 0, 1, 0, 0});
    };
    bench.order({.kind = LoadCommandKind::open});
    REQUIRE(bench.connections.size() == 2);
    for (size_t index : {0u, 1u}) greet(bench.connections[index], 0);
    CHECK(bench.totals().ready == 2);
    bench.order({.kind = LoadCommandKind::cut});
    for (size_t index : {0u, 1u}) {
        bench.shard->on_event({Event::Kind::closed, &bench.connections[index], {}});
    }
    bench.order({.kind = LoadCommandKind::open, .phase = 1});
    REQUIRE(bench.connections.size() == 4);
    greet(bench.connections[2], 1);
    greet(bench.connections[3], 0);  // its session is gone
    CHECK(bench.totals().ready == 4);
    CHECK(bench.totals().resumed == 1);
    CHECK(bench.result.rounds[0].sessions_resumed == 0);
    CHECK(bench.result.rounds[1].sessions_resumed == 1);
    CHECK(bench.result.rounds[0].connack_latency.count() == 2);
    CHECK(bench.result.rounds[1].connack_latency.count() == 2);
}

TEST_CASE("load: one message without a warm-up is one latency a receiver") {
    ShardBench bench({.mode = LoadMode::fanout, .publisher_count = 1, .subscriber_count = 3,
                      .payload_bytes = 32, .message_count = 1, .warmup_count = 0, .topic = "t"});
    CHECK(bench.plan.warmup_messages == 0);
    CHECK(bench.plan.warmup_duration == Duration::s(0));
    bench.open();
    bench.order({.kind = LoadCommandKind::measure});
    bench.order({.kind = LoadCommandKind::publish, .phase = 1, .messages = 1});
    const Packet publish = bench.sent(bench.connections[3])[0];
    for (size_t index : {0u, 1u, 2u}) bench.receive(bench.connections[index], publish);
    CHECK(bench.totals().published == 1);
    CHECK(bench.totals().publishers_finished == 1);
    CHECK(bench.totals().delivered == 3);
    CHECK(bench.result.delivery_latency.count() == 3);
}

TEST_CASE("load: opening keeps to its rate and to its bound") {
    ShardBench paced({.mode = LoadMode::connect, .connection_count = 10, .connect_rate = 1,
                      .topic = "t"});
    paced.order({.kind = LoadCommandKind::open,
                 .instant_ns = (monotonic_now() - Duration::ms(2'500)).nanoseconds});
    CHECK(paced.connections.size() == 3);
    ShardBench bounded({.mode = LoadMode::connect, .connection_count = 10,
                        .connects_outstanding_max = 4, .topic = "t"});
    bounded.order({.kind = LoadCommandKind::open});
    CHECK(bounded.connections.size() == 4);
    bounded.shard->on_event({Event::Kind::closed, &bounded.connections[0], {}});
    bounded.turn();
    CHECK(bounded.connections.size() == 5);
    CHECK(bounded.totals().refused == 1);
}
