// CONNECT, CONNACK, takeover, and the times of a connection (MQTT 5.0, 3.1, 3.2, 4.1).
#include <doctest/doctest.h>

#include <string>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::Reason;

namespace {

// The CONNACK that a CONNECT gets.
ReceivedPacket connack_for(BrokerFixture& fixture, const mqtt::Connect& packet) {
    TestClient& client = fixture.open(packet.version);
    fixture.send(client, mqtt::PacketType::connect, packet);
    return fixture.take(client);
}

}  // namespace

TEST_CASE("connect: the CONNACK says what the server grants") {
    Config config;
    config.mqtt.receive_maximum = 77;
    config.mqtt.maximum_qos = 1;
    config.mqtt.retain_available = false;
    config.mqtt.keep_alive_max_s = 60;
    config.mqtt.session_expiry_max_s = 100;
    BrokerFixture fixture(config);
    const ReceivedPacket packet = connack_for(
        fixture, {.keep_alive_s = 90, .client_id = "c", .session_expiry_s = 1'000});
    const mqtt::Connack connack = packet.connack();
    CHECK(connack.reason == Reason::success);
    CHECK(!connack.session_present);
    CHECK(connack.receive_maximum == 77);
    CHECK(connack.maximum_qos == mqtt::Qos::at_least_once);
    CHECK(connack.retain_available == false);
    CHECK(connack.server_keep_alive_s == 60);
    CHECK(connack.session_expiry_s == 100);
    CHECK(connack.maximum_packet_bytes == config.mqtt.maximum_packet_bytes);
    CHECK(!connack.assigned_client_id);
}

TEST_CASE("connect: without a client id each client is assigned one of its own") {
    BrokerFixture fixture;
    const ReceivedPacket one = connack_for(fixture, {});
    const ReceivedPacket two = connack_for(fixture, {});
    REQUIRE(one.connack().assigned_client_id.has_value());
    REQUIRE(two.connack().assigned_client_id.has_value());
    CHECK(*one.connack().assigned_client_id != *two.connack().assigned_client_id);
}

TEST_CASE("connect: bytes that arrive one by one, and all at once, are the same packets") {
    BrokerFixture fixture;
    mqtt::Connect connect;
    connect.client_id = "slow typist";
    std::vector<uint8_t> bytes =
        mqtt::encode_packet({mqtt::Version::v5, mqtt::PacketType::connect, 0}, connect);
    bytes.insert(bytes.end(), std::begin(mqtt::pingreq), std::end(mqtt::pingreq));
    bytes.insert(bytes.end(), std::begin(mqtt::pingreq), std::end(mqtt::pingreq));
    TestClient& drip = fixture.open();
    for (const uint8_t& byte : bytes) fixture.feed(drip, {&byte, 1});
    connect.client_id = "fast typist";
    bytes = mqtt::encode_packet({mqtt::Version::v5, mqtt::PacketType::connect, 0}, connect);
    bytes.insert(bytes.end(), std::begin(mqtt::pingreq), std::end(mqtt::pingreq));
    bytes.insert(bytes.end(), std::begin(mqtt::pingreq), std::end(mqtt::pingreq));
    TestClient& flood = fixture.open();
    fixture.feed(flood, bytes);
    for (TestClient* client : {&drip, &flood}) {
        CHECK(fixture.take(*client).type() == mqtt::PacketType::connack);
        CHECK(fixture.take(*client).type() == mqtt::PacketType::pingresp);
        CHECK(fixture.take(*client).type() == mqtt::PacketType::pingresp);
    }
}

TEST_CASE("connect: a second client of the same id takes the session over") {
    BrokerFixture fixture;
    TestClient& first = fixture.connect({.client_id = "same", .session_expiry_s = 100});
    fixture.subscribe(first, "t", 1);
    TestClient& second = fixture.open();
    fixture.send(second, mqtt::PacketType::connect,
                 mqtt::Connect{.clean_start = false, .client_id = "same"});
    CHECK(fixture.take(first).disconnect().reason == Reason::session_taken_over);
    CHECK(first.closed);
    CHECK(fixture.take(second).connack().session_present);
    CHECK(fixture.counters.takeovers.read() == 1);
    CHECK(fixture.counters.connections.read() == 1);
    fixture.publish(second, {.topic = "t", .payload = "x", .qos = 1});
    CHECK(fixture.take_publishes(second) == 1);
}

TEST_CASE("connect: a clean start forgets the session") {
    BrokerFixture fixture;
    TestClient& first = fixture.connect({.client_id = "c", .session_expiry_s = 100});
    fixture.subscribe(first, "t", 1);
    fixture.drop(first);
    CHECK(fixture.counters.sessions.read() == 1);
    CHECK(!connack_for(fixture, {.clean_start = true, .client_id = "c"}).connack().session_present);
    CHECK(fixture.counters.subscriptions.read() == 0);
}

TEST_CASE("connect: in 3.1.1 the session stays exactly when it isn't clean") {
    BrokerFixture fixture;
    mqtt::Connect connect{.version = mqtt::Version::v3_1_1, .clean_start = false,
                          .client_id = "c"};
    fixture.drop(fixture.connect(connect));
    CHECK(connack_for(fixture, connect).connack().session_present);
    connect.clean_start = true;
    CHECK(!connack_for(fixture, connect).connack().session_present);
    connect.clean_start = false;
    CHECK(!connack_for(fixture, connect).connack().session_present);
}

TEST_CASE("connect: what the server can't grant is refused with its reason") {
    Config config;
    config.mqtt.maximum_qos = 1;
    config.mqtt.retain_available = false;
    config.mqtt.denied_filters = {"secret/#"};
    BrokerFixture fixture(config);
    mqtt::Connect connect{.client_id = "c"};
    connect.authentication_method = "magic";
    CHECK(connack_for(fixture, connect).connack().reason == Reason::bad_authentication_method);
    connect.authentication_method.reset();
    connect.will = mqtt::Will{.topic = "w", .qos = mqtt::Qos::exactly_once};
    CHECK(connack_for(fixture, connect).connack().reason == Reason::qos_not_supported);
    connect.will = mqtt::Will{.topic = "w", .retain = true};
    CHECK(connack_for(fixture, connect).connack().reason == Reason::retain_not_supported);
    connect.will = mqtt::Will{.topic = "secret/x"};
    CHECK(connack_for(fixture, connect).connack().reason == Reason::not_authorized);
    CHECK(fixture.counters.connects_refused.read() == 4);
    CHECK(fixture.counters.sessions.read() == 0);
    for (const TestClient& client : fixture.clients) CHECK(client.closed);
}

TEST_CASE("connect: who doesn't send CONNECT in time is closed") {
    BrokerFixture fixture;
    TestClient& client = fixture.open();
    TestClient& other = fixture.connect("other");
    const uint8_t part[] = {0x10, 0x20};
    fixture.feed(client, part);
    fixture.advance(Duration::ms(9'999));
    CHECK(!client.closed);
    fixture.advance(Duration::ms(2));
    CHECK(client.closed);
    CHECK(client.close_reason == CloseReason::handshake_timeout);
    CHECK(fixture.counters.connect_timeouts.read() == 1);
    CHECK(!other.closed);
    CHECK(fixture.heap_objects() > 0);
}

TEST_CASE("connect: a silent client is disconnected after one and a half keep-alives") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect({.keep_alive_s = 10, .client_id = "c"});
    TestClient& forever = fixture.connect({.keep_alive_s = 0, .client_id = "forever"});
    for (uint32_t second = 0; second < 50; ++second) {
        fixture.advance(Duration::s(1));
        if (second % 9 == 0) fixture.feed(client, mqtt::pingreq);
    }
    CHECK(!client.closed);
    fixture.advance(Duration::ms(10'900));  // the last PINGREQ came four seconds ago
    CHECK(!client.closed);
    fixture.advance(Duration::ms(200));
    REQUIRE(client.closed);
    CHECK(fixture.take_first(client, mqtt::PacketType::disconnect).disconnect().reason ==
          Reason::keep_alive_timeout);
    CHECK(fixture.counters.keep_alive_timeouts.read() == 1);
    CHECK(!forever.closed);
}

TEST_CASE("connect: a client whose output doesn't move is closed as slow") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect("client");
    fixture.subscribe(client, "t");
    client.stalled = true;
    client.connection.send_progress_ms = static_cast<uint32_t>(fixture.now.to_ms());
    fixture.publish(publisher, {.topic = "t", .payload = "x"});
    for (uint32_t second = 0; second < 65; ++second) fixture.advance(Duration::s(1));
    CHECK(client.closed);
    CHECK(client.close_reason == CloseReason::slow_receiver);
    CHECK(fixture.counters.slow_receivers_closed.read() == 1);
    CHECK(!publisher.closed);
}

TEST_CASE("connect: output that has just begun after a long silence hasn't stood still") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect("client");
    fixture.subscribe(client, "t");
    client.stalled = true;
    // The timer that looks for slow receivers comes every 30 seconds; here it comes at once.
    for (uint32_t second = 0; second < 119; ++second) fixture.advance(Duration::s(1));
    fixture.publish(publisher, {.topic = "t", .payload = "x"});
    for (uint32_t second = 0; second < 29; ++second) fixture.advance(Duration::s(1));
    CHECK(!client.closed);
    for (uint32_t second = 0; second < 35; ++second) fixture.advance(Duration::s(1));
    CHECK(client.close_reason == CloseReason::slow_receiver);
    CHECK(!publisher.closed);
}

TEST_CASE("connect: one that is told to go but takes no output is cut off in the end") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    client.stalled = true;
    client.connection.send_progress_ms = static_cast<uint32_t>(fixture.now.to_ms());
    const uint8_t malformed[] = {0x00, 0x00};
    fixture.feed(client, malformed);
    CHECK(!client.closed);
    for (uint32_t second = 0; second < 65; ++second) fixture.advance(Duration::s(1));
    CHECK(client.closed);
}

TEST_CASE("connect: at shutdown clients are told so, and nobody new is accepted") {
    BrokerFixture fixture;
    TestClient& young = fixture.connect("young");
    TestClient& old = fixture.connect("old", mqtt::Version::v3_1_1);
    fixture.broker->begin_shutdown();
    fixture.flush();
    CHECK(fixture.take(young).disconnect().reason == Reason::server_shutting_down);
    CHECK(young.closed);
    CHECK(!fixture.has_packet(old));
    CHECK(old.closed);
    CHECK(is_error(connack_for(fixture, {.client_id = "late"}).connack().reason));
}
