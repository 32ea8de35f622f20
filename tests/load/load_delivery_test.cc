// Following deliveries: sequence numbers, completion, packet identifiers, checks of a payload.
#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "load/delivery_check.h"
#include "load/delivery_tracker.h"
#include "load/packet_window.h"
#include "load/payload.h"

using namespace millrace;

TEST_CASE("load: numbers in order are each resolved by their own arrival") {
    DeliveryTracker tracker(2, UINT64_MAX);
    for (uint64_t sequence = 0; sequence < 200; ++sequence) {
        const Arrival arrival = tracker.accept(1, sequence);
        CHECK(arrival.kind == Arrival::Kind::in_order);
        CHECK(arrival.first_resolved == sequence);
    }
    CHECK(tracker.expected(1) == 200);
    CHECK(tracker.expected(0) == 0);
}

TEST_CASE("load: a gap resolves what was skipped, and a skipped one may come late once") {
    DeliveryTracker tracker(1, UINT64_MAX);
    tracker.accept(0, 0);
    const Arrival gap = tracker.accept(0, 4);
    CHECK(gap.kind == Arrival::Kind::after_gap);
    CHECK(gap.skipped == 3);
    CHECK(gap.first_resolved == 1);
    CHECK(tracker.accept(0, 2).kind == Arrival::Kind::late);
    CHECK(tracker.accept(0, 2).kind == Arrival::Kind::duplicate);
    CHECK(tracker.accept(0, 5).kind == Arrival::Kind::in_order);
}

TEST_CASE("load: a number that came before is a duplicate, however old") {
    DeliveryTracker tracker(1, UINT64_MAX);
    for (uint64_t sequence = 0; sequence < 100; ++sequence) tracker.accept(0, sequence);
    CHECK(tracker.accept(0, 99).kind == Arrival::Kind::duplicate);
    CHECK(tracker.accept(0, 36).kind == Arrival::Kind::duplicate);
    CHECK(tracker.accept(0, 0).kind == Arrival::Kind::duplicate);
}

TEST_CASE("load: after a gap of more than 64 nothing old is remembered as come") {
    DeliveryTracker tracker(1, UINT64_MAX);
    tracker.accept(0, 0);
    CHECK(tracker.accept(0, 64).skipped == 63);
    CHECK(tracker.accept(0, 1).kind == Arrival::Kind::late);
    CHECK(tracker.accept(0, 0).kind == Arrival::Kind::duplicate);
}

TEST_CASE("load: a number too far ahead is unknown and changes nothing") {
    DeliveryTracker tracker(1, 10);
    CHECK(tracker.accept(0, 10).kind == Arrival::Kind::unknown);
    CHECK(tracker.accept(0, 9).kind == Arrival::Kind::after_gap);
    CHECK(tracker.accept(0, UINT64_MAX).kind == Arrival::Kind::unknown);
    CHECK(tracker.expected(0) == 10);
}

TEST_CASE("load: a message is complete when the last receiver has it") {
    CompletionCount completion(3, 4);
    for (uint64_t sequence : {0, 1, 2, 0, 1}) completion.add(sequence);
    CHECK(completion.complete() == 0);
    completion.add(0);
    CHECK(completion.complete() == 1);
    completion.add(1);
    CHECK(completion.complete() == 2);
    for (int receiver = 0; receiver < 2; ++receiver) completion.add(2);
    CHECK(completion.complete() == 3);
}

TEST_CASE("load: completion goes on past the window's wrap") {
    CompletionCount completion(2, 3);
    for (uint64_t sequence = 0; sequence < 50; ++sequence) {
        completion.add(sequence);
        completion.add(sequence);
        CHECK(completion.complete() == sequence + 1);
    }
}

TEST_CASE("load: a packet identifier isn't taken again while its flow is open") {
    using Step = PacketWindow::Step;
    PacketWindow window;
    CHECK(!window.can_take());
    window.reset(2);
    CHECK(window.take(Step::puback) == 1);
    CHECK(window.take(Step::pubrec) == 2);
    CHECK(!window.can_take());
    CHECK(window.move(2, Step::pubrec, Step::pubcomp));
    CHECK(!window.move(2, Step::pubrec, Step::pubcomp));
    CHECK(!window.can_take());
    CHECK(window.move(1, Step::puback, Step::idle));
    CHECK(window.can_take());
    CHECK(!window.move(0, Step::puback, Step::idle));
    CHECK(!window.move(3, Step::puback, Step::idle));
}

