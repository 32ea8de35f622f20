#include <algorithm>
#include <string>
#include <vector>

#include "broker_fixture.h"
#include "broker/tracer.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// An event with texts of its own.
struct Told {
    TraceEvent event;
    std::string client_id, topic, reason, data;

    std::string line() const {
        std::string text = std::string(name_of(event.direction)) + " " +
                           std::string(name_of(event.kind));
        if (!topic.empty()) text += " " + topic;
        if (!reason.empty()) text += " (" + reason + ")";
        return text;
    }
};

// Outlives the broker, which tells the ends of its clients.
struct RingOfTraces {
    TraceRing ring;
};
struct TraceFixture : RingOfTraces, BrokerFixture {
    explicit TraceFixture(const Config& given = {}, uint32_t ring_bytes = 1 << 16)
        : RingOfTraces{TraceRing(ring_bytes)}, BrokerFixture(given) {}

    void trace(std::vector<TraceTarget> targets) {
        auto list = std::make_shared<TraceList>();
        list->targets = std::move(targets);
        list->rings = {&ring};
        broker->adopt_traces(list);
    }
    std::vector<Told> drain() {
        std::vector<Told> all;
        ring.drain([&](const uint8_t* record) {
            const TraceEvent event = read_record(record);
            all.push_back({event, std::string(event.client_id), std::string(event.topic),
                           std::string(event.reason), std::string(as_text(event.data))});
        });
        return all;
    }
    std::vector<std::string> lines() {
        std::vector<std::string> all;
        for (const Told& told : drain()) all.push_back(told.line());
        return all;
    }
};

using Lines = std::vector<std::string>;

TraceTarget client_target(std::string client_id, uint32_t slot = 0) {
    return {.id = slot + 1, .slot = slot, .text = std::move(client_id)};
}

TraceTarget topic_target(std::string filter, uint32_t slot = 0) {
    return {.id = slot + 1, .slot = slot, .by = TraceTarget::By::topic, .text = std::move(filter)};
}

}  // namespace

TEST_CASE("trace: a client that isn't there yet is seen from its CONNECT to its end, another isn't") {
    TraceFixture net;
    net.trace({client_target("seen")});
    TestClient& seen = net.connect("seen");
    TestClient& other = net.connect("other");
    net.subscribe(seen, "a/+", 1);
    net.subscribe(other, "a/+", 1);
    net.publish(other, {.topic = "a/b", .payload = "hello"});
    net.publish(seen, {.topic = "c", .payload = "x", .qos = 1, .packet_id = 7});
    net.send(seen, mqtt::PacketType::disconnect, mqtt::Disconnect{});
    CHECK(net.lines() == Lines{
        "in CONNECT", "none accepted", "out CONNACK (success)", "in SUBSCRIBE", "out SUBACK",
        "out PUBLISH a/b", "in PUBLISH c", "out PUBACK (no_matching_subscribers)", "in DISCONNECT (success)",
        "none closed (disconnect)"});
    net.publish(other, {.topic = "a/b", .payload = "hello"});
    CHECK(net.drain().empty());
}

TEST_CASE("trace: nobody sees a client's user name and password") {
    TraceFixture net;
    TraceTarget target = client_target("client");
    target.data_bytes_max = TraceEvent::data_bytes_max;
    net.trace({target});
    mqtt::Connect packet{.client_id = "client"};
    packet.user_name = "a-name";
    packet.password = as_bytes("a-password");
    net.connect(packet);
    const auto told = net.drain();
    REQUIRE(told.size() == 3);
    CHECK(told[0].line() == "in CONNECT");
    CHECK(told[0].event.bytes == told[0].data.size() + 2 + 6 + 2 + 10);
    CHECK(told[0].data.ends_with("client"));
}

TEST_CASE("trace: an event says what the packet is, and holds its first bytes") {
    TraceFixture net;
    TestClient& client = net.connect("client");
    TraceTarget target = client_target("client");
    target.data_bytes_max = 7;
    net.trace({target});
    net.publish(client, {.topic = "topic", .payload = "payload", .qos = 1, .packet_id = 9});
    const auto told = net.drain();
    REQUIRE(told.size() == 2);
    const TraceEvent& event = told[0].event;
    CHECK(event.trace == 1);
    CHECK(event.direction == TraceDirection::in);
    CHECK(event.kind == static_cast<TraceKind>(mqtt::PacketType::publish));
    CHECK(event.packet_id == 9);
    CHECK(event.has_qos);
    CHECK(event.qos == 1);
    CHECK(event.bytes == 19);
    CHECK(event.has_took);
    CHECK(event.time == net.now);
    CHECK(told[0].client_id == "client");
    CHECK(told[0].topic == "topic");
    CHECK(told[0].data == std::string("\x32\x11\x00\x05top", 7));
    CHECK(told[1].event.packet_id == 9);
    CHECK(!told[1].event.has_took);
}

