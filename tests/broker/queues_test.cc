#include <doctest/doctest.h>

#include <set>

#include "broker/growing_ring.h"
#include "broker/inflight.h"
#include "broker/message_queue.h"
#include "broker/packet_id_set.h"
#include "broker/stored_message.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

InflightEntry entry_of(PacketNumber number, bool foreign = false) {
    return {nullptr, number.sequence, 0, number.packet_id(),
            InflightEntry::State::awaiting_puback, foreign, false};
}

Message message_of(std::string_view topic, std::string_view payload) {
    Message message;
    message.topic = topic;
    message.payload = as_bytes(payload);
    return message;
}

}  // namespace

TEST_CASE("growing ring: keeps the order across growth and wrap-around") {
    ShardFixture shard;
    GrowingRing<uint32_t> ring;
    uint32_t pushed = 0;
    uint32_t popped = 0;
    for (uint32_t round = 0; round < 200; ++round) {
        for (uint32_t step = 0; step < 3; ++step) REQUIRE(ring.push_back(shard.heap, pushed++));
        REQUIRE(ring.at(0) == popped);
        ring.pop_front(shard.heap);
        ++popped;
        REQUIRE(ring.at(ring.count() - 1) == pushed - 1);
    }
    while (!ring.empty()) {
        REQUIRE(ring.at(0) == popped++);
        ring.pop_front(shard.heap);
    }
    CHECK(popped == pushed);
}

