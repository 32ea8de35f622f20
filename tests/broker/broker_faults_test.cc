// Bad input: each kind gets its reason, is counted, and harms nobody else (MQTT 5.0, 4.13).
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

// A connected client sends `bytes`; another one must not notice.
struct FaultFixture : BrokerFixture {
    explicit FaultFixture(const Config& given = {}) : BrokerFixture(given) {
        subscribe(bystander, "life");
    }

    void expect(const std::vector<uint8_t>& bytes, Reason reason,
                mqtt::Version version = mqtt::Version::v5) {
        const uint64_t errors = counters.protocol_errors.read();
        TestClient& client = connect("culprit", version);
        feed(client, bytes);
        if (version == mqtt::Version::v5) {
            CHECK(take_first(client, PacketType::disconnect).disconnect().reason == reason);
        } else {
            CHECK(!has_packet(client));
        }
        CHECK(client.closed);
        CHECK(counters.protocol_errors.read() == errors + 1);
        check_bystander();
    }
    // A client that isn't connected yet sends `bytes`: closed without an answer.
    void expect_silence(const std::vector<uint8_t>& bytes) {
        const uint64_t errors = counters.protocol_errors.read();
        TestClient& client = open();
        feed(client, bytes);
        CHECK(client.closed);
        CHECK(!has_packet(client));
        CHECK(counters.protocol_errors.read() == errors + 1);
        check_bystander();
    }
    void check_bystander() {
        REQUIRE(!bystander.closed);
        publish(bystander, {.topic = "life", .payload = "goes on"});
        REQUIRE(take_publishes(bystander) == 1);
    }
    template <class Packet>
    static std::vector<uint8_t> bytes_of(PacketType type, const Packet& packet) {
        return mqtt::encode_packet({mqtt::Version::v5, type, 0}, packet);
    }

    TestClient& bystander = connect("bystander");
};

}  // namespace

TEST_CASE("faults: packets that can't be read") {
    FaultFixture fixture;
    fixture.expect({0x00, 0x00}, Reason::malformed_packet);                // type 0
    fixture.expect({0x61, 0x02, 0, 1}, Reason::malformed_packet);          // PUBREL flags
    fixture.expect({0x30, 0xff, 0xff, 0xff, 0xff, 0x01}, Reason::malformed_packet);
    fixture.expect({0x36, 0x05, 0, 1, 't', 0, 1}, Reason::malformed_packet);  // QoS 3
    fixture.expect({0x32, 0x02, 0, 5}, Reason::malformed_packet);          // ends in the topic
    fixture.expect({0xc0, 0x01, 0}, Reason::malformed_packet);             // PINGREQ with a body
    fixture.expect({0x00, 0x00}, Reason::malformed_packet, mqtt::Version::v3_1_1);
}

TEST_CASE("faults: packets in the wrong place") {
    FaultFixture fixture;
    mqtt::Connect connect;
    connect.client_id = "again";
    fixture.expect(FaultFixture::bytes_of(PacketType::connect, connect), Reason::protocol_error);
    fixture.expect({0xd0, 0x00}, Reason::protocol_error);                  // PINGRESP
    fixture.expect({0x20, 0x03, 0, 0, 0}, Reason::protocol_error);         // CONNACK
    fixture.expect({0xf0, 0x00}, Reason::protocol_error);                  // AUTH
    fixture.expect_silence({0xc0, 0x00});                                  // PINGREQ at first
    fixture.expect_silence({'G', 'E', 'T', ' ', '/'});
    fixture.expect_silence({0x30, 0x04, 0, 1, 't', 0});
}

