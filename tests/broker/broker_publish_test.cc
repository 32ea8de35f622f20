// PUBLISH and its acknowledgements, retained messages (MQTT 5.0, 3.3 to 3.7, 4.3).
#include <doctest/doctest.h>

#include <string>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

// A subscriber that has received a QoS 2 message and said nothing yet.
struct Qos2Receiver {
    explicit Qos2Receiver(BrokerFixture& fixture) : client(fixture.connect("client")) {
        TestClient& publisher = fixture.connect("publisher");
        fixture.subscribe(client, "t", 2);
        fixture.publish(publisher, {.topic = "t", .payload = "x", .qos = 2});
        packet_id = fixture.take(client).publish().packet_id;
    }
    TestClient& client;
    uint16_t packet_id = 0;
};

std::vector<uint8_t> short_puback(uint16_t packet_id) {
    return {0x40, 2, static_cast<uint8_t>(packet_id >> 8), static_cast<uint8_t>(packet_id)};
}

}  // namespace

TEST_CASE("publish: QoS 1 is acknowledged, with a word when nobody listens") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    fixture.publish(client, {.topic = "t", .payload = "x", .qos = 1, .packet_id = 9});
    const ReceivedPacket unheard = fixture.take(client);
    CHECK(unheard.type() == PacketType::puback);
    CHECK(unheard.ack().packet_id == 9);
    CHECK(unheard.ack().reason == Reason::no_matching_subscribers);
    fixture.subscribe(fixture.connect("other"), "t");
    fixture.publish(client, {.topic = "t", .payload = "x", .qos = 1, .packet_id = 10});
    CHECK(fixture.take(client).ack().reason == Reason::success);
}

TEST_CASE("publish: a row of PUBACKs in one receive acknowledges each, and what follows is read too") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect({.client_id = "client", .receive_maximum = 3});
    fixture.subscribe(client, "t", 1);
    std::vector<uint8_t> answers;
    for (uint16_t id = 1; id <= 5; ++id) {
        fixture.publish(publisher, {.topic = "t", .payload = "x", .qos = 1, .packet_id = id});
    }
    while (fixture.has_packet(client)) {
        const auto answer = short_puback(fixture.take(client).publish().packet_id);
        answers.insert(answers.end(), answer.begin(), answer.end());
    }
    REQUIRE(answers.size() == 12);                              // the window
    answers.insert(answers.end(), answers.begin(), answers.begin() + 4);  // twice: ignored
    answers.insert(answers.end(), {0xc0, 0, 0x40, 2, 0});       // PINGREQ, and a piece of a PUBACK
    fixture.feed(client, answers);
    uint16_t last = 0;
    for (uint32_t count = 0; count < 2; ++count) last = fixture.take(client).publish().packet_id;
    CHECK(fixture.take(client).type() == PacketType::pingresp);
    CHECK(fixture.objects("session extras") == 1);
    // The piece's rest: its high byte was 0.
    fixture.feed(client, std::vector<uint8_t>{static_cast<uint8_t>(last)});
    fixture.acknowledge(client, PacketType::puback, static_cast<uint16_t>(last - 1));
    CHECK(fixture.objects("session extras") == 0);
}

TEST_CASE("publish: a PUBACK doesn't end a QoS 2 exchange, in a row of them either") {
    BrokerFixture fixture;
    const Qos2Receiver receiver(fixture);
    std::vector<uint8_t> row = short_puback(receiver.packet_id);
    row.insert(row.end(), {row[0], row[1], row[2], row[3]});
    fixture.feed(receiver.client, row);
    fixture.acknowledge(receiver.client, PacketType::pubrec, receiver.packet_id);
    CHECK(fixture.take(receiver.client).ack().reason == Reason::success);
}

