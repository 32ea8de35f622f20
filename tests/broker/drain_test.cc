// A drain on one shard: who goes when, what is awaited, what is told (MQTT 5.0, 3.14, 4.11).
#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/prng.h"
#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

constexpr const char* other_server = "broker-2.example.net:1883";

Config draining(uint32_t rate, std::string reference = {}) {
    Config config;
    config.drain.rate = rate;
    config.drain.server_reference = std::move(reference);
    config.timeouts.drain = std::chrono::milliseconds(2'000);
    return config;
}

struct DrainFixture : BrokerFixture {
    explicit DrainFixture(const Config& given) : BrokerFixture(given) {}

    void begin_drain() {
        broker->begin_turn(now);
        broker->begin_drain(live.drain.rate);
        broker->end_turn(now);
        advance(Duration::ms(1));
    }
    static bool is_leaving(TestClient& client) {
        return mqtt_of(client.connection).state == MqttConnection::State::leaving;
    }
    uint32_t closed_count() const {
        uint32_t count = 0;
        for (const TestClient& client : clients) count += client.closed ? 1 : 0;
        return count;
    }
    TestClient& kept(std::string_view client_id, uint32_t expiry_s = 100) {
        return connect(mqtt::Connect{.clean_start = false, .client_id = client_id,
                                     .session_expiry_s = expiry_s});
    }
    void check_goodbye(TestClient& client, Reason reason = Reason::server_shutting_down) {
        CHECK(take(client).disconnect().reason == reason);
        CHECK_FALSE(has_packet(client));
        CHECK(client.closed);
        CHECK(client.close_reason == CloseReason::shutdown);
    }
};

}  // namespace

TEST_CASE("drain: connections go one by one at the rate, and then nobody is left") {
    DrainFixture fixture(draining(10));
    for (int number = 0; number < 25; ++number) fixture.connect("c" + std::to_string(number));
    fixture.begin_drain();
    CHECK(fixture.closed_count() == 1);
    fixture.advance(Duration::ms(98));
    CHECK(fixture.closed_count() == 1);
    fixture.advance(Duration::ms(1));
    CHECK(fixture.closed_count() == 2);
    for (int times = 0; times < 50; ++times) fixture.advance(Duration::ms(20));
    CHECK(fixture.closed_count() == 12);
    CHECK_FALSE(fixture.broker->has_shed_all());
    for (int times = 0; times < 140; ++times) fixture.advance(Duration::ms(10));
    CHECK(fixture.closed_count() == 25);
    CHECK(fixture.broker->has_shed_all());
    CHECK(fixture.counters.sheds.read() == 25);
    CHECK(fixture.counters.sheds_late.read() == 0);
}

TEST_CASE("drain: 5.0 clients are told which other server, 3.1.1 ones are just closed") {
    DrainFixture fixture(draining(1'000'000, other_server));
    TestClient& young = fixture.connect("young");
    TestClient& old = fixture.connect("old", mqtt::Version::v3_1_1);
    mqtt::Connect narrow_packet{.client_id = "narrow"};
    narrow_packet.maximum_packet_bytes = 30;
    TestClient& narrow = fixture.open();
    fixture.send(narrow, PacketType::connect, narrow_packet);
    narrow.taken = narrow.received.size();
    fixture.begin_drain();
    const ReceivedPacket packet = fixture.take(young);
    CHECK(packet.disconnect().reason == Reason::use_another_server);
    CHECK(packet.disconnect().server_reference == other_server);
    CHECK_FALSE(fixture.has_packet(old));
    CHECK(old.closed);
    const ReceivedPacket short_one = fixture.take(narrow);
    CHECK(short_one.disconnect().reason == Reason::use_another_server);
    CHECK_FALSE(short_one.disconnect().server_reference.has_value());
    CHECK(young.closed);
    CHECK(narrow.closed);
}

