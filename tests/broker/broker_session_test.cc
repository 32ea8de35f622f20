// SUBSCRIBE, UNSUBSCRIBE, sessions that outlive connections, wills (MQTT 5.0, 3.8 to 3.11, 4.1).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

mqtt::Connect kept(std::string_view client_id, uint32_t expiry_s = 100) {
    return {.clean_start = false, .client_id = client_id, .session_expiry_s = expiry_s};
}

mqtt::Connect with_will(std::string_view client_id, uint32_t delay_s, uint32_t expiry_s) {
    mqtt::Connect packet = kept(client_id, expiry_s);
    packet.will = mqtt::Will{.topic = "wills/gone", .payload = as_bytes("gone"),
                             .qos = mqtt::Qos::at_least_once};
    packet.will->properties.delay_interval_s = delay_s;
    return packet;
}

using Reasons = std::vector<Reason>;

}  // namespace

TEST_CASE("subscribe: every filter of a packet has its own answer, in order") {
    Config config;
    config.mqtt.maximum_qos = 1;
    config.mqtt.denied_filters = {"secret/#"};
    BrokerFixture fixture(config);
    const mqtt::SubscribeEntry entries[] = {
        {"a/b", {.qos = mqtt::Qos::at_most_once}},
        {"a/+", {.qos = mqtt::Qos::exactly_once}},
        {"a/#/b", {}},
        {"secret/x", {}},
        {"$share//a", {}},
        {"$share/g/a", {.qos = mqtt::Qos::at_least_once}},
    };
    mqtt::Subscribe packet;
    packet.packet_id = 3;
    packet.entries = entries;
    TestClient& young = fixture.connect("young");
    fixture.send(young, PacketType::subscribe, packet);
    CHECK(fixture.take(young).reasons() ==
          Reasons{Reason::success, Reason::granted_qos_1, Reason::topic_filter_invalid,
                  Reason::not_authorized, Reason::topic_filter_invalid, Reason::granted_qos_1});
    TestClient& old = fixture.connect("old", mqtt::Version::v3_1_1);
    fixture.send(old, PacketType::subscribe, packet);
    CHECK(fixture.take(old).reasons() ==
          Reasons{Reason::success, Reason::granted_qos_1, Reason::unspecified_error,
                  Reason::unspecified_error, Reason::unspecified_error, Reason::granted_qos_1});
}

TEST_CASE("subscribe: what the server doesn't offer is refused") {
    Config config;
    config.mqtt.wildcard_subscription_available = false;
    config.mqtt.shared_subscription_available = false;
    config.queues.subscriptions_per_session_max = 2;
    BrokerFixture fixture(config);
    TestClient& client = fixture.connect("client");
    CHECK(fixture.subscribe(client, "a/+").reasons() ==
          Reasons{Reason::wildcard_subscriptions_not_supported});
    CHECK(fixture.subscribe(client, "$share/g/a").reasons() ==
          Reasons{Reason::shared_subscriptions_not_supported});
    fixture.subscribe(client, "a");
    fixture.subscribe(client, "b");
    CHECK(fixture.subscribe(client, "c").reasons() == Reasons{Reason::quota_exceeded});
    CHECK(fixture.subscribe(client, "b", 1).reasons() == Reasons{Reason::granted_qos_1});
}

TEST_CASE("subscribe: a filter deeper than the index goes is refused") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    std::string deep = "+";
    for (uint32_t level = 0; level < 1'000; ++level) deep += "/+";
    CHECK(fixture.subscribe(client, deep).reasons() == Reasons{Reason::topic_filter_invalid});
    CHECK(fixture.unsubscribe(client, deep).reasons() == Reasons{Reason::no_subscription_existed});
    fixture.subscribe(client, "#");
    std::string topic(60'000, '/');
    fixture.publish(client, {.topic = topic, .payload = "x", .retain = true});
    CHECK(fixture.take_publishes(client) == 1);
}

TEST_CASE("unsubscribe: nothing more comes, and a second time there was nothing") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    for (const std::string_view filter : {"t", "+", "$share/g/t"}) {
        CAPTURE(filter);
        fixture.subscribe(client, filter);
        CHECK(fixture.unsubscribe(client, filter).reasons() == Reasons{Reason::success});
        fixture.publish(client, {.topic = "t", .payload = "x"});
        CHECK(!fixture.has_packet(client));
        CHECK(fixture.unsubscribe(client, filter).reasons() ==
              Reasons{Reason::no_subscription_existed});
    }
    CHECK(fixture.unsubscribe(client, "a/#/b").reasons() == Reasons{Reason::topic_filter_invalid});
    CHECK(fixture.objects("subscriptions") == 0);
    CHECK(fixture.objects("filters") == 0);
}

TEST_CASE("session: what came while the client was away is delivered in order when it is back") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect(kept("c"));
    fixture.subscribe(client, "t", 1);
    fixture.drop(client);
    fixture.publish(publisher, {.topic = "t", .payload = "lost", .qos = 0});
    for (uint16_t id = 1; id <= 3; ++id) {
        fixture.publish(publisher,
                        {.topic = "t", .payload = std::to_string(id), .qos = 1, .packet_id = id});
    }
    TestClient& back = fixture.connect(kept("c"));
    for (uint32_t id = 1; id <= 3; ++id) {
        const ReceivedPacket packet = fixture.take(back);
        CHECK(payload_of(packet) == std::to_string(id));
        CHECK(!packet.publish().duplicate);
    }
    CHECK(!fixture.has_packet(back));
}

