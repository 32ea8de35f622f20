// A whole broker on one shard, with clients whose network is a function call: bytes go in as
// events, and what stands in the send rings is taken out at the end of each turn.
// Owned by: one test.
// Holds:    time moves only in advance(). Every connection is closed before the broker goes.
// Not here: sending what a test doesn't ask for: clients acknowledge nothing by themselves.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "codec/packet_io.h"
#include "shard_fixture.h"

namespace millrace::test {

struct TestClient {
    Connection connection{};
    mqtt::Version version = mqtt::Version::v5;
    std::vector<uint8_t> received;      // not yet taken by a test
    size_t taken = 0;                   // of it
    uint64_t received_bytes = 0;        // ever
    bool stalled = false;               // its network takes nothing
    bool discards = false;              // counts what it receives, keeps nothing
    bool closed = false;
    CloseReason close_reason = CloseReason::none;
};

// A packet that a client has received. Values borrow from `bytes`.
struct ReceivedPacket {
    mqtt::FixedHeader header{};
    mqtt::Version version = mqtt::Version::v5;
    std::vector<uint8_t> bytes;

    Bytes body() const { return Bytes(bytes).subspan(header.header_bytes); }
    mqtt::PacketType type() const { return header.type; }
    mqtt::Publish publish() const {
        REQUIRE(type() == mqtt::PacketType::publish);
        return *mqtt::decode_publish(version, header.flags, body());
    }
    mqtt::Ack ack() const { return *mqtt::decode_ack(version, type(), body()); }
    mqtt::Connack connack() const {
        REQUIRE(type() == mqtt::PacketType::connack);
        return *mqtt::decode_connack(version, body());
    }
    mqtt::Disconnect disconnect() const {
        REQUIRE(type() == mqtt::PacketType::disconnect);
        return *mqtt::decode_disconnect(version, body());
    }
    std::vector<mqtt::Reason> reasons() const {
        const auto ack = mqtt::decode_subscribe_ack(version, type(), body());
        REQUIRE(ack.has_value());
        return {ack->reasons.begin(), ack->reasons.end()};
    }
};

struct PublishText {
    std::string_view topic;
    std::string_view payload;
    uint8_t qos = 0;
    bool retain = false;
    uint16_t packet_id = 1;
};

struct BrokerFixture : ShardFixture {
    explicit BrokerFixture(const Config& given = {}, uint64_t bytes_max = shard_bytes_max);
    ~BrokerFixture();

    // The transport's side.
    TestClient& open(mqtt::Version version = mqtt::Version::v5);
    void feed(TestClient& client, Bytes bytes);
    void drop(TestClient& client);              // the peer goes without a word
    void advance(Duration span);
    void flush();                               // sends what is queued, closes what is to close
    void unstall(TestClient& client);

    // The client's side.
    template <class Packet>
    void send(TestClient& client, mqtt::PacketType type, const Packet& packet) {
        feed(client, mqtt::encode_packet({client.version, type, 0}, packet));
    }
    TestClient& connect(const mqtt::Connect& packet);    // and takes the CONNACK, a success
    TestClient& connect(std::string_view client_id, mqtt::Version version = mqtt::Version::v5);
    ReceivedPacket subscribe(TestClient& client, std::string_view filter, uint8_t qos = 0,
                             uint32_t identifier = 0, mqtt::SubscriptionOptions options = {});
    ReceivedPacket unsubscribe(TestClient& client, std::string_view filter);
    void publish(TestClient& client, const PublishText& text);
    void publish(TestClient& client, const mqtt::Publish& packet);
    void acknowledge(TestClient& client, mqtt::PacketType type, uint16_t packet_id);

    // The next packet received; the test fails when there's none.
    ReceivedPacket take(TestClient& client);
    bool has_packet(const TestClient& client) const {
        return client.taken < client.received.size();
    }
    // The first of that type; what came before it stays, as retained messages before a SUBACK may.
    ReceivedPacket take_first(TestClient& client, mqtt::PacketType type);
    // How many PUBLISH packets are there; they, and all else, are taken.
    uint32_t take_publishes(TestClient& client);

    Instant now = Shard::start;
    Pressure pressure;
    std::unique_ptr<Broker> broker;
    std::list<TestClient> clients;

private:
    template <class Work>
    void turn(Work&& work) {
        broker->begin_turn(now);
        work();
        broker->end_turn(now);
        flush();
    }
    void serve(TestClient& client);
    void finish(TestClient& client, CloseReason reason);
    static TestClient& client_of(Connection& connection) {
        return *reinterpret_cast<TestClient*>(&connection);  // its first member
    }
};

// A short way to say what shall be in a PUBLISH.
inline std::string payload_of(const ReceivedPacket& packet) {
    return std::string(as_text(packet.publish().payload));
}

}  // namespace millrace::test