TEST_CASE("publish: QoS 2 is delivered once, however often it is sent before its release") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& other = fixture.connect("other");
    fixture.subscribe(other, "t", 0);
    for (uint32_t time = 0; time < 3; ++time) {
        fixture.publish(client, {.topic = "t", .payload = "x", .qos = 2, .packet_id = 9});
        CHECK(fixture.take(client).type() == PacketType::pubrec);
    }
    CHECK(fixture.take_publishes(other) == 1);
    fixture.acknowledge(client, PacketType::pubrel, 9);
    CHECK(fixture.take(client).ack().reason == Reason::success);
    fixture.acknowledge(client, PacketType::pubrel, 9);
    CHECK(fixture.take(client).ack().reason == Reason::packet_identifier_not_found);
    fixture.publish(client, {.topic = "t", .payload = "x", .qos = 2, .packet_id = 9});
    CHECK(fixture.take_publishes(other) == 1);
}

TEST_CASE("publish: the QoS 2 exchange with a receiver ends with PUBCOMP") {
    BrokerFixture fixture;
    const Qos2Receiver receiver(fixture);
    TestClient& client = receiver.client;
    const uint16_t id = receiver.packet_id;
    fixture.acknowledge(client, PacketType::pubcomp, id);   // too early: ignored
    fixture.acknowledge(client, PacketType::puback, id);    // the wrong one: ignored
    fixture.acknowledge(client, PacketType::pubrec, id);
    const ReceivedPacket pubrel = fixture.take(client);
    CHECK(pubrel.type() == PacketType::pubrel);
    CHECK(pubrel.ack().packet_id == id);
    CHECK(fixture.objects("session extras") == 2);          // the publisher's and this one's
    fixture.acknowledge(client, PacketType::pubcomp, id);
    CHECK(fixture.objects("session extras") == 1);
    fixture.acknowledge(client, PacketType::pubrec, id);
    CHECK(fixture.take(client).ack().reason == Reason::packet_identifier_not_found);
}

TEST_CASE("publish: a PUBREC with an error ends the exchange") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect({.client_id = "client", .receive_maximum = 1});
    fixture.subscribe(client, "t", 2);
    for (uint16_t id = 1; id <= 2; ++id) {
        fixture.publish(publisher, {.topic = "t", .payload = "x", .qos = 2, .packet_id = id});
    }
    mqtt::Ack pubrec{.packet_id = fixture.take(client).publish().packet_id,
                     .reason = Reason::quota_exceeded};
    fixture.send(client, PacketType::pubrec, pubrec);
    CHECK(fixture.take(client).type() == PacketType::publish);
}

TEST_CASE("publish: a topic that nobody may publish on is refused, and the connection stays") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& old = fixture.connect("old", mqtt::Version::v3_1_1);
    fixture.publish(client, {.topic = "$SYS/x", .payload = "x", .qos = 1});
    CHECK(fixture.take(client).ack().reason == Reason::not_authorized);
    fixture.publish(client, {.topic = "$SYS/x", .payload = "x", .qos = 2});
    CHECK(fixture.take(client).ack().reason == Reason::not_authorized);
    fixture.publish(old, {.topic = "$SYS/x", .payload = "x", .qos = 1});
    CHECK(fixture.take(old).type() == PacketType::puback);
    CHECK(fixture.counters.publishes_denied.read() == 3);
    CHECK(!client.closed);
    CHECK(!old.closed);
}

TEST_CASE("publish: an alias stands for its topic until it is given another") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& other = fixture.connect("other");
    fixture.subscribe(other, "#");
    mqtt::Publish packet{.topic = "first/topic"};
    packet.properties.topic_alias = 32;
    fixture.publish(client, packet);
    packet.topic = {};
    fixture.publish(client, packet);
    packet.topic = "second/topic";
    fixture.publish(client, packet);
    packet.topic = {};
    fixture.publish(client, packet);
    for (const std::string_view topic :
         {"first/topic", "first/topic", "second/topic", "second/topic"}) {
        const ReceivedPacket got = fixture.take(other);
        CHECK(got.publish().topic == topic);
        CHECK(got.publish().properties.topic_alias == 0);
    }
}

