// The configuration changes under a broker that runs: what was promised holds, all else follows.
#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

struct ReloadFixture : BrokerFixture {
    explicit ReloadFixture(const Config& given = {}) : BrokerFixture(given) {}
    // The fixture below ends its clients when `versions` has gone.
    ~ReloadFixture() { static_cast<void>(broker->adopt(live)); }

    template <class Change>
    void change(Change&& make) {
        LiveConfig& next = versions.emplace_back(live_now());
        make(next);
        REQUIRE(broker->adopt(next));
    }
    const LiveConfig& live_now() const { return versions.empty() ? live : versions.back(); }

    bool is_served(TestClient& client) {
        feed(client, mqtt::pingreq);
        return !client.closed && has_packet(client) && take(client).type() == PacketType::pingresp;
    }
    TestClient& connect_with(std::string_view client_id, uint32_t expiry_s, uint16_t keep_alive_s) {
        mqtt::Connect packet;
        packet.client_id = client_id;
        packet.session_expiry_s = expiry_s;
        packet.keep_alive_s = keep_alive_s;
        TestClient& client = open();
        send(client, PacketType::connect, packet);
        return client;
    }

    std::list<LiveConfig> versions;  // the broker refers to the last one
};

Reason closed_with(BrokerFixture& fixture, TestClient& client) {
    while (true) {
        const ReceivedPacket packet = fixture.take(client);
        if (packet.type() == PacketType::disconnect) return packet.disconnect().reason;
    }
}

}  // namespace

TEST_CASE("reload: a connection keeps the longest packet that it was promised") {
    ReloadFixture fixture;
    TestClient& before = fixture.connect("before");
    fixture.change([](LiveConfig& live) { live.mqtt.maximum_packet_bytes = 200; });
    TestClient& after = fixture.open();
    mqtt::Connect packet;
    packet.client_id = "after";
    fixture.send(after, PacketType::connect, packet);
    CHECK(fixture.take(after).connack().maximum_packet_bytes == 200);

    const std::string payload(500, 'x');
    fixture.publish(before, {.topic = "a", .payload = payload});
    CHECK(fixture.is_served(before));
    fixture.publish(after, {.topic = "a", .payload = payload});
    CHECK(closed_with(fixture, after) == Reason::packet_too_large);

    // A longer one is for newcomers alone, too.
    fixture.change([](LiveConfig& live) { live.mqtt.maximum_packet_bytes = 4'000'000; });
    fixture.publish(before, {.topic = "a", .payload = std::string(1'500'000, 'x')});
    CHECK(closed_with(fixture, before) == Reason::packet_too_large);
}

TEST_CASE("reload: quality of service and retain as promised") {
    ReloadFixture fixture;
    TestClient& before = fixture.connect("before");
    fixture.change([](LiveConfig& live) {
        live.mqtt.maximum_qos = 0;
        live.mqtt.retain_available = false;
    });
    TestClient& after = fixture.connect("after");
    fixture.publish(before, {.topic = "a", .payload = "x", .qos = 1, .retain = true});
    CHECK(fixture.take(before).type() == PacketType::puback);
    fixture.publish(after, {.topic = "a", .payload = "x", .qos = 1});
    CHECK(closed_with(fixture, after) == Reason::qos_not_supported);
    TestClient& third = fixture.connect("third");
    fixture.publish(third, {.topic = "a", .payload = "x", .retain = true});
    CHECK(closed_with(fixture, third) == Reason::retain_not_supported);
}

TEST_CASE("reload: what subscriptions may be, as promised") {
    ReloadFixture fixture;
    TestClient& before = fixture.connect("before");
    fixture.change([](LiveConfig& live) {
        live.mqtt.wildcard_subscription_available = false;
        live.mqtt.shared_subscription_available = false;
        live.mqtt.subscription_identifiers_available = false;
        live.mqtt.maximum_qos = 1;
    });
    TestClient& after = fixture.connect("after");
    CHECK(fixture.subscribe(before, "a/#", 2, 7).reasons() ==
          std::vector<Reason>{Reason::granted_qos_2});
    CHECK(fixture.subscribe(before, "$share/g/a", 2).reasons() ==
          std::vector<Reason>{Reason::granted_qos_2});
    CHECK(fixture.subscribe(after, "b", 2).reasons() ==
          std::vector<Reason>{Reason::granted_qos_1});
    CHECK(fixture.subscribe(after, "a/#", 0).reasons() ==
          std::vector<Reason>{Reason::wildcard_subscriptions_not_supported});
    CHECK(fixture.subscribe(after, "$share/g/a", 0).reasons() ==
          std::vector<Reason>{Reason::shared_subscriptions_not_supported});
}