TEST_CASE("growing ring: owns nothing when it is empty") {
    ShardFixture shard;
    GrowingRing<uint32_t> ring;
    CHECK(shard.heap_objects() == 0);
    for (uint32_t value = 0; value < 100; ++value) ring.push_back(shard.heap, value);
    CHECK(shard.heap_objects() == 1);
    while (!ring.empty()) ring.pop_front(shard.heap);
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("growing ring: refuses when memory is used up, and keeps what it has") {
    ShardFixture shard(Arena::chunk_bytes * 2);
    GrowingRing<uint64_t> ring;
    uint64_t count = 0;
    while (ring.push_back(shard.heap, count)) ++count;
    CHECK(count > 0);
    CHECK(ring.count() == count);
    CHECK(ring.at(0) == 0);
    CHECK(ring.at(static_cast<uint32_t>(count) - 1) == count - 1);
    ring.release(shard.heap);
}

TEST_CASE("packet id set: behaves like a set, in any order of insertion") {
    ShardFixture shard;
    PacketIdSet ids;
    std::set<uint16_t> model;
    Prng random(3);
    for (uint32_t step = 0; step < 20'000; ++step) {
        const uint16_t id = static_cast<uint16_t>(random.below(300) + 1);
        if (random.chance(0.5)) {
            REQUIRE(ids.insert(shard.heap, id));
            model.insert(id);
        } else {
            REQUIRE(ids.erase(shard.heap, id) == (model.erase(id) == 1));
        }
        REQUIRE(ids.count() == model.size());
        REQUIRE(ids.contains(id) == model.contains(id));
    }
    CHECK(std::equal(ids.ids().begin(), ids.ids().end(), model.begin(), model.end()));
    ids.clear(shard.heap);
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("packet numbers: give every identifier from 1 to 65535 in a round, and never 0") {
    PacketNumbers numbers;
    std::set<uint16_t> seen;
    for (uint32_t step = 0; step < 65'535; ++step) seen.insert(numbers.next().packet_id());
    CHECK(seen.size() == 65'535);
    CHECK(!seen.contains(0));
}

TEST_CASE("inflight: a number is free again when its packet was acknowledged") {
    ShardFixture shard;
    PacketNumbers numbers;
    Inflight inflight;
    const PacketNumber first = numbers.next();
    REQUIRE(inflight.push(shard.heap, entry_of(first)));
    PacketNumber number = numbers.next();
    while (number.packet_id() != first.packet_id()) {
        REQUIRE(inflight.is_free(number));
        number = numbers.next();
    }
    CHECK(!inflight.is_free(number));
    CHECK(inflight.is_free(numbers.next()));
    inflight.finish(shard.heap, *inflight.find(first.packet_id()));
    CHECK(inflight.is_free(number));
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("inflight: numbers stay distinct over the wrap of the 32-bit counter") {
    ShardFixture shard;
    Inflight inflight;
    for (const uint32_t distance : {0u, 1u, 2u, 30'000u, 65'533u, 65'534u}) {
        const PacketNumber before{UINT32_MAX - distance};
        REQUIRE(inflight.push(shard.heap, entry_of(before)));
        for (uint32_t sequence = 1; sequence < 200'000; ++sequence) {  // 0 is never given
            const PacketNumber number{sequence};
            REQUIRE(inflight.is_free(number) == (number.packet_id() != before.packet_id()));
        }
        inflight.finish(shard.heap, *inflight.find(before.packet_id()));
    }
}

TEST_CASE("inflight: what was sent up to a number is told from what came later, over the wrap too") {
    ShardFixture shard;
    Inflight inflight;
    const PacketNumber before{UINT32_MAX}, later{2};
    CHECK_FALSE(inflight.has_open_until(UINT32_MAX));
    for (const PacketNumber number : {before, later}) {
        REQUIRE(inflight.push(shard.heap, entry_of(number)));
    }
    CHECK(inflight.has_open_until(UINT32_MAX));
    CHECK_FALSE(inflight.has_open_until(UINT32_MAX - 1));
    inflight.finish(shard.heap, *inflight.find(before.packet_id()));
    CHECK_FALSE(inflight.has_open_until(UINT32_MAX));
    CHECK(inflight.has_open_until(2));
    // Of another shard: its number says nothing.
    REQUIRE(inflight.push(shard.heap, entry_of({70'000}, true)));
    CHECK(inflight.has_open_until(UINT32_MAX));
    MessageStore store(shard.heap, shard.ledger);
    inflight.clear(shard.heap, store);
}

TEST_CASE("inflight: an entry of another shard occupies its identifier whatever its number") {
    ShardFixture shard;
    Inflight inflight;
    const PacketNumber foreign{5'000'000};
    REQUIRE(inflight.push(shard.heap, entry_of(foreign, true)));
    const PacketNumber own{static_cast<uint32_t>(foreign.packet_id()) - 1};
    REQUIRE(own.packet_id() == foreign.packet_id());
    CHECK(!inflight.is_free(own));
    CHECK(inflight.is_free({own.sequence + 1}));
    inflight.finish(shard.heap, *inflight.find(foreign.packet_id()));
    CHECK(inflight.is_free(own));
}

TEST_CASE("inflight: acknowledged out of order, the rest stays in the order of sending") {
    ShardFixture shard;
    Inflight inflight;
    for (uint32_t sequence = 1; sequence <= 10; ++sequence) {
        REQUIRE(inflight.push(shard.heap, entry_of({sequence})));
    }
    for (const uint32_t sequence : {4u, 1u, 10u, 2u}) {
        inflight.finish(shard.heap, *inflight.find(PacketNumber{sequence}.packet_id()));
    }
    CHECK(inflight.find(PacketNumber{4}.packet_id()) == nullptr);
    CHECK(inflight.count() == 6);
    std::vector<uint32_t> left;
    inflight.for_each([&](InflightEntry& entry) { left.push_back(entry.sequence); });
    CHECK(left == std::vector<uint32_t>{3, 5, 6, 7, 8, 9});
    MessageStore store(shard.heap, shard.ledger);
    inflight.clear(shard.heap, store);
    CHECK(inflight.empty());
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("stored message: lives as long as somebody counts a reference") {
    ShardFixture shard;
    MessageStore store(shard.heap, shard.ledger);
    StoredMessage* stored = store.try_store(message_of("a/b", "hello"));
    REQUIRE(stored != nullptr);
    MessageStore::hold(*stored);
    store.release(*stored);
    CHECK(shard.objects("stored messages") == 1);
    CHECK(as_text(stored->read().payload) == "hello");
    CHECK(stored->read().topic == "a/b");
    store.release(*stored);
    CHECK(shard.objects("stored messages") == 0);
    CHECK(shard.bytes("stored messages") == 0);
    CHECK(shard.heap_objects() == 0);
}

TEST_CASE("stored message: keeps publisher and expiry beside the canonical bytes") {
    ShardFixture shard;
    MessageStore store(shard.heap, shard.ledger);
    Message message = message_of("t", "p");
    message.publisher = 77;
    message.expires = Instant::at_ms(5'000);
    StoredMessage* first = store.try_store(message);
    StoredMessage* copy = store.try_store_canonical(first->canonical(), first->expires,
                                                    first->publisher);
    CHECK(copy->read().publisher == 77);
    CHECK(copy->read().expires == Instant::at_ms(5'000));
    CHECK(!copy->expired(Instant::at_ms(4'999)));
    CHECK(copy->expired(Instant::at_ms(5'000)));
    store.release(*first);
    store.release(*copy);
}

TEST_CASE("message queue: counts bytes and references, first in first out") {
    ShardFixture shard;
    MessageStore store(shard.heap, shard.ledger);
    MessageQueue queue;
    StoredMessage* shared = store.try_store(message_of("t", "shared"));
    for (uint32_t id = 1; id <= 5; ++id) {
        MessageStore::hold(*shared);
        REQUIRE(queue.push(shard.heap, {shared, id, mqtt::Qos::at_least_once, false}));
    }
    CHECK(shared->references == 6);
    CHECK(queue.bytes() == uint64_t{5} * shared->canonical_length);
    CHECK(!queue.would_exceed(6, queue.bytes() + 10, 10));
    CHECK(queue.would_exceed(5, UINT64_MAX, 10));
    CHECK(queue.would_exceed(6, queue.bytes() + 9, 10));
    const QueuedMessage oldest = queue.pop(shard.heap);
    CHECK(oldest.subscription_id == 1);
    store.release(*oldest.message);
    queue.clear(shard.heap, store);
    CHECK(queue.bytes() == 0);
    CHECK(shared->references == 1);
    store.release(*shared);
    CHECK(shard.heap_objects() == 0);
}
