// Fan-out over a whole broker: what stands in send rings, and who waits or is shed.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "broker_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<TestClient*> stalled_receivers(BrokerFixture& fixture, uint32_t count, uint8_t qos,
                                           std::string_view filter = "news") {
    std::vector<TestClient*> receivers;
    for (uint32_t number = 0; number < count; ++number) {
        TestClient& client = fixture.connect("receiver-" + std::to_string(number));
        fixture.subscribe(client, filter, qos);
        client.stalled = true;
        receivers.push_back(&client);
    }
    return receivers;
}

std::multiset<uint32_t> identifiers_of(const ReceivedPacket& packet) {
    std::multiset<uint32_t> ids;
    packet.publish().properties.subscription_ids.for_each([&](uint32_t id) { ids.insert(id); });
    return ids;
}

// Every ring holds one slot, and all slots are the same bytes.
void check_shared_slot(const std::vector<TestClient*>& receivers) {
    const Slice first = receivers.front()->connection.out.at(0);
    for (const TestClient* receiver : receivers) {
        REQUIRE(receiver->connection.out.slot_count() == 1);
        const Slice& slice = receiver->connection.out.at(0);
        REQUIRE(slice.block == first.block);
        REQUIRE(slice.offset == first.offset);
        REQUIRE(slice.length == first.length);
    }
}

}  // namespace

TEST_CASE("fan-out: a thousand receivers of one message share one run of bytes") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 1'000, 0);
    fixture.publish(publisher, {.topic = "news", .payload = std::string(4'000, 'x')});
    check_shared_slot(receivers);
    const Block* block = receivers.front()->connection.out.at(0).block;
    CHECK(block->reference_count >= 1'000);
    CHECK(fixture.counters.publishes_sent.read() == 1'000);
}

TEST_CASE("fan-out: a burst of messages in many turns is one slot for each receiver") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 50, 0);
    for (uint32_t message = 0; message < 32; ++message) {
        fixture.publish(publisher, {.topic = "news", .payload = "0123456789"});
    }
    check_shared_slot(receivers);
    fixture.unstall(*receivers[7]);
    CHECK(fixture.take_publishes(*receivers[7]) == 32);
}

TEST_CASE("fan-out: receivers of QoS 1 share bytes and packet identifiers over a burst") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 50, 1);
    for (uint16_t message = 1; message <= 32; ++message) {
        fixture.publish(publisher,
                        {.topic = "news", .payload = "x", .qos = 1, .packet_id = message});
    }
    check_shared_slot(receivers);
    fixture.unstall(*receivers[0]);
    fixture.unstall(*receivers[1]);
    std::set<uint16_t> ids;
    for (uint32_t message = 0; message < 32; ++message) {
        const uint16_t id = fixture.take(*receivers[0]).publish().packet_id;
        REQUIRE(id == fixture.take(*receivers[1]).publish().packet_id);
        ids.insert(id);
    }
    CHECK(ids.size() == 32);
}

TEST_CASE("fan-out: a receiver whose identifier is taken gets a frame of its own") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 2, 1);
    TestClient& slow = *receivers[0];
    TestClient& quick = *receivers[1];
    quick.stalled = false;
    slow.stalled = false;
    fixture.publish(publisher, {.topic = "news", .payload = "first", .qos = 1});
    const uint16_t taken = fixture.take(slow).publish().packet_id;
    fixture.acknowledge(quick, mqtt::PacketType::puback, fixture.take(quick).publish().packet_id);
    // A round of the counter later the number that comes next is the one that `slow` still has.
    TestClient& spinner = fixture.connect("spinner");
    fixture.subscribe(spinner, "spin", 1);
    for (uint32_t step = 0; step < 65'534; ++step) {
        fixture.publish(publisher, {.topic = "spin", .payload = "", .qos = 1});
        fixture.acknowledge(spinner, mqtt::PacketType::puback,
                            fixture.take(spinner).publish().packet_id);
        spinner.received.clear();
        spinner.taken = 0;
        publisher.received.clear();
    }
    fixture.publish(publisher, {.topic = "news", .payload = "second", .qos = 1});
    const ReceivedPacket to_quick = fixture.take(quick);
    const ReceivedPacket to_slow = fixture.take(slow);
    CHECK(to_quick.publish().packet_id == taken);
    CHECK(to_slow.publish().packet_id != taken);
    CHECK(payload_of(to_quick) == "second");
    CHECK(payload_of(to_slow) == "second");
}