TEST_CASE("reload: topic aliases and the receive maximum as promised") {
    ReloadFixture fixture;
    TestClient& before = fixture.connect("before");
    fixture.change([](LiveConfig& live) {
        live.mqtt.topic_alias_maximum = 2;
        live.mqtt.receive_maximum = 1;
    });
    mqtt::Publish packet;
    packet.topic = "a";
    packet.properties.topic_alias = 32;
    fixture.publish(before, packet);
    CHECK(fixture.is_served(before));
    for (uint16_t id = 1; id <= 5; ++id) {
        fixture.publish(before, {.topic = "a", .payload = "x", .qos = 2, .packet_id = id});
        CHECK(fixture.take(before).type() == PacketType::pubrec);
    }
    TestClient& after = fixture.connect("after");
    fixture.publish(after, packet);
    CHECK(closed_with(fixture, after) == Reason::topic_alias_invalid);
    TestClient& third = fixture.connect("third");
    fixture.publish(third, {.topic = "a", .payload = "x", .qos = 2, .packet_id = 1});
    fixture.publish(third, {.topic = "a", .payload = "x", .qos = 2, .packet_id = 2});
    CHECK(closed_with(fixture, third) == Reason::receive_maximum_exceeded);
    // More than the table of aliases that it has was made for.
    fixture.change([](LiveConfig& live) { live.mqtt.topic_alias_maximum = 1'000; });
    packet.properties.topic_alias = 33;
    fixture.publish(before, packet);
    CHECK(closed_with(fixture, before) == Reason::topic_alias_invalid);
}

TEST_CASE("reload: keep alive and session expiry as promised") {
    ReloadFixture fixture;
    TestClient& before = fixture.connect_with("before", 5'000, 100);
    CHECK_FALSE(fixture.take(before).connack().session_expiry_s.has_value());
    fixture.change([](LiveConfig& live) {
        live.mqtt.keep_alive_max_s = 10;
        live.mqtt.session_expiry_max_s = 20;
    });
    TestClient& after = fixture.connect_with("after", 5'000, 100);
    const mqtt::Connack connack = fixture.take(after).connack();
    CHECK(connack.server_keep_alive_s == 10);
    CHECK(connack.session_expiry_s == 20);
    fixture.advance(Duration::s(16));
    CHECK(closed_with(fixture, after) == Reason::keep_alive_timeout);
    CHECK(fixture.is_served(before));
    // The new session has gone after 20 seconds; the old one asks for another time within its own.
    mqtt::Disconnect packet;
    packet.session_expiry_s = 4'000;
    fixture.send(before, PacketType::disconnect, packet);
    fixture.advance(Duration::s(21));
    CHECK(fixture.counters.sessions.read() == 1);
    fixture.advance(Duration::s(4'000));
    CHECK(fixture.counters.sessions.read() == 0);
}

TEST_CASE("reload: denied filters hold for everybody at once, wills included") {
    ReloadFixture fixture;
    TestClient& reader = fixture.connect("reader");
    fixture.subscribe(reader, "secret/x");
    mqtt::Connect with_will;
    with_will.client_id = "leaving";
    with_will.will.emplace();
    with_will.will->topic = "secret/x";
    with_will.will->payload = as_bytes("gone");
    TestClient& leaving = fixture.connect(with_will);
    fixture.change([](LiveConfig& live) { live.mqtt.denied_filters = {"secret/#"}; });
    TestClient& writer = fixture.connect("writer");
    fixture.publish(reader, {.topic = "secret/x", .payload = "1", .qos = 1});
    CHECK(fixture.take(reader).ack().reason == Reason::not_authorized);
    CHECK(fixture.subscribe(reader, "secret/y").reasons() ==
          std::vector<Reason>{Reason::not_authorized});
    fixture.drop(leaving);
    CHECK(fixture.counters.publishes_denied.read() == 2);
    CHECK_FALSE(fixture.has_packet(reader));

    fixture.change([](LiveConfig& live) { live.mqtt.denied_filters.clear(); });
    fixture.publish(writer, {.topic = "secret/x", .payload = "2"});
    CHECK(payload_of(fixture.take(reader)) == "2");  // the subscription has stayed
}

TEST_CASE("reload: bounds of queues hold from the next message on") {
    ReloadFixture fixture;
    TestClient& reader = fixture.connect("reader");
    TestClient& writer = fixture.connect("writer");
    fixture.subscribe(reader, "a", 1);
    const auto publish = [&](uint32_t count) {
        for (uint32_t sent = 0; sent < count; ++sent) {
            fixture.publish(writer, {.topic = "a", .payload = "0123456789"});
            fixture.publish(writer, {.topic = "b", .payload = "0123456789", .qos = 1});
        }
    };
    fixture.change([](LiveConfig& live) { live.queues.inflight_max = 2; });
    for (uint16_t id = 1; id <= 5; ++id) {
        fixture.publish(writer, {.topic = "a", .payload = "x", .qos = 1, .packet_id = id});
    }
    const uint16_t first_id = fixture.take(reader).publish().packet_id;
    CHECK(fixture.take_publishes(reader) == 1);
    CHECK(fixture.counters.waiting_messages.read() == 3);
    fixture.change([](LiveConfig& live) { live.queues.session_messages_max = 4; });
    for (uint16_t id = 6; id <= 8; ++id) {
        fixture.publish(writer, {.topic = "a", .payload = "x", .qos = 1, .packet_id = id});
    }
    CHECK(fixture.counters.dropped_queue_full.read() == 2);
    fixture.change([](LiveConfig& live) {
        live.queues.session_messages_max = 1'000;
        live.queues.session_bytes_max = 1;
    });
    fixture.publish(writer, {.topic = "a", .payload = "x", .qos = 1, .packet_id = 9});
    CHECK(fixture.counters.dropped_queue_full.read() == 3);
    fixture.change([](LiveConfig& live) { live.queues.inflight_max = 100; });
    fixture.acknowledge(reader, PacketType::puback, first_id);  // room is looked for with the next one
    CHECK(fixture.take_publishes(reader) == 4);

    fixture.change([](LiveConfig& live) { live.queues.send_bytes_max = 30; });
    reader.stalled = true;
    publish(10);
    CHECK(fixture.counters.dropped_slow_receiver.read() > 0);
    const uint64_t dropped = fixture.counters.dropped_slow_receiver.read();
    fixture.change([](LiveConfig& live) { live.queues.send_bytes_max = 1'000'000; });
    publish(10);
    CHECK(fixture.counters.dropped_slow_receiver.read() == dropped);
    fixture.unstall(reader);
}

TEST_CASE("reload: bounds of retained messages and subscriptions hold from the next one on") {
    ReloadFixture fixture;
    TestClient& client = fixture.connect("client");
    const auto retain = [&](std::string_view topic) {
        fixture.publish(client, {.topic = topic, .payload = "0123456789", .retain = true});
        return fixture.counters.retained_messages.read();
    };
    CHECK(retain("a") == 1);
    CHECK(retain("b") == 2);
    fixture.change([](LiveConfig& live) { live.queues.retained_messages_max = 1; });
    CHECK(retain("c") == 2);  // those that are there stay
    fixture.change([](LiveConfig& live) { live.queues.retained_messages_max = 100; });
    CHECK(retain("c") == 3);
    fixture.change([](LiveConfig& live) { live.queues.retained_bytes_max = 1; });
    CHECK(retain("d") == 3);

    fixture.subscribe(client, "one");
    fixture.subscribe(client, "two");
    fixture.change([](LiveConfig& live) { live.queues.subscriptions_per_session_max = 1; });
    CHECK(fixture.subscribe(client, "three").reasons() ==
          std::vector<Reason>{Reason::quota_exceeded});
    CHECK(fixture.subscribe(client, "two").reasons() ==
          std::vector<Reason>{Reason::success});
}

TEST_CASE("reload: the time to CONNECT is that of the accept") {
    ReloadFixture fixture;
    TestClient& before = fixture.open();
    fixture.change([](LiveConfig& live) { live.timeouts.connect = std::chrono::seconds(2); });
    TestClient& after = fixture.open();
    fixture.advance(Duration::s(3));
    CHECK(after.closed);
    CHECK_FALSE(before.closed);
    fixture.advance(Duration::s(8));
    CHECK(before.closed);
}

TEST_CASE("reload: a longer time for output to move holds for those that have stalled already") {
    ReloadFixture fixture;
    TestClient& reader = fixture.connect("reader");
    TestClient& writer = fixture.connect("writer");
    fixture.subscribe(reader, "a");
    reader.stalled = true;
    fixture.publish(writer, {.topic = "a", .payload = "x"});
    fixture.change([](LiveConfig& live) { live.timeouts.send_stall = std::chrono::seconds(100); });
    fixture.advance(Duration::s(31));
    CHECK_FALSE(reader.closed);
    fixture.change([](LiveConfig& live) { live.timeouts.send_stall = std::chrono::seconds(50); });
    fixture.advance(Duration::s(101));  // looked at when the former time is over, at the latest
    CHECK(reader.closed);
}

TEST_CASE("reload: too many different promises at once are said, and nothing breaks") {
    ReloadFixture fixture;
    bool are_all_taken = true;
    for (uint16_t value = 1; value <= TermsTable::count_max + 3; ++value) {
        LiveConfig& next = fixture.versions.emplace_back(fixture.live);
        next.mqtt.receive_maximum = value;
        are_all_taken = fixture.broker->adopt(next);
        TestClient& client = fixture.connect("c" + std::to_string(value));
        CHECK(fixture.is_served(client));
    }
    CHECK_FALSE(are_all_taken);
    fixture.drop(fixture.clients.front());
    mqtt::Connect packet;
    packet.client_id = "last";
    TestClient& last = fixture.open();
    fixture.send(last, PacketType::connect, packet);
    CHECK(fixture.take(last).connack().receive_maximum == TermsTable::count_max + 3);
}