TEST_CASE("trace: a packet that can't be read is told with the reason, and the end with the same") {
    TraceFixture net;
    TestClient& client = net.connect("client");
    net.trace({client_target("client")});
    const uint8_t bad_publish[] = {0x30, 0x02, 0x00, 0x09};
    net.feed(client, bad_publish);
    CHECK(client.closed);
    CHECK(net.lines() == Lines{"in PUBLISH (malformed_packet)",
                               "out DISCONNECT (malformed_packet)", "none closed (malformed_packet)"});
}

TEST_CASE("trace: messages that a slow receiver doesn't get are told with the reason") {
    Config config;
    config.queues.send_bytes_max = 100;
    config.queues.session_messages_max = 1;
    TraceFixture net(config);
    TestClient& slow = net.connect("slow");
    TestClient& source = net.connect("source");
    net.subscribe(slow, "q0");
    net.subscribe(slow, "q1", 1);
    net.trace({client_target("slow")});
    slow.stalled = true;
    const std::string payload(60, 'x');
    net.publish(source, {.topic = "q0", .payload = payload});
    net.publish(source, {.topic = "q0", .payload = payload});
    CHECK(net.lines() == Lines{"out PUBLISH q0", "none dropped q0 (slow_receiver)"});
    net.publish(source, {.topic = "q1", .payload = payload, .qos = 1, .packet_id = 1});
    net.publish(source, {.topic = "q1", .payload = payload, .qos = 1, .packet_id = 2});
    net.publish(source, {.topic = "q1", .payload = payload, .qos = 1, .packet_id = 3});
    CHECK(net.lines() == Lines{"out PUBLISH q1", "none queued q1", "none dropped q1 (queue_full)"});
    net.unstall(slow);
    CHECK(net.lines() == Lines{"out PUBLISH q1"});
}

TEST_CASE("trace: what waits for a client that is away, and what it gets when it's back") {
    TraceFixture net;
    net.trace({client_target("sleeper")});
    mqtt::Connect packet{.client_id = "sleeper", .session_expiry_s = 100};
    TestClient& first = net.connect(packet);
    net.subscribe(first, "t", 1);
    TestClient& source = net.connect("source");
    net.drop(first);
    net.drain();
    net.publish(source, {.topic = "t", .payload = "x", .qos = 1, .packet_id = 3});
    CHECK(net.lines() == Lines{"none queued t"});
    packet.clean_start = false;
    net.connect(packet);
    CHECK(net.lines() == Lines{"in CONNECT", "none accepted", "out CONNACK (success)",
                               "out PUBLISH t"});
}

TEST_CASE("trace: a takeover ends the old connection and goes on with the new one") {
    TraceFixture net;
    net.connect("client");
    net.trace({client_target("client")});
    net.connect("client");
    const auto lines = net.lines();
    CHECK(std::count(lines.begin(), lines.end(), "none closed (session_taken_over)") == 1);
    CHECK(std::count(lines.begin(), lines.end(), "none accepted") == 1);
    CHECK(std::count(lines.begin(), lines.end(), "out DISCONNECT (session_taken_over)") == 1);
}

TEST_CASE("trace: it ends by itself, and its marks go") {
    TraceFixture net;
    TestClient& client = net.connect("client");
    TraceTarget brief = client_target("client");
    brief.ends = net.now + Duration::s(5);
    TraceTarget brief_topic = topic_target("#", 1);
    brief_topic.ends = brief.ends;
    net.trace({brief, brief_topic});
    CHECK(bool{client.connection.is_traced});
    net.publish(client, {.topic = "t", .payload = "x"});
    CHECK(!net.drain().empty());
    net.advance(Duration::s(6));
    CHECK(!bool{client.connection.is_traced});
    net.publish(client, {.topic = "t", .payload = "x"});
    CHECK(net.drain().empty());
}

TEST_CASE("trace: one that is taken away leaves the others, and none is left without a list") {
    TraceFixture net;
    TestClient& client = net.connect("client");
    net.trace({client_target("client", 0), client_target("client", 1)});
    net.publish(client, {.topic = "t", .payload = "x"});
    CHECK(net.drain().size() == 2);
    net.trace({client_target("client", 1)});
    net.publish(client, {.topic = "t", .payload = "x"});
    const auto told = net.drain();
    REQUIRE(told.size() == 1);
    CHECK(told[0].event.trace == 2);
    net.broker->adopt_traces(nullptr);
    net.publish(client, {.topic = "t", .payload = "x"});
    CHECK(net.drain().empty());
    CHECK(!bool{client.connection.is_traced});
}