TEST_CASE("fan-out: overlapping subscriptions give one message with the highest QoS and all ids") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect("client");
    fixture.subscribe(client, "a/b", 0, 1);
    fixture.subscribe(client, "a/+", 2, 2);
    fixture.subscribe(client, "a/#", 1, 3);
    fixture.subscribe(client, "#", 1);
    for (uint32_t other = 0; other < 5; ++other) {
        fixture.subscribe(fixture.connect("other-" + std::to_string(other)), "a/+", 0, 9);
    }
    fixture.publish(publisher, {.topic = "a/b", .payload = "x", .qos = 2});
    const ReceivedPacket packet = fixture.take(client);
    CHECK(packet.publish().qos == mqtt::Qos::exactly_once);
    CHECK(identifiers_of(packet) == std::multiset<uint32_t>{1, 2, 3});
    CHECK(!fixture.has_packet(client));
    fixture.publish(publisher, {.topic = "a/b", .payload = "x", .qos = 0});
    CHECK(identifiers_of(fixture.take(client)) == std::multiset<uint32_t>{1, 2, 3});
}

TEST_CASE("fan-out: more identifiers than one delivery carries do no harm") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect("client");
    const std::string_view filters[] = {"#",     "a/#",   "a/b/#", "a/b/c", "+/b/c",
                                        "a/+/c", "a/b/+", "+/+/c", "+/b/+", "+/+/+"};
    for (uint32_t index = 0; index < std::size(filters); ++index) {
        fixture.subscribe(client, filters[index], index % 3, index + 1);
    }
    fixture.publish(publisher, {.topic = "a/b/c", .payload = "x", .qos = 1});
    CHECK(fixture.take_publishes(client) == 1);
}

TEST_CASE("fan-out: past the bound of unsent bytes QoS 0 is dropped and counted") {
    Config config;
    config.queues.send_bytes_max = 1'000;
    BrokerFixture fixture(config);
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 2, 0);
    receivers[1]->stalled = false;
    for (uint32_t message = 0; message < 20; ++message) {
        fixture.publish(publisher, {.topic = "news", .payload = std::string(200, 'x')});
    }
    CHECK(receivers[0]->connection.out.bytes_queued() <= 1'000);
    CHECK(fixture.take_publishes(*receivers[1]) == 20);
    fixture.unstall(*receivers[0]);
    const uint32_t got = fixture.take_publishes(*receivers[0]);
    CHECK(got < 20);
    CHECK(got > 0);
    CHECK(fixture.counters.dropped_slow_receiver.read() == 20 - got);
}

TEST_CASE("fan-out: past the bound of unsent bytes QoS 1 waits, and comes in order later") {
    Config config;
    config.queues.send_bytes_max = 1'000;
    BrokerFixture fixture(config);
    TestClient& publisher = fixture.connect("publisher");
    const auto receivers = stalled_receivers(fixture, 1, 1);
    TestClient& slow = *receivers[0];
    for (uint16_t message = 1; message <= 20; ++message) {
        fixture.publish(publisher, {.topic = "news",
                                    .payload = std::to_string(message) + std::string(200, 'x'),
                                    .qos = 1,
                                    .packet_id = message});
    }
    CHECK(slow.connection.out.bytes_queued() <= 1'300);
    CHECK(fixture.counters.waiting_messages.read() > 10);
    fixture.unstall(slow);
    for (uint32_t message = 1; message <= 20; ++message) {
        REQUIRE(payload_of(fixture.take(slow)).starts_with(std::to_string(message) + "x"));
    }
    CHECK(fixture.counters.waiting_messages.read() == 0);
    CHECK(fixture.counters.dropped_queue_full.read() == 0);
}

TEST_CASE("fan-out: with the window full messages wait, and go out one for each acknowledgement") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect({.client_id = "client", .receive_maximum = 2});
    fixture.subscribe(client, "news", 2);
    for (uint16_t message = 1; message <= 5; ++message) {
        fixture.publish(publisher, {.topic = "news",
                                    .payload = std::to_string(message),
                                    .qos = 1,
                                    .packet_id = message});
    }
    CHECK(fixture.counters.waiting_messages.read() == 3);
    for (uint32_t message = 1; message <= 5; ++message) {
        const ReceivedPacket packet = fixture.take(client);
        CHECK(payload_of(packet) == std::to_string(message));
        fixture.acknowledge(client, mqtt::PacketType::puback, packet.publish().packet_id);
    }
    CHECK(!fixture.has_packet(client));
    CHECK(fixture.objects("session extras") == 0);
    CHECK(fixture.objects("stored messages") == 0);
}

TEST_CASE("fan-out: past the session's bounds a waiting message is dropped and counted") {
    Config config;
    config.queues.session_messages_max = 3;
    BrokerFixture fixture(config);
    TestClient& publisher = fixture.connect("publisher");
    TestClient& client = fixture.connect({.client_id = "client", .receive_maximum = 1});
    fixture.subscribe(client, "news", 1);
    for (uint16_t message = 1; message <= 10; ++message) {
        fixture.publish(publisher,
                        {.topic = "news", .payload = "x", .qos = 1, .packet_id = message});
    }
    CHECK(fixture.counters.waiting_messages.read() == 3);
    CHECK(fixture.counters.dropped_queue_full.read() == 6);
}