TEST_CASE("faults: publishes that break a rule") {
    Config config;
    config.mqtt.maximum_qos = 1;
    config.mqtt.retain_available = false;
    config.mqtt.maximum_packet_bytes = 1'000;
    config.mqtt.topic_alias_maximum = 5;
    FaultFixture fixture(config);
    const auto bytes_of = [](const mqtt::Publish& packet) {
        return FaultFixture::bytes_of(PacketType::publish, packet);
    };
    mqtt::Publish packet{.topic = "t"};
    packet.qos = mqtt::Qos::exactly_once;
    packet.packet_id = 1;
    fixture.expect(bytes_of(packet), Reason::qos_not_supported);
    packet = {.topic = "t", .retain = true};
    fixture.expect(bytes_of(packet), Reason::retain_not_supported);
    packet = {.topic = "t"};
    packet.properties.topic_alias = 6;
    fixture.expect(bytes_of(packet), Reason::topic_alias_invalid);
    packet = {};
    packet.properties.topic_alias = 5;
    fixture.expect(bytes_of(packet), Reason::protocol_error);              // never set
    const uint32_t id = 3;
    packet = {.topic = "t"};
    packet.properties.subscription_ids.values = {&id, 1};
    fixture.expect(bytes_of(packet), Reason::protocol_error);
    const std::string large(2'000, 'x');
    packet = {.topic = "t", .payload = as_bytes(large)};
    fixture.expect(bytes_of(packet), Reason::packet_too_large);
    fixture.expect({0x30, 0x04, 0, 1, '#', 0}, Reason::topic_name_invalid);
    fixture.expect({0x30, 0x03, 0, 0, 0}, Reason::protocol_error);         // no topic, no alias
}

TEST_CASE("faults: more QoS 2 publishes unreleased than the receive maximum") {
    Config config;
    config.mqtt.receive_maximum = 2;
    FaultFixture fixture(config);
    TestClient& client = fixture.connect("culprit");
    for (uint16_t id = 1; id <= 3; ++id) {
        fixture.publish(client, {.topic = "t", .payload = "x", .qos = 2, .packet_id = id});
    }
    CHECK(fixture.take_first(client, PacketType::disconnect).disconnect().reason ==
          Reason::receive_maximum_exceeded);
    CHECK(client.closed);
    fixture.check_bystander();
}

TEST_CASE("faults: subscriptions that break a rule") {
    Config config;
    config.mqtt.subscription_identifiers_available = false;
    FaultFixture fixture(config);
    const mqtt::SubscribeEntry entry{"t", {}};
    mqtt::Subscribe packet{.packet_id = 1, .subscription_id = 1};
    packet.entries = {&entry, 1};
    fixture.expect(FaultFixture::bytes_of(PacketType::subscribe, packet),
                   Reason::subscription_identifiers_not_supported);
    fixture.expect({0x82, 0x03, 0, 1, 0}, Reason::protocol_error);         // no filter
    fixture.expect({0xa2, 0x03, 0, 1, 0}, Reason::protocol_error);
}

TEST_CASE("faults: a protocol version that we don't speak is answered, other nonsense is not") {
    FaultFixture fixture;
    TestClient& future = fixture.open();
    fixture.feed(future, std::vector<uint8_t>{0x10, 0x0d, 0, 4, 'M', 'Q', 'T', 'T', 9, 2, 0, 0, 0,
                                              0, 0});
    CHECK(future.closed);
    CHECK(fixture.has_packet(future));
    TestClient& nonsense = fixture.open();
    fixture.feed(nonsense, std::vector<uint8_t>{0x10, 0x0c, 0, 4, 'M', 'Q', 'T', 'T', 4, 1, 0, 0,
                                                0, 0});  // a reserved flag
    CHECK(nonsense.closed);
    CHECK(!fixture.has_packet(nonsense));
    fixture.check_bystander();
}

TEST_CASE("faults: packets behind a fatal one are not looked at") {
    FaultFixture fixture;
    TestClient& client = fixture.connect("culprit");
    fixture.feed(client, std::vector<uint8_t>{0xd0, 0x00, 0x30, 0x08, 0, 4, 'l', 'i', 'f', 'e', 0,
                                              'x'});
    CHECK(client.closed);
    CHECK(!fixture.has_packet(fixture.bystander));
}

TEST_CASE("faults: random bytes never do more than end their connection") {
    FaultFixture fixture;
    Prng random(99);
    for (uint32_t round = 0; round < 3'000; ++round) {
        TestClient& client = fixture.connect("culprit");
        std::vector<uint8_t> bytes(random.below(200) + 1);
        for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.next());
        // Mostly right at the front, so that some of it is looked into.
        if (random.chance(0.8) && bytes.size() > 2 && bytes.size() < 130) {
            const uint8_t types[] = {0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x82, 0xa2, 0xe0};
            bytes[0] = types[random.below(9)];
            bytes[1] = static_cast<uint8_t>(bytes.size() - 2);
            if (bytes.size() > 4) bytes[2] = 0;
        }
        fixture.feed(client, bytes);
        fixture.drop(client);
        fixture.clients.pop_back();
    }
    fixture.bystander.received.clear();
    fixture.bystander.taken = 0;
    fixture.check_bystander();
    CHECK(fixture.counters.connections.read() == 1);
}
