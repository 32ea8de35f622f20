#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "broker/session_table.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct TableFixture : ShardFixture {
    explicit TableFixture(uint64_t bytes_max = shard_bytes_max)
        : ShardFixture(bytes_max), store(heap, ledger), sessions(context, store) {}

    Session* make(std::string_view id) { return sessions.try_make(context.hash(id), id); }
    Session* find(std::string_view id) { return sessions.find(context.hash(id), id); }

    MessageStore store;
    SessionTable sessions;
};

}  // namespace

TEST_CASE("session table: finds sessions by client id, of any length") {
    TableFixture fixture;
    const std::string lengths[] = {"", "a", std::string(7, 'b'), std::string(23, 'c'),
                                   std::string(255, 'd'), std::string(256, 'e'),
                                   std::string(65'535, 'f')};
    for (const std::string& id : lengths) REQUIRE(fixture.make(id) != nullptr);
    for (const std::string& id : lengths) {
        Session* session = fixture.find(id);
        REQUIRE(session != nullptr);
        CHECK(session->client_id() == id);
    }
    CHECK(fixture.find("z") == nullptr);
    CHECK(fixture.counters.sessions.read() == std::size(lengths));
    for (const std::string& id : lengths) fixture.sessions.destroy(*fixture.find(id));
    CHECK(fixture.objects("sessions") == 0);
    CHECK(fixture.bytes("sessions") == 0);
    CHECK(fixture.heap_objects() == 0);
}

TEST_CASE("session table: holds many sessions, and a removed one is gone") {
    TableFixture fixture;
    for (uint32_t number = 0; number < 20'000; ++number) {
        REQUIRE(fixture.make("client-" + std::to_string(number)) != nullptr);
    }
    for (uint32_t number = 0; number < 20'000; number += 2) {
        fixture.sessions.destroy(*fixture.find("client-" + std::to_string(number)));
    }
    for (uint32_t number = 0; number < 20'000; ++number) {
        const std::string id = "client-" + std::to_string(number);
        REQUIRE((fixture.find(id) != nullptr) == (number % 2 == 1));
        REQUIRE(fixture.sessions.knows_hash(fixture.context.hash(id)) == (number % 2 == 1));
    }
    CHECK(fixture.sessions.count() == 10'000);
}

TEST_CASE("session table: extras exist only while something needs them") {
    TableFixture fixture;
    Session* session = fixture.make("a");
    REQUIRE(fixture.sessions.try_extras(*session) != nullptr);
    session->extras->received_qos2.insert(fixture.heap, 5);
    fixture.sessions.drop_extras_if_unused(*session);
    CHECK(session->extras != nullptr);
    session->extras->received_qos2.erase(fixture.heap, 5);
    fixture.sessions.drop_extras_if_unused(*session);
    CHECK(session->extras == nullptr);
    CHECK(fixture.objects("session extras") == 0);
}

TEST_CASE("session table: destroying a session lets go of all that hangs on it") {
    TableFixture fixture;
    Session* session = fixture.make("a");
    SessionExtras* extras = fixture.sessions.try_extras(*session);
    Message message;
    message.topic = "t";
    StoredMessage* stored = fixture.store.try_store(message);
    MessageStore::hold(*stored);
    MessageStore::hold(*stored);
    extras->will = fixture.sessions.try_make_will({stored, 0, 0, false});
    extras->waiting.push(fixture.heap, {stored, 0, mqtt::Qos::at_least_once, false});
    extras->inflight.push(fixture.heap, {stored, 1, 0, 2, InflightEntry::State::awaiting_puback,
                                         false, false});
    extras->received_qos2.insert(fixture.heap, 9);
    fixture.counters.waiting_messages.add();
    fixture.wheel.start(extras->timer, fixture.context.now + Duration::s(1));
    fixture.sessions.destroy(*session);
    CHECK(fixture.objects("stored messages") == 0);
    CHECK(fixture.objects("wills") == 0);
    CHECK(fixture.objects("session extras") == 0);
    CHECK(fixture.wheel.started_count() == 0);
    CHECK(fixture.counters.waiting_messages.read() == 0);
    CHECK(fixture.heap_objects() == 0);
}

TEST_CASE("session table: used-up memory is an answer") {
    TableFixture fixture(Arena::chunk_bytes * 4);
    uint32_t made = 0;
    while (fixture.make("client-" + std::to_string(made)) != nullptr) ++made;
    CHECK(made > 100);
    CHECK(fixture.sessions.count() == made);
    for (uint32_t number = 0; number < made; ++number) {
        REQUIRE(fixture.find("client-" + std::to_string(number)) != nullptr);
    }
}

TEST_CASE("session: an idle one is small") { CHECK(sizeof(Session) <= 56); }
