#include "broker_fixture.h"

namespace millrace::test {

static_assert(offsetof(TestClient, connection) == 0);

BrokerFixture::BrokerFixture(const Config& given, uint64_t bytes_max)
    : ShardFixture(bytes_max, given) {
    live.timeouts.sys_interval = std::chrono::milliseconds(0);
    broker = std::make_unique<Broker>(BrokerParts{live, heap, blocks, outbox, wheel, mailbox,
                                                  ledger, counters, pressure, nullptr,
                                                  HashKey{0x5eed}, 7});
}

BrokerFixture::~BrokerFixture() {
    for (TestClient& client : clients) {
        if (!client.closed) drop(client);
    }
}

TestClient& BrokerFixture::open(mqtt::Version version) {
    TestClient& client = clients.emplace_back();
    client.version = version;
    turn([&] { broker->on_event({Event::Kind::accepted, &client.connection, {}}); });
    return client;
}

// As a transport does: a connection that is to be closed gets no further events.
void BrokerFixture::feed(TestClient& client, Bytes bytes) {
    if (client.closed) return;
    turn([&] { broker->on_event({Event::Kind::received, &client.connection, bytes}); });
}

void BrokerFixture::drop(TestClient& client) {
    if (client.closed) return;
    finish(client, CloseReason::peer_closed);
    flush();
}

void BrokerFixture::advance(Duration span) {
    now = now + span;
    turn([&] { wheel.advance(now, [&](TimerEntry& entry) { broker->on_timer(entry); }); });
}

void BrokerFixture::unstall(TestClient& client) {
    client.stalled = false;
    outbox.mark(client.connection);
    flush();
}

void BrokerFixture::finish(TestClient& client, CloseReason reason) {
    client.closed = true;
    client.close_reason = reason;
    client.connection.close_reason = reason;
    broker->begin_turn(now);
    broker->on_event({Event::Kind::closed, &client.connection, {}});
    broker->end_turn(now);
    client.connection.out.clear(heap, blocks);
}

void BrokerFixture::serve(TestClient& client) {
    Connection& connection = client.connection;
    if (client.closed) {
        connection.out.clear(heap, blocks);
        return;
    }
    if (!client.stalled && !connection.out.empty()) {
        connection.send_progress_ms = static_cast<uint32_t>(now.to_ms());
        for (uint32_t index = 0; index < connection.out.slot_count(); ++index) {
            const Bytes bytes = connection.out.at(index).bytes();
            client.received_bytes += bytes.size();
            if (client.discards) continue;
            client.received.insert(client.received.end(), bytes.begin(), bytes.end());
        }
        connection.out.clear(heap, blocks);
        if (connection.tell_when_drained && !connection.close_when_sent && !connection.close_now) {
            connection.tell_when_drained = false;
            broker->begin_turn(now);
            broker->on_event({Event::Kind::drained, &connection, {}});
            broker->end_turn(now);
        }
    }
    if (connection.close_now || (connection.close_when_sent && connection.out.empty())) {
        finish(client, connection.close_reason);
    }
}

void BrokerFixture::flush() {
    while (Connection* connection = outbox.take_all()) {
        while (connection != nullptr) {
            Connection* next = connection->next_dirty;
            connection->dirty = false;
            serve(client_of(*connection));
            connection = next;
        }
    }
}

TestClient& BrokerFixture::connect(const mqtt::Connect& packet) {
    TestClient& client = open(packet.version);
    send(client, mqtt::PacketType::connect, packet);
    REQUIRE(take(client).connack().reason == mqtt::Reason::success);
    return client;
}

TestClient& BrokerFixture::connect(std::string_view client_id, mqtt::Version version) {
    mqtt::Connect packet;
    packet.version = version;
    packet.client_id = client_id;
    return connect(packet);
}

ReceivedPacket BrokerFixture::subscribe(TestClient& client, std::string_view filter, uint8_t qos,
                                        uint32_t identifier, mqtt::SubscriptionOptions options) {
    options.qos = static_cast<mqtt::Qos>(qos);
    const mqtt::SubscribeEntry entry{filter, options};
    mqtt::Subscribe packet;
    packet.packet_id = 10;
    packet.entries = {&entry, 1};
    if (identifier != 0) packet.subscription_id = identifier;
    send(client, mqtt::PacketType::subscribe, packet);
    return take_first(client, mqtt::PacketType::suback);
}

ReceivedPacket BrokerFixture::unsubscribe(TestClient& client, std::string_view filter) {
    mqtt::Unsubscribe packet;
    packet.packet_id = 11;
    packet.filters = {&filter, 1};
    send(client, mqtt::PacketType::unsubscribe, packet);
    return take(client);
}

void BrokerFixture::publish(TestClient& client, const PublishText& text) {
    mqtt::Publish packet;
    packet.topic = text.topic;
    packet.payload = as_bytes(text.payload);
    packet.qos = static_cast<mqtt::Qos>(text.qos);
    packet.retain = text.retain;
    packet.packet_id = text.qos == 0 ? 0 : text.packet_id;
    publish(client, packet);
}

void BrokerFixture::publish(TestClient& client, const mqtt::Publish& packet) {
    send(client, mqtt::PacketType::publish, packet);
}

void BrokerFixture::acknowledge(TestClient& client, mqtt::PacketType type, uint16_t packet_id) {
    mqtt::Ack packet;
    packet.packet_id = packet_id;
    send(client, type, packet);
}

ReceivedPacket BrokerFixture::take(TestClient& client) {
    REQUIRE(has_packet(client));
    const Bytes rest = Bytes(client.received).subspan(client.taken);
    const auto header = mqtt::read_fixed_header(rest);
    REQUIRE(header.has_value());
    REQUIRE(header->packet_bytes() <= rest.size());
    ReceivedPacket packet;
    packet.header = *header;
    packet.version = client.version;
    packet.bytes.assign(rest.begin(), rest.begin() + header->packet_bytes());
    client.taken += header->packet_bytes();
    return packet;
}

ReceivedPacket BrokerFixture::take_first(TestClient& client, mqtt::PacketType type) {
    std::vector<uint8_t> others;
    ReceivedPacket packet = take(client);
    while (packet.type() != type) {
        others.insert(others.end(), packet.bytes.begin(), packet.bytes.end());
        packet = take(client);
    }
    others.insert(others.end(), client.received.begin() + static_cast<std::ptrdiff_t>(client.taken),
                  client.received.end());
    client.received = std::move(others);
    client.taken = 0;
    return packet;
}

uint32_t BrokerFixture::take_publishes(TestClient& client) {
    uint32_t count = 0;
    while (has_packet(client)) {
        if (take(client).type() == mqtt::PacketType::publish) ++count;
    }
    return count;
}

}  // namespace millrace::test
