// A shard whose memory is used up answers with refusals, and recovers when clients go.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;
using mqtt::Reason;

namespace {

constexpr uint64_t tiny_bytes_max = uint64_t{1} << 20;

// Null when the broker refused it.
TestClient* try_connect(BrokerFixture& fixture, const mqtt::Connect& packet) {
    TestClient& client = fixture.open(packet.version);
    fixture.send(client, PacketType::connect, packet);
    return client.closed ? nullptr : &client;
}

struct Crowd {
    explicit Crowd(uint64_t seed, uint64_t bytes_max = tiny_bytes_max)
        : random(seed), fixture({}, bytes_max) {}

    void step() {
        const uint32_t choice = random.below(10);
        if (choice < 3 || present.empty()) {
            const std::string id = "client-" + std::to_string(random.below(3'000));
            mqtt::Connect packet{.clean_start = random.chance(0.5), .client_id = id};
            packet.session_expiry_s = random.chance(0.5) ? 1'000 : 0;
            if (random.chance(0.3)) packet.receive_maximum = 2;
            if (random.chance(0.3)) packet.topic_alias_maximum = 5;
            if (random.chance(0.2)) packet.will = mqtt::Will{.topic = "will", .retain = true};
            if (TestClient* client = try_connect(fixture, packet)) present.push_back(client);
            return;
        }
        const size_t place = random.below(static_cast<uint32_t>(present.size()));
        TestClient& client = *present[place];
        if (client.closed) {
            present.erase(present.begin() + static_cast<std::ptrdiff_t>(place));
        } else if (choice < 6) {
            subscribe(client);
        } else if (choice < 9) {
            publish(client);
        } else if (random.chance(0.2)) {
            fixture.drop(client);
        } else {
            client.stalled = !client.stalled;
            fixture.outbox.mark(client.connection);
            fixture.flush();
        }
        answer(client);
    }
    // Mostly what a client should say to what it has received.
    void answer(TestClient& client) {
        std::vector<uint8_t> received = std::exchange(client.received, {});
        client.taken = 0;
        for (Bytes rest = received; !rest.empty();) {
            const auto header = mqtt::read_fixed_header(rest);
            REQUIRE(header.has_value());
            const Bytes body = rest.subspan(header->header_bytes, header->remaining_bytes);
            rest = rest.subspan(header->packet_bytes());
            if (client.closed || random.chance(0.1)) continue;
            if (header->type == PacketType::publish) {
                const auto packet = mqtt::decode_publish(client.version, header->flags, body);
                REQUIRE(packet.has_value());
                if (packet->qos == mqtt::Qos::at_most_once) continue;
                const bool once = packet->qos == mqtt::Qos::exactly_once;
                fixture.acknowledge(client, once ? PacketType::pubrec : PacketType::puback,
                                    packet->packet_id);
            } else if (header->type == PacketType::pubrec || header->type == PacketType::pubrel) {
                const auto packet = mqtt::decode_ack(client.version, header->type, body);
                REQUIRE(packet.has_value());
                const bool first = header->type == PacketType::pubrec;
                fixture.acknowledge(client, first ? PacketType::pubrel : PacketType::pubcomp,
                                    packet->packet_id);
            }
        }
    }
    void subscribe(TestClient& client) {
        const std::string topic = "topic/" + std::to_string(random.below(200));
        const std::string filters[] = {topic, topic + "/#", "+/" + topic, "$share/g/" + topic};
        const mqtt::SubscribeEntry entry{filters[random.below(4)],
                                         {.qos = static_cast<mqtt::Qos>(random.below(3))}};
        mqtt::Subscribe packet{.packet_id = 1};
        packet.entries = {&entry, 1};
        fixture.send(client, PacketType::subscribe, packet);
    }
    void publish(TestClient& client) {
        const std::string topic = "topic/" + std::to_string(random.below(200));
        const std::string payload(random.chance(0.05) ? 70'000 : random.below(500), 'x');
        mqtt::Publish packet{.topic = topic, .payload = as_bytes(payload)};
        packet.qos = static_cast<mqtt::Qos>(random.below(3));
        packet.packet_id =
            packet.qos == mqtt::Qos::at_most_once ? uint16_t{0} : uint16_t(random.below(100) + 1);
        packet.retain = random.chance(0.3);
        if (random.chance(0.2)) packet.properties.topic_alias = uint16_t(random.below(32) + 1);
        fixture.publish(client, packet);
    }

    Prng random;
    BrokerFixture fixture;
    std::vector<TestClient*> present;
};

}  // namespace

TEST_CASE("exhaustion: connects past the memory are refused, and those before go on") {
    BrokerFixture fixture({}, tiny_bytes_max);
    TestClient& first = fixture.connect("first");
    fixture.subscribe(first, "t");
    fixture.publish(first, {.topic = "t", .payload = "takes the block that it needs"});
    CHECK(fixture.take_publishes(first) == 1);
    uint32_t accepted = 0;
    uint32_t refused = 0;
    for (uint32_t number = 0; number < 20'000; ++number) {
        const std::string id = "client-with-a-name-of-some-length-" + std::to_string(number);
        (try_connect(fixture, {.client_id = id}) != nullptr ? accepted : refused) += 1;
    }
    CHECK(accepted > 100);
    CHECK(refused > 100);
    CHECK(fixture.counters.connects_refused.read() == refused);
    CHECK(fixture.counters.connections.read() == accepted + 1);
    fixture.publish(first, {.topic = "t", .payload = "still here"});
    CHECK(fixture.take_publishes(first) == 1);
    for (TestClient& client : fixture.clients) {
        if (&client != &first) fixture.drop(client);
    }
    CHECK(fixture.counters.sessions.read() == 1);
    CHECK(try_connect(fixture, {.client_id = "late"}) != nullptr);
}

TEST_CASE("exhaustion: subscriptions past the memory are refused one by one") {
    BrokerFixture fixture({}, tiny_bytes_max);
    TestClient& client = fixture.connect("client");
    Reason reason = Reason::success;
    uint32_t granted = 0;
    for (; granted < 20'000 && reason == Reason::success; ++granted) {
        const ReceivedPacket suback =
            fixture.subscribe(client, "some/topic/" + std::to_string(granted));
        reason = suback.reasons().front();
        client.received.clear();
        client.taken = 0;
    }
    CHECK(reason == Reason::quota_exceeded);
    CHECK(granted > 100);
    CHECK(!client.closed);
    CHECK(fixture.counters.subscriptions.read() == granted - 1);
}

TEST_CASE("exhaustion: any mixture of clients, subscriptions and publishes is survived") {
    for (uint64_t seed = 1; seed <= 8; ++seed) {
        CAPTURE(seed);
        Crowd crowd(seed, seed % 2 == 0 ? tiny_bytes_max : tiny_bytes_max / 2);
        for (uint32_t step = 0; step < 4'000; ++step) {
            crowd.step();
            if (step % 500 == 0) crowd.fixture.advance(Duration::s(20));
        }
        for (TestClient& client : crowd.fixture.clients) crowd.fixture.drop(client);
        crowd.fixture.advance(Duration::s(2'000));
        CHECK(crowd.fixture.counters.connections.read() == 0);
        CHECK(crowd.fixture.counters.sessions.read() == 0);
        CHECK(crowd.fixture.counters.subscriptions.read() == 0);
        CHECK(crowd.fixture.counters.waiting_messages.read() == 0);
        CHECK(crowd.fixture.objects("filters") == 0);
        CHECK(crowd.fixture.objects("session extras") == 0);
        CHECK(crowd.fixture.objects("wills") == 0);
        CHECK(crowd.fixture.objects("stored messages") ==
              crowd.fixture.counters.retained_messages.read());
    }
}