TEST_CASE("publish: properties pass through, and the expiry interval has become shorter") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& other = fixture.connect({.client_id = "other", .session_expiry_s = 1'000});
    fixture.subscribe(other, "t", 1);
    fixture.drop(other);
    mqtt::Publish packet{.topic = "t", .payload = as_bytes("x"), .packet_id = 1,
                         .qos = mqtt::Qos::at_least_once};
    const uint8_t user[] = {0x26, 0, 1, 'k', 0, 1, 'v'};
    packet.properties.message_expiry_s = 60;
    packet.properties.response_topic = "answer";
    packet.properties.correlation_data = as_bytes("42");
    packet.properties.user = {user};
    fixture.publish(client, packet);
    packet.properties.message_expiry_s = 10;
    fixture.publish(client, packet);
    fixture.advance(Duration::s(20));
    TestClient& back =
        fixture.connect({.clean_start = false, .client_id = "other", .session_expiry_s = 1'000});
    const ReceivedPacket got = fixture.take(back);
    CHECK(got.publish().properties.message_expiry_s == 40);
    CHECK(got.publish().properties.response_topic == "answer");
    CHECK(as_text(*got.publish().properties.correlation_data) == "42");
    uint32_t pairs = 0;
    got.publish().properties.user.for_each([&](std::string_view name, std::string_view value) {
        CHECK(name == "k");
        CHECK(value == "v");
        ++pairs;
    });
    CHECK(pairs == 1);
    CHECK(!fixture.has_packet(back));
    CHECK(fixture.counters.dropped_expired.read() == 1);
}

TEST_CASE("retained: a new subscription gets the messages with their flag, as its options say") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    fixture.publish(client, {.topic = "a/b", .payload = "kept", .qos = 1, .retain = true});
    TestClient& other = fixture.connect("other");
    fixture.subscribe(other, "a/#", 2, 5);
    const ReceivedPacket got = fixture.take(other);
    CHECK(got.publish().retain);
    CHECK(got.publish().qos == mqtt::Qos::at_least_once);
    CHECK(payload_of(got) == "kept");
    fixture.subscribe(other, "a/#", 0, 0, {.retain_handling = mqtt::RetainHandling::send_if_new});
    CHECK(!fixture.has_packet(other));
    fixture.subscribe(other, "a/b", 0, 0, {.retain_handling = mqtt::RetainHandling::send_if_new});
    CHECK(fixture.take_publishes(other) == 1);
    fixture.subscribe(other, "a/b", 0, 0, {.retain_handling = mqtt::RetainHandling::do_not_send});
    CHECK(!fixture.has_packet(other));
    fixture.subscribe(other, "a/b");
    CHECK(fixture.take_publishes(other) == 1);
    fixture.subscribe(other, "$share/g/a/b");
    CHECK(!fixture.has_packet(other));
}

TEST_CASE("retained: the flag reaches live subscribers only when they asked for it as published") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& plain = fixture.connect("plain");
    TestClient& asking = fixture.connect("asking");
    fixture.subscribe(plain, "t");
    fixture.subscribe(asking, "t", 0, 0, {.retain_as_published = true});
    fixture.publish(client, {.topic = "t", .payload = "x", .retain = true});
    CHECK(!fixture.take(plain).publish().retain);
    CHECK(fixture.take(asking).publish().retain);
}

TEST_CASE("retained: an empty message clears the topic, and is delivered as any other") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    fixture.publish(client, {.topic = "t", .payload = "x", .retain = true});
    fixture.publish(client, {.topic = "t", .payload = "", .retain = true});
    TestClient& other = fixture.connect("other");
    fixture.subscribe(other, "t");
    CHECK(!fixture.has_packet(other));
    fixture.publish(client, {.topic = "t", .payload = "", .retain = true});
    CHECK(payload_of(fixture.take(other)).empty());
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("retained: what no longer fits is published all the same, and counted") {
    Config config;
    config.queues.retained_messages_max = 1;
    BrokerFixture fixture(config);
    TestClient& client = fixture.connect("client");
    TestClient& other = fixture.connect("other");
    fixture.subscribe(other, "#");
    fixture.publish(client, {.topic = "a", .payload = "x", .retain = true});
    fixture.publish(client, {.topic = "b", .payload = "x", .retain = true});
    CHECK(fixture.take_publishes(other) == 2);
    CHECK(fixture.counters.retained_messages.read() == 1);
    CHECK(fixture.counters.dropped_exhausted.read() == 1);
}