TEST_CASE("load: a packet identifier that was put back is the next one") {
    using Step = PacketWindow::Step;
    PacketWindow window;
    window.reset(2);
    window.take(Step::puback);
    CHECK(window.take(Step::puback) == 2);
    window.put_back();
    CHECK(window.move(1, Step::puback, Step::idle));
    CHECK(window.take(Step::puback) == 2);
    window.put_back();
    CHECK(window.take(Step::puback) == 2);
}

TEST_CASE("load: a payload's stamp comes back, and any flipped bit is seen") {
    for (const uint32_t bytes : {16u, 17u, 23u, 24u, 25u, 200u}) {
        const PayloadPattern pattern(bytes, 0x1234'5678);
        std::vector<uint8_t> payload(bytes);
        pattern.fill(payload.data(), {111, 222, 333});
        const auto stamp = pattern.check(payload);
        REQUIRE(stamp.has_value());
        CHECK(stamp->sent_at_ns == 111);
        CHECK(stamp->sequence == 222);
        CHECK(stamp->publisher == 333);
        const uint32_t head_bytes = bytes < 24 ? 14 : 20;
        for (uint32_t index = head_bytes; index < bytes; ++index) {
            payload[index] ^= 1;
            CHECK(!pattern.check(payload).has_value());
            payload[index] ^= 1;
        }
        CHECK(!pattern.check(Bytes(payload).first(bytes - 1)).has_value());
    }
}

namespace {

struct CheckedShard {
    explicit CheckedShard(const LoadOptions& options)
        : plan(LoadPlan::make(options, 77)),
          pattern(options.payload_bytes, 77),
          check(plan, 0, pattern, totals, latency) {
        check.measure();
    }
    void deliver(uint32_t subscriber, uint32_t publisher, uint64_t sequence) {
        std::vector<uint8_t> payload(plan.options.payload_bytes);
        pattern.fill(payload.data(), {1'000, sequence, publisher});
        NameBuffer topic;
        plan.publish_topic(topic, publisher);
        PublishView publish;
        publish.topic = topic.text();
        publish.payload = payload;
        check.on_publish(subscriber, publish, Instant{3'000});
    }

    LoadPlan plan;
    PayloadPattern pattern;
    LoadTotals totals;
    Histogram latency;
    DeliveryCheck check;
};

}  // namespace

TEST_CASE("load: a fan-out message has advanced when every subscriber of the shard has it") {
    CheckedShard shard({.mode = LoadMode::fanout, .publisher_count = 2, .subscriber_count = 3,
                        .window_count = 4, .message_count = 10});
    std::vector<uint64_t> advanced;
    const auto take = [&] {
        shard.check.take_advanced([&](uint32_t publisher, uint64_t complete) {
            advanced.push_back(publisher * 100 + complete);
        });
    };
    shard.deliver(0, 1, 0);
    shard.deliver(1, 1, 0);
    take();
    CHECK(advanced.empty());
    shard.deliver(2, 1, 0);
    take();
    CHECK(advanced == std::vector<uint64_t>{101});
    CHECK(shard.totals.delivered == 3);
    CHECK(shard.totals.resolved == 3);
    CHECK(shard.latency.max() == 2'000);
}

TEST_CASE("load: lost, late, doubled and foreign messages are counted apart") {
    CheckedShard shard({.mode = LoadMode::fanin, .publisher_count = 2, .subscriber_count = 1,
                        .window_count = 8, .message_count = 100});
    shard.deliver(0, 0, 0);
    shard.deliver(0, 0, 3);
    CHECK(shard.totals.missing == 2);
    shard.deliver(0, 0, 1);
    CHECK(shard.totals.missing == 1);
    CHECK(shard.totals.late == 1);
    shard.deliver(0, 0, 3);
    CHECK(shard.totals.duplicates == 1);
    shard.deliver(0, 2, 0);
    CHECK(shard.totals.corrupt == 1);
    CHECK(shard.totals.delivered == 3);
    CHECK(shard.totals.resolved == 4);
}

TEST_CASE("load: in pair a message of another pair is corrupt") {
    CheckedShard shard({.mode = LoadMode::pair, .publisher_count = 2, .subscriber_count = 2,
                        .window_count = 1, .message_count = 10});
    shard.deliver(1, 1, 0);
    CHECK(shard.totals.delivered == 1);
    shard.deliver(1, 0, 0);
    CHECK(shard.totals.corrupt == 1);
}