TEST_CASE("session: what was not acknowledged is sent again, marked, with its identifier") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect(kept("c"));
    fixture.subscribe(client, "t", 2, 8);
    for (uint16_t id = 1; id <= 3; ++id) {
        fixture.publish(publisher, {.topic = "t", .payload = std::to_string(id),
                                    .qos = static_cast<uint8_t>(id == 2 ? 1 : 2), .packet_id = id});
    }
    const uint16_t first = fixture.take(client).publish().packet_id;
    const uint16_t second = fixture.take(client).publish().packet_id;
    const uint16_t third = fixture.take(client).publish().packet_id;
    fixture.acknowledge(client, PacketType::pubrec, third);
    fixture.drop(client);
    TestClient& back = fixture.connect(kept("c"));
    const ReceivedPacket again_first = fixture.take(back);
    CHECK(again_first.publish().packet_id == first);
    CHECK(again_first.publish().duplicate);
    CHECK(again_first.publish().qos == mqtt::Qos::exactly_once);
    const ReceivedPacket again_second = fixture.take(back);
    CHECK(again_second.publish().packet_id == second);
    CHECK(again_second.publish().qos == mqtt::Qos::at_least_once);
    const ReceivedPacket pubrel = fixture.take(back);
    CHECK(pubrel.type() == PacketType::pubrel);
    CHECK(pubrel.ack().packet_id == third);
    fixture.acknowledge(back, PacketType::pubrec, first);
    fixture.acknowledge(back, PacketType::pubcomp, first);
    fixture.acknowledge(back, PacketType::puback, second);
    fixture.acknowledge(back, PacketType::pubcomp, third);
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("session: ends when its time is over, and takes everything along") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect(kept("c", 10));
    fixture.subscribe(client, "t", 1);
    fixture.subscribe(client, "a/+", 1);
    fixture.drop(client);
    fixture.publish(publisher, {.topic = "t", .payload = "x", .qos = 1});
    fixture.advance(Duration::ms(9'900));
    CHECK(fixture.counters.sessions.read() == 2);
    fixture.advance(Duration::ms(200));
    CHECK(fixture.counters.sessions.read() == 1);
    CHECK(fixture.counters.subscriptions.read() == 0);
    CHECK(fixture.counters.waiting_messages.read() == 0);
    CHECK(fixture.objects("stored messages") == 0);
    CHECK(fixture.objects("session extras") == 0);
}

TEST_CASE("session: a DISCONNECT may change how long it stays, but not make it stay at all") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect(kept("c", 10));
    fixture.send(client, PacketType::disconnect, mqtt::Disconnect{.session_expiry_s = 0});
    CHECK(client.closed);
    CHECK(fixture.counters.sessions.read() == 0);
    TestClient& brief = fixture.connect(kept("c", 0));
    fixture.send(brief, PacketType::disconnect, mqtt::Disconnect{.session_expiry_s = 5});
    CHECK(fixture.take(brief).disconnect().reason == Reason::protocol_error);
    CHECK(fixture.counters.sessions.read() == 0);
}

TEST_CASE("will: published when the connection breaks, not when the client says goodbye") {
    BrokerFixture fixture;
    TestClient& watcher = fixture.connect("watcher");
    fixture.subscribe(watcher, "wills/#");
    TestClient& polite = fixture.connect(with_will("polite", 0, 0));
    fixture.send(polite, PacketType::disconnect, mqtt::Disconnect{});
    CHECK(!fixture.has_packet(watcher));
    fixture.drop(fixture.connect(with_will("broken", 0, 0)));
    CHECK(payload_of(fixture.take(watcher)) == "gone");
    TestClient& wordy = fixture.connect(with_will("wordy", 0, 0));
    fixture.send(wordy, PacketType::disconnect,
                 mqtt::Disconnect{.reason = Reason::disconnect_with_will});
    CHECK(fixture.take_publishes(watcher) == 1);
    CHECK(fixture.objects("wills") == 0);
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("will: waits for its delay, and not at all when the client is back in time") {
    BrokerFixture fixture;
    TestClient& watcher = fixture.connect("watcher");
    fixture.subscribe(watcher, "wills/#");
    fixture.drop(fixture.connect(with_will("c", 10, 100)));
    fixture.advance(Duration::s(9));
    TestClient& back = fixture.connect(kept("c"));
    fixture.advance(Duration::s(20));
    CHECK(!fixture.has_packet(watcher));
    fixture.drop(back);
    fixture.drop(fixture.connect(with_will("c", 10, 100)));
    fixture.advance(Duration::ms(9'900));
    CHECK(!fixture.has_packet(watcher));
    fixture.advance(Duration::ms(200));
    CHECK(fixture.take_publishes(watcher) == 1);
    CHECK(fixture.counters.sessions.read() == 2);
}

TEST_CASE("will: a session that ends before the delay is over publishes it then") {
    BrokerFixture fixture;
    TestClient& watcher = fixture.connect("watcher");
    fixture.subscribe(watcher, "wills/#");
    fixture.drop(fixture.connect(with_will("c", 50, 10)));
    fixture.advance(Duration::ms(10'100));
    CHECK(fixture.take_publishes(watcher) == 1);
    CHECK(fixture.counters.sessions.read() == 1);
    // A clean start ends the session as well (3.1.3.2.2).
    fixture.drop(fixture.connect(with_will("d", 50, 100)));
    fixture.connect("d");
    CHECK(fixture.take_publishes(watcher) == 1);
}

TEST_CASE("will: a takeover publishes it when it has no delay") {
    BrokerFixture fixture;
    TestClient& watcher = fixture.connect("watcher");
    fixture.subscribe(watcher, "wills/#");
    fixture.connect(with_will("c", 0, 100));
    fixture.connect(kept("c"));
    CHECK(fixture.take_publishes(watcher) == 1);
}