TEST_CASE("drain: without a server reference 5.0 clients are told that the server is shutting down") {
    DrainFixture fixture(draining(1'000));
    TestClient& client = fixture.connect("client");
    fixture.begin_drain();
    fixture.check_goodbye(client);
}

TEST_CASE("drain: a stop without a rate tells the other server too") {
    DrainFixture fixture(draining(0, other_server));
    TestClient& client = fixture.connect("client");
    fixture.broker->begin_turn(fixture.now);
    fixture.broker->begin_shutdown();
    fixture.broker->end_turn(fixture.now);
    fixture.flush();
    const ReceivedPacket packet = fixture.take(client);
    CHECK(packet.disconnect().reason == Reason::use_another_server);
    CHECK(packet.disconnect().server_reference == other_server);
}

TEST_CASE("drain: a CONNECT that comes during it is sent to the other server") {
    for (const bool has_reference : {true, false}) {
        CAPTURE(has_reference);
        DrainFixture fixture(draining(1, has_reference ? other_server : ""));
        fixture.connect("stays");
        TestClient& young = fixture.open();
        TestClient& old = fixture.open(mqtt::Version::v3_1_1);
        fixture.connect("stays too");
        fixture.begin_drain();
        fixture.send(young, PacketType::connect, mqtt::Connect{.client_id = "young"});
        mqtt::Connect packet{.client_id = "old"};
        packet.version = mqtt::Version::v3_1_1;
        fixture.send(old, PacketType::connect, packet);
        const ReceivedPacket answer = fixture.take(young);
        CHECK(answer.connack().reason ==
              (has_reference ? Reason::use_another_server : Reason::server_unavailable));
        CHECK(answer.connack().server_reference.has_value() == has_reference);
        CHECK(answer.connack().server_reference.value_or(other_server) == other_server);
        CHECK(fixture.take(old).bytes == std::vector<uint8_t>{0x20, 2, 0, 3});   // 3.1.1, 3.2.2.3
        CHECK(young.closed);
        CHECK(old.closed);
        CHECK_FALSE(fixture.broker->has_shed_all());
    }
}

TEST_CASE("drain: those whose turn hasn't come are served on") {
    DrainFixture fixture(draining(1));
    TestClient& first = fixture.connect("first");
    TestClient& second = fixture.connect("second");
    TestClient& third = fixture.connect("third");
    fixture.begin_drain();
    std::vector<TestClient*> left;
    for (TestClient* client : {&first, &second, &third}) {
        if (!client->closed) left.push_back(client);
    }
    REQUIRE(left.size() == 2);
    CHECK(fixture.subscribe(*left[0], "news", 1).reasons() == std::vector{Reason::granted_qos_1});
    fixture.publish(*left[1], {.topic = "news", .payload = "still here", .qos = 1});
    CHECK(payload_of(fixture.take(*left[0])) == "still here");
    CHECK(fixture.take(*left[1]).ack().reason == Reason::success);
    fixture.feed(*left[1], mqtt::pingreq);
    CHECK(fixture.take(*left[1]).type() == PacketType::pingresp);
}

TEST_CASE("drain: what is in flight is acknowledged before the goodbye, and later packets don't matter") {
    DrainFixture fixture(draining(1));
    TestClient& receiver = fixture.kept("receiver");
    fixture.subscribe(receiver, "news", 2);
    TestClient& publisher = fixture.connect("publisher");
    for (uint16_t number = 1; number <= 2; ++number) {
        fixture.publish(publisher, {.topic = "news", .payload = "one", .qos = 1, .packet_id = number});
    }
    fixture.publish(publisher, {.topic = "news", .payload = "two", .qos = 2, .packet_id = 9});
    std::vector<uint16_t> ids;
    for (int times = 0; times < 3; ++times) ids.push_back(fixture.take(receiver).publish().packet_id);
    fixture.begin_drain();
    fixture.advance(Duration::ms(1'001));   // both have had their turn
    CHECK(publisher.closed);
    REQUIRE_FALSE(receiver.closed);

    fixture.acknowledge(receiver, PacketType::puback, ids[1]);
    fixture.acknowledge(receiver, PacketType::pubrec, ids[2]);
    CHECK(fixture.take(receiver).type() == PacketType::pubrel);
    // For another server now: not answered, and acknowledged to nobody. But it's alive (3.12.4).
    fixture.publish(receiver, {.topic = "news", .payload = "own", .qos = 1, .packet_id = 7});
    fixture.feed(receiver, mqtt::pingreq);
    CHECK(fixture.take(receiver).type() == PacketType::pingresp);
    fixture.acknowledge(receiver, PacketType::puback, ids[0]);
    CHECK_FALSE(fixture.has_packet(receiver));
    CHECK_FALSE(receiver.closed);
    fixture.acknowledge(receiver, PacketType::pubcomp, ids[2]);
    fixture.check_goodbye(receiver);
    CHECK(fixture.counters.sheds_late.read() == 0);
}

TEST_CASE("drain: messages that wait for the client's window go out before its goodbye") {
    DrainFixture fixture(draining(1'000));
    mqtt::Connect narrow{.client_id = "receiver"};
    narrow.receive_maximum = 1;
    TestClient& receiver = fixture.connect(narrow);
    fixture.subscribe(receiver, "news", 1);
    TestClient& publisher = fixture.connect("publisher");
    for (const char* text : {"1", "2", "3"}) {
        fixture.publish(publisher, {.topic = "news", .payload = text, .qos = 1});
    }
    fixture.begin_drain();
    for (const char* text : {"1", "2", "3"}) {
        CHECK_FALSE(receiver.closed);
        const ReceivedPacket packet = fixture.take(receiver);
        CHECK(payload_of(packet) == text);
        fixture.acknowledge(receiver, PacketType::puback, packet.publish().packet_id);
    }
    fixture.check_goodbye(receiver);
}

TEST_CASE("drain: a stream of new messages doesn't keep a client for ever") {
    DrainFixture fixture(draining(1));
    TestClient& receiver = fixture.kept("receiver");
    fixture.subscribe(receiver, "news", 1);
    for (int number = 0; number < 30; ++number) fixture.connect("publisher" + std::to_string(number));
    const auto publish = [&](std::string_view text) {
        for (TestClient& client : fixture.clients) {
            if (&client == &receiver || client.closed) continue;
            fixture.publish(client, {.topic = "news", .payload = text, .qos = 1});
            return;
        }
    };
    publish("before");
    fixture.begin_drain();
    const uint16_t first = fixture.take(receiver).publish().packet_id;
    while (!fixture.is_leaving(receiver)) fixture.advance(Duration::ms(500));
    REQUIRE(fixture.counters.connections.read() > 2);   // and it isn't one of the last
    publish("during");
    CHECK(payload_of(fixture.take(receiver)) == "during");
    fixture.acknowledge(receiver, PacketType::puback, first);
    fixture.check_goodbye(receiver);
    publish("after");
    CHECK(fixture.counters.waiting_messages.read() == 1);
    const LeftBehind left_behind = fixture.broker->left_behind();
    CHECK(left_behind.messages == 2);   // "during" wasn't acknowledged
    CHECK(left_behind.sessions == 1);
}

TEST_CASE("drain: whoever acknowledges nothing is told to go after timeouts.drain") {
    DrainFixture fixture(draining(1'000));
    TestClient& receiver = fixture.connect("receiver");
    fixture.subscribe(receiver, "news", 1);
    fixture.publish(receiver, {.topic = "news", .payload = "one", .qos = 1});
    fixture.take(receiver);
    fixture.take(receiver);
    fixture.begin_drain();
    fixture.advance(Duration::ms(1'990));
    CHECK_FALSE(receiver.closed);
    fixture.advance(Duration::ms(20));
    fixture.check_goodbye(receiver);
    CHECK(fixture.counters.sheds_late.read() == 1);
    CHECK(fixture.broker->has_shed_all());
}

TEST_CASE("drain: whoever doesn't take its goodbye is closed after timeouts.drain") {
    DrainFixture fixture(draining(1'000));
    TestClient& client = fixture.connect("client");
    client.stalled = true;
    fixture.begin_drain();
    CHECK(fixture.broker->has_shed_all());
    fixture.advance(Duration::ms(1'990));
    CHECK_FALSE(client.closed);
    fixture.advance(Duration::ms(20));
    CHECK(client.closed);
}

TEST_CASE("drain: a client that goes by itself in its turn leaves as it wants to") {
    DrainFixture fixture(draining(1'000'000));
    mqtt::Connect with_will{.client_id = "dies"};
    with_will.will = mqtt::Will{.topic = "gone", .payload = as_bytes("dies")};
    TestClient& dies = fixture.connect(with_will);
    TestClient& leaves = fixture.connect("leaves");
    TestClient& fails = fixture.connect("fails");
    for (TestClient* client : {&dies, &leaves, &fails}) {
        fixture.subscribe(*client, "news", 1);
        client->stalled = false;
    }
    fixture.publish(leaves, {.topic = "news", .payload = "one", .qos = 1});
    fixture.begin_drain();
    CHECK_FALSE((dies.closed || leaves.closed || fails.closed));
    fixture.drop(dies);
    fixture.send(leaves, PacketType::disconnect, mqtt::Disconnect{});
    fixture.feed(fails, Bytes(std::vector<uint8_t>{0x40, 0xff, 0xff, 0xff, 0xff}));
    CHECK(leaves.close_reason == CloseReason::local);
    CHECK(fails.closed);
    fixture.advance(Duration::s(5));
    CHECK(fixture.broker->has_shed_all());
    CHECK(fixture.counters.sheds.read() == 0);
}

TEST_CASE("drain: wills of those who are told to go aren't published") {
    DrainFixture fixture(draining(1, other_server));
    for (const char* name : {"a", "b"}) {
        mqtt::Connect packet{.client_id = name};
        packet.will = mqtt::Will{.topic = "gone", .payload = as_bytes("will")};
        fixture.subscribe(fixture.connect(packet), "gone");
    }
    fixture.begin_drain();
    CHECK(fixture.closed_count() == 1);
    for (TestClient& client : fixture.clients) {
        if (!client.closed) CHECK_FALSE(fixture.has_packet(client));
    }
    CHECK(fixture.objects("wills") == 1);
}

TEST_CASE("drain: a shared group's messages go to members that stay") {
    DrainFixture fixture(draining(1));
    std::vector<TestClient*> members;
    for (const char* name : {"a", "b", "c"}) {
        members.push_back(&fixture.kept(name));
        fixture.subscribe(*members.back(), "$share/group/news", 1);
        fixture.subscribe(*members.back(), "own", 1);
    }
    fixture.publish(*members[0], {.topic = "own", .payload = "holds all", .qos = 1});
    for (TestClient* member : members) member->taken = member->received.size();
    fixture.begin_drain();
    TestClient* leaving = nullptr;
    for (TestClient* member : members) {
        if (fixture.is_leaving(*member)) leaving = member;
    }
    REQUIRE(leaving != nullptr);
    CHECK_FALSE(leaving->closed);
    for (TestClient* member : members) {
        if (member == leaving) continue;
        for (int times = 0; times < 4; ++times) {
            fixture.publish(*member, {.topic = "news", .payload = "shared", .qos = 1});
        }
    }
    CHECK_FALSE(fixture.has_packet(*leaving));
    CHECK(fixture.counters.waiting_messages.read() == 0);
}

TEST_CASE("drain: a shared group's members stand where they belong, whoever comes and goes") {
    DrainFixture fixture(draining(1));
    Prng random(7);
    std::map<std::string, TestClient*> members;
    const auto come = [&](const std::string& name) {
        TestClient& member = fixture.kept(name);
        if (random.below(3) != 0) fixture.subscribe(member, "$share/group/news", 1);
        members[name] = &member;
    };
    const auto group_of = [&]() -> const SharedGroup* {
        for (const auto& [name, member] : members) {
            const Session* session = mqtt_of(member->connection).session;
            if (member->closed || session == nullptr || session->subscriptions == nullptr) continue;
            return static_cast<const SharedGroup*>(session->subscriptions->filter);
        }
        return nullptr;
    };
    const auto check = [&] {
        const SharedGroup* group = group_of();
        if (group == nullptr) return;
        uint32_t stays = 0;
        for (const Subscriber& member : group->subscribers) {
            Connection* connection = member.session->connection;
            const bool is_there = connection != nullptr &&
                                  mqtt_of(*connection).state == MqttConnection::State::connected;
            CHECK(is_there == (member.subscription->position < group->connected[0]));
            stays += is_there ? 1 : 0;
        }
        CHECK(group->connected[0] == stays);
        CHECK(group->connected_total == stays);
    };
    for (int number = 0; number < 12; ++number) come(std::to_string(number));
    for (int times = 0; times < 400; ++times) {
        const std::string name = std::to_string(random.below(12));
        TestClient& member = *members[name];
        if (times == 300) fixture.begin_drain();
        switch (random.below(4)) {
        case 0:
            if (!member.closed) fixture.drop(member);
            break;
        case 1:
            if (!member.closed && times < 300) fixture.unsubscribe(member, "$share/group/news");
            break;
        default:
            if (times < 300) come(name);   // takes over, or comes back
            else fixture.advance(Duration::ms(100));
        }
        check();
    }
}

TEST_CASE("drain: a shutdown cuts it short") {
    DrainFixture fixture(draining(1, other_server));
    TestClient& first = fixture.connect("first");
    TestClient& second = fixture.connect("second");
    fixture.subscribe(first, "own", 1);
    fixture.subscribe(second, "own", 1);
    fixture.publish(first, {.topic = "own", .payload = "holds both", .qos = 1});
    fixture.begin_drain();
    CHECK(fixture.closed_count() == 0);
    fixture.broker->begin_turn(fixture.now);
    fixture.broker->begin_shutdown();
    fixture.broker->end_turn(fixture.now);
    fixture.flush();
    CHECK(fixture.closed_count() == 2);
    CHECK(fixture.take_first(first, PacketType::disconnect).disconnect().reason ==
          Reason::use_another_server);
    fixture.advance(Duration::s(60));
    CHECK(fixture.counters.sheds.read() == 0);
}

TEST_CASE("drain: a publisher under back pressure is read from, for its acknowledgements") {
    DrainFixture fixture(draining(1'000));
    TestClient& client = fixture.connect("client");
    fixture.subscribe(client, "own", 1);
    fixture.pressure.set(0, true);
    fixture.publish(client, {.topic = "own", .payload = "one", .qos = 1});
    CHECK(bool{client.connection.receive_paused});
    fixture.pressure.set(0, true);
    fixture.begin_drain();
    CHECK_FALSE(bool{client.connection.receive_paused});
    const ReceivedPacket packet = fixture.take_first(client, PacketType::publish);
    fixture.acknowledge(client, PacketType::puback, packet.publish().packet_id);
    CHECK(client.closed);
}

TEST_CASE("drain: many absent sessions don't hide the few connected clients, nor hold a turn up") {
    DrainFixture fixture(draining(1'000'000));
    for (int number = 0; number < 20'000; ++number) {
        TestClient& absent = fixture.kept("absent" + std::to_string(number));
        fixture.drop(absent);
        fixture.clients.pop_back();
    }
    for (int number = 0; number < 5; ++number) fixture.connect("c" + std::to_string(number));
    fixture.begin_drain();
    for (int times = 0; times < 20 && !fixture.broker->has_shed_all(); ++times) {
        fixture.advance(Duration::ms(1));
    }
    CHECK(fixture.closed_count() == 5);
    CHECK(fixture.broker->has_shed_all());
}