TEST_CASE("fan-out: one stored copy waits for all sessions that are away") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    for (uint32_t number = 0; number < 100; ++number) {
        TestClient& client = fixture.connect({.client_id = "away-" + std::to_string(number),
                                              .session_expiry_s = 1'000});
        fixture.subscribe(client, "news", 1);
        fixture.drop(client);
    }
    fixture.publish(publisher, {.topic = "news", .payload = "x", .qos = 1});
    CHECK(fixture.counters.waiting_messages.read() == 100);
    CHECK(fixture.objects("stored messages") == 1);
}

TEST_CASE("fan-out: a message past the client's maximum packet size is dropped for it alone") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& small = fixture.connect({.client_id = "small", .maximum_packet_bytes = 100});
    TestClient& large = fixture.connect("large");
    for (uint8_t qos = 0; qos < 2; ++qos) {
        fixture.subscribe(small, "news", qos);
        fixture.subscribe(large, "news", qos);
        fixture.publish(publisher, {.topic = "news", .payload = std::string(200, 'x'), .qos = qos});
        CHECK(!fixture.has_packet(small));
        CHECK(fixture.take_publishes(large) == 1);
        CHECK(fixture.counters.dropped_too_large.read() == qos + 1u);
    }
}

TEST_CASE("fan-out: receivers that take aliases get the topic once, and share the short frame") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    std::vector<TestClient*> receivers;
    for (uint32_t number = 0; number < 3; ++number) {
        receivers.push_back(&fixture.connect({.client_id = "r" + std::to_string(number),
                                              .topic_alias_maximum = 10}));
        fixture.subscribe(*receivers.back(), "a/long/topic");
    }
    for (uint32_t message = 0; message < 4; ++message) {
        fixture.publish(publisher, {.topic = "a/long/topic", .payload = "x"});
    }
    for (TestClient* receiver : receivers) {
        std::vector<std::string> topics;
        uint16_t alias = 0;
        while (fixture.has_packet(*receiver)) {
            const ReceivedPacket packet = fixture.take(*receiver);
            topics.emplace_back(packet.publish().topic);
            if (topics.back().empty()) CHECK(packet.publish().properties.topic_alias == alias);
            alias = packet.publish().properties.topic_alias;
        }
        REQUIRE(topics.size() == 4);
        CHECK(topics[0] == "a/long/topic");
        CHECK(topics.back().empty());
        CHECK(alias != 0);
        CHECK(alias <= 10);
    }
}

TEST_CASE("fan-out: 3.1.1 and 5.0 receivers each get their own form of one message") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    TestClient& old = fixture.connect("old", mqtt::Version::v3_1_1);
    TestClient& young = fixture.connect("young");
    fixture.subscribe(old, "t", 1);
    fixture.subscribe(young, "t", 0, 6);
    mqtt::Publish packet;
    packet.topic = "t";
    packet.qos = mqtt::Qos::at_least_once;
    packet.packet_id = 1;
    packet.properties.content_type = "text";
    fixture.publish(publisher, packet);
    const ReceivedPacket to_old = fixture.take(old);
    CHECK(to_old.publish().qos == mqtt::Qos::at_least_once);
    CHECK(!to_old.publish().properties.content_type);
    const ReceivedPacket to_young = fixture.take(young);
    CHECK(to_young.publish().qos == mqtt::Qos::at_most_once);
    CHECK(to_young.publish().properties.content_type == "text");
    CHECK(identifiers_of(to_young) == std::multiset<uint32_t>{6});
}

TEST_CASE("fan-out: members of a shared group take turns, those that are away are passed over") {
    BrokerFixture fixture;
    TestClient& publisher = fixture.connect("publisher");
    std::vector<TestClient*> members;
    for (uint32_t number = 0; number < 3; ++number) {
        members.push_back(&fixture.connect({.client_id = "m" + std::to_string(number),
                                            .session_expiry_s = 100}));
        fixture.subscribe(*members.back(), "$share/g/work/#", 1);
    }
    for (uint32_t message = 0; message < 9; ++message) {
        fixture.publish(publisher, {.topic = "work/x", .payload = "x"});
    }
    for (TestClient* member : members) CHECK(fixture.take_publishes(*member) == 3);
    fixture.drop(*members[0]);
    for (uint32_t message = 0; message < 10; ++message) {
        fixture.publish(publisher, {.topic = "work/x", .payload = "x", .qos = 1});
    }
    CHECK(fixture.take_publishes(*members[1]) + fixture.take_publishes(*members[2]) == 10);
    CHECK(fixture.counters.waiting_messages.read() == 0);
}

TEST_CASE("fan-out: with no local a client doesn't hear itself") {
    BrokerFixture fixture;
    TestClient& client = fixture.connect("client");
    TestClient& other = fixture.connect("other");
    fixture.subscribe(client, "t", 0, 0, {.no_local = true});
    fixture.subscribe(other, "t", 0, 0, {.no_local = true});
    fixture.publish(client, {.topic = "t", .payload = "x"});
    CHECK(!fixture.has_packet(client));
    CHECK(fixture.take_publishes(other) == 1);
}
