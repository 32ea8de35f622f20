// The path of a message takes nothing from a general allocator.
#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "allocation_hooks.h"
#include "broker_fixture.h"
#include "runtime/cold_memory.h"

using namespace millrace;
using namespace millrace::test;
using mqtt::PacketType;

namespace {

bool skipped() {
    if (counts_allocations()) return false;
    MESSAGE("skipped: a sanitizer owns malloc in this build, so that nothing can be counted");
    return true;
}

constexpr uint32_t receiver_count = 100;

// A publisher and its receivers, with everything that the test itself needs made beforehand.
struct Traffic {
    explicit Traffic(uint8_t qos, uint16_t aliases = 0) : publisher(fixture.connect("publisher")) {
        for (uint32_t number = 0; number < receiver_count; ++number) {
            TestClient& client = fixture.connect({.client_id = "r" + std::to_string(number),
                                                  .session_expiry_s = number % 2 * 100,
                                                  .topic_alias_maximum = aliases});
            fixture.subscribe(client, "a/topic/longer/than/any/short/string", qos);
            receivers.push_back(&client);
        }
        for (TestClient* client : receivers) {
            client->discards = qos == 0;
            client->received.reserve(1'024);
        }
        publisher.discards = true;
        packet.topic = "a/topic/longer/than/any/short/string";
        packet.payload = as_bytes(payload);
        packet.qos = static_cast<mqtt::Qos>(qos);
        packet.packet_id = qos == 0 ? 0 : 1;
        published = mqtt::encode_packet({mqtt::Version::v5, PacketType::publish, 0}, packet);
    }

    void message() {
        fixture.feed(publisher, published);
        if (packet.qos == mqtt::Qos::at_most_once) return;
        for (TestClient* client : receivers) {
            const auto header = mqtt::read_fixed_header(client->received);
            const auto got =
                mqtt::decode_publish(mqtt::Version::v5, header->flags,
                                     Bytes(client->received).subspan(header->header_bytes));
            const uint8_t puback[] = {0x40, 0x02, static_cast<uint8_t>(got->packet_id >> 8),
                                      static_cast<uint8_t>(got->packet_id)};
            client->received.clear();
            fixture.feed(*client, puback);
        }
    }
    uint64_t allocations_of(uint32_t messages) {
        const uint64_t before = allocation_count;
        for (uint32_t count = 0; count < messages; ++count) message();
        return allocation_count - before;
    }

    BrokerFixture fixture;
    TestClient& publisher;
    std::vector<TestClient*> receivers;
    std::string payload = std::string(200, 'x');
    mqtt::Publish packet;
    std::vector<uint8_t> published;
};

}  // namespace

TEST_CASE("allocation: the counter counts new, malloc and cold memory") {
    if (skipped()) return;
    const uint64_t before = allocation_count;
    auto number = std::make_unique<uint64_t>(7);
    void* volatile raw = std::malloc(32);
    std::free(raw);
    void* volatile cold = cold_allocate(32);
    cold_free(cold);
    CHECK(*number == 7);
    CHECK(allocation_count == before + 3);
}

TEST_CASE("allocation: a QoS 0 message to a hundred receivers takes none") {
    if (skipped()) return;
    Traffic traffic(0);
    traffic.allocations_of(100);
    const uint64_t sent = traffic.fixture.counters.publishes_sent.read();
    CHECK(traffic.allocations_of(1'000) == 0);
    CHECK(traffic.fixture.counters.publishes_sent.read() == sent + 1'000 * receiver_count);
}

TEST_CASE("allocation: a QoS 1 message to a hundred receivers, acknowledged by all, takes none") {
    if (skipped()) return;
    Traffic traffic(1);
    traffic.allocations_of(100);
    const uint64_t sent = traffic.fixture.counters.publishes_sent.read();
    CHECK(traffic.allocations_of(1'000) == 0);
    CHECK(traffic.fixture.counters.publishes_sent.read() == sent + 1'000 * receiver_count);
    CHECK(traffic.fixture.objects("stored messages") == 0);
}

TEST_CASE("allocation: messages by topic alias take none either") {
    if (skipped()) return;
    Traffic traffic(0, 10);
    traffic.allocations_of(100);
    CHECK(traffic.allocations_of(1'000) == 0);
}