TEST_CASE("trace: events that find no room are counted for their trace, and none is half there") {
    TraceFixture net({}, 1024);
    TestClient& client = net.connect("client");
    net.trace({client_target("client", 3)});
    for (int index = 0; index < 20; ++index) net.publish(client, {.topic = "t", .payload = "x"});
    const auto told = net.drain();
    CHECK(!told.empty());
    CHECK(told.size() < 20);
    CHECK(told.size() + net.ring.lost(3) == 20);
    CHECK(net.ring.lost(0) == 0);
    for (const Told& one : told) CHECK(one.line() == "in PUBLISH t");
    net.publish(client, {.topic = "t", .payload = "x"});
    CHECK(net.drain().size() == 1);
}

TEST_CASE("trace: a topic's publishes are told with who sent them and how many got them") {
    Config config;
    config.queues.send_bytes_max = 10;
    TraceFixture net(config);
    TestClient& source = net.connect("source");
    TestClient& fast = net.connect("fast");
    TestClient& slow = net.connect("slow");
    net.subscribe(fast, "room/#");
    net.subscribe(slow, "room/1");
    net.trace({topic_target("room/+")});
    slow.stalled = true;
    net.publish(source, {.topic = "room/1", .payload = "one"});
    net.publish(source, {.topic = "hall/1", .payload = "none"});
    net.publish(source, {.topic = "room/1", .payload = "two"});
    const auto told = net.drain();
    REQUIRE(told.size() == 5);
    CHECK(told[0].line() == "in PUBLISH room/1");
    CHECK(told[0].client_id == "source");
    CHECK(!told[0].data.empty());
    CHECK(told[1].line() == "out PUBLISH room/1");
    CHECK(told[1].event.receivers == 2);
    CHECK(told[3].event.receivers == 1);
    CHECK(told[4].line() == "none dropped room/1 (slow_receiver)");
    CHECK(told[4].event.receivers == 1);
}

TEST_CASE("top lists: hot topics are samples of publishes, and weigh what they stand for") {
    BrokerFixture net;
    TestClient& source = net.connect("source");
    constexpr uint64_t hot = 64'000;
    for (uint64_t index = 0; index < hot; ++index) {
        net.publish(source, {.topic = "hot", .payload = "x"});
        if (index % 64 == 0) net.publish(source, {.topic = "cold", .payload = "x"});
    }
    const auto top = net.broker->top_lists().topics(net.now).list(0).heaviest(2);
    REQUIRE(!top.empty());
    CHECK(top[0].name == "hot");
    CHECK(top[0].count % sampled_one_of == 0);
    // A thousand samples: the error of one in 64 is a few per cent.
    CHECK(top[0].count > hot * 9 / 10);
    CHECK(top[0].count < hot * 11 / 10);
}

TEST_CASE("top lists: topics go on being sampled at that rate while another is traced") {
    TraceFixture net;
    TestClient& source = net.connect("source");
    net.trace({topic_target("other/#")});
    for (uint32_t index = 0; index < 32'000; ++index) {
        net.publish(source, {.topic = "hot", .payload = "x"});
    }
    net.trace({});
    for (uint32_t index = 0; index < 32'000; ++index) {
        net.publish(source, {.topic = "hot", .payload = "x"});
    }
    const auto top = net.broker->top_lists().topics(net.now).list(0).heaviest(1);
    REQUIRE(top.size() == 1);
    CHECK(top[0].count > 57'000);
    CHECK(top[0].count < 71'000);
}

TEST_CASE("top lists: a receiver's dropped and waiting messages are counted, dropped ones apart") {
    Config config;
    config.queues.send_bytes_max = 10;
    config.queues.session_messages_max = 2;
    BrokerFixture net(config);
    TestClient& slow = net.connect("slow");
    TestClient& fast = net.connect("fast");
    TestClient& source = net.connect("source");
    net.subscribe(slow, "t", 1);
    net.subscribe(fast, "t", 1);
    slow.stalled = true;
    for (uint16_t id = 1; id <= 5; ++id) {
        net.publish(source, {.topic = "t", .payload = "0123456789", .qos = 1, .packet_id = id});
    }
    const auto top = net.broker->top_lists().receivers(net.now).list(3).heaviest(9);
    REQUIRE(top.size() == 1);
    CHECK(top[0].name == "slow");
    CHECK(top[0].source == 3);
    CHECK(top[0].part == 2);    // one was sent, two wait
    CHECK(top[0].count == 4);
    CHECK(top[0].error == 0);
}

TEST_CASE("top lists: a flood of troubles is sampled, and weighs about what it is") {
    TopLists lists(Instant{}, 5);
    for (uint32_t index = 0; index < 101'000; ++index) {
        lists.on_trouble(Instant{}, 1, "client", TopLists::Trouble::dropped);
    }
    const auto top = lists.receivers(Instant{}).list(0).heaviest(1);
    REQUIRE(top.size() == 1);
    CHECK(top[0].count > 90'000);
    CHECK(top[0].count < 112'000);
    CHECK(top[0].part == top[0].count);
    CHECK((top[0].count - TopLists::exact_a_second) % sampled_one_of == 0);
}
