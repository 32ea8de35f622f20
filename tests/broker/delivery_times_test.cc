// How long deliveries took: what is noted in a turn, and what a broker notes.
#include "broker/delivery_times.h"

#include <doctest/doctest.h>

#include <memory>

#include "broker_fixture.h"
#include "shard_fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

constexpr Instant at_us(int64_t value) { return Instant{} + Duration::us(1'000'000 + value); }

// Two shards of one mesh, turned in turn; the time is the test's.
struct TwoBrokers {
    struct Side : Shard {
        Side(MailMesh& mesh, uint32_t self, Pressure& pressure)
            : Shard(mesh, self),
              broker({live, heap, blocks, outbox, wheel, mailbox, ledger, counters, pressure,
                      nullptr, HashKey{0x5eed}, self + 1, &delivery}) {}
        DurationHistogram delivery;
        Broker broker;
    };
    TwoBrokers() {
        for (uint32_t self = 0; self < 2; ++self) {
            sides.push_back(std::make_unique<Side>(*mesh, self, pressure));
            sides.back()->live.timeouts.sys_interval = std::chrono::milliseconds(0);
        }
    }
    // A turn from `began` until `ended`.
    void turn(Side& side, Instant began, Instant ended, std::span<const Event> events) {
        side.broker.begin_turn(began);
        for (const Event& event : events) side.broker.on_event(event);
        side.mailbox.drain(Instant::never(), UINT32_MAX, [&](uint32_t from, Bytes mail) {
            side.broker.on_mail(from, mail);
        });
        side.broker.end_turn(began);
        side.mailbox.flush(began);
        for (Connection* one = side.outbox.take_all(); one != nullptr;) {
            Connection* const next = one->next_dirty;
            one->dirty = false;
            one->out.clear(side.heap, side.blocks);
            one = next;
        }
        side.broker.turn_ended(ended);
    }
    // Until nothing is on its way any more.
    void settle(Instant now) {
        for (int step = 0; step < 6; ++step) {
            for (const auto& side : sides) turn(*side, now, now, {});
        }
    }
    void feed(Side& side, Connection& connection, Bytes bytes, Instant now) {
        const Event event{Event::Kind::received, &connection, bytes};
        turn(side, now, now, {&event, 1});
        settle(now);
    }
    void connect(Side& side, Connection& connection, std::string_view client_id, Instant now) {
        const Event event{Event::Kind::accepted, &connection, {}};
        turn(side, now, now, {&event, 1});
        mqtt::Connect packet;
        packet.client_id = client_id;
        std::vector<uint8_t> bytes(mqtt::encoded_bytes(packet));
        ByteWriter out(bytes);
        mqtt::encode(out, packet);
        feed(side, connection, bytes, now);
    }
    void leave(Side& side, Connection& connection, Instant now) {
        connection.close_reason = CloseReason::peer_closed;
        const Event event{Event::Kind::closed, &connection, {}};
        turn(side, now, now, {&event, 1});
        settle(now);
    }

    std::unique_ptr<MailMesh> mesh = make_mesh(2);
    Pressure pressure;
    std::vector<std::unique_ptr<Side>> sides;
};

template <class Packet>
std::vector<uint8_t> encoded_v5(const Packet& packet) {
    std::vector<uint8_t> bytes(mqtt::encoded_bytes(mqtt::Version::v5, packet));
    ByteWriter out(bytes);
    mqtt::encode(out, mqtt::Version::v5, packet);
    return bytes;
}

}  // namespace

TEST_CASE("delivery times: each message counts from its own time to the hand-over") {
    DeliveryTimes times;
    DurationHistogram figures;
    times.note(at_us(0));
    times.note(at_us(0));
    times.note(at_us(30));
    times.handed_over(at_us(40), figures);
    const HistogramView view = figures.view();
    CHECK(view.count() == 3);
    CHECK(view.count_up_to(10) == 1);
    CHECK(view.sum == 90'000);
    CHECK(view.max == 40'000);
}

TEST_CASE("delivery times: a turn without a message adds nothing, and none counts twice") {
    DeliveryTimes times;
    DurationHistogram figures;
    times.handed_over(at_us(5), figures);
    times.note(at_us(0));
    times.handed_over(at_us(10), figures);
    times.handed_over(at_us(20), figures);
    CHECK(figures.view().count() == 1);
    CHECK(figures.view().sum == 10'000);
}

TEST_CASE("delivery times: with more times than there's room for none is lost or made shorter") {
    DeliveryTimes times;
    DurationHistogram figures;
    constexpr int64_t count = 10 * DeliveryTimes::entries_max;
    for (int64_t index = 0; index < count; ++index) times.note(at_us(index * 10));
    const Instant end = at_us(count * 10);
    times.handed_over(end, figures);
    const HistogramView view = figures.view();
    CHECK(view.count() == count);
    CHECK(view.max == static_cast<uint64_t>(count) * 10'000);
    const uint64_t exact = static_cast<uint64_t>(count) * (count + 1) / 2 * 10'000;
    CHECK(view.sum >= exact);
    CHECK(view.sum <= exact + exact / 20);
}

TEST_CASE("delivery times: a clock that stood still or went back counts as nothing") {
    DeliveryTimes times;
    DurationHistogram figures;
    times.note(at_us(7));
    times.handed_over(at_us(5), figures);
    CHECK(figures.view().count() == 1);
    CHECK(figures.view().sum == 0);
}

TEST_CASE("delivery times: a publish counts once a shard with receivers, mailbox included") {
    TwoBrokers two;
    const Instant start = Shard::start;
    Connection publisher{};
    Connection near{};
    Connection far{};
    two.connect(*two.sides[0], publisher, "publisher", start);
    two.connect(*two.sides[0], near, "near", start);
    two.connect(*two.sides[1], far, "far", start);
    mqtt::SubscribeEntry entry;
    entry.filter = "a/#";
    mqtt::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.entries = {&entry, 1};
    two.feed(*two.sides[0], near, encoded_v5(subscribe), start);
    two.feed(*two.sides[1], far, encoded_v5(subscribe), start);
    // A topic whose home is the publisher's shard, so that the mail goes one way.
    mqtt::Publish publish;
    const std::string_view topics[] = {"a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7"};
    for (const std::string_view topic : topics) {
        publish.topic = topic;
        if ((hash_text(topic, HashKey{0x5eed}) >> 8 & 1) == 0) break;
    }
    const std::vector<uint8_t> packet = encoded_v5(publish);
    const Event event{Event::Kind::received, &publisher, packet};
    two.turn(*two.sides[0], start, start + Duration::us(5), {&event, 1});
    CHECK(two.sides[0]->delivery.view().count() == 1);
    CHECK(two.sides[0]->delivery.view().sum == 5'000);
    CHECK(two.sides[1]->delivery.view().count() == 0);
    two.turn(*two.sides[1], start + Duration::us(20), start + Duration::us(90), {});
    CHECK(two.sides[1]->delivery.view().count() == 1);
    CHECK(two.sides[1]->delivery.view().sum == 90'000);
    // Nobody wants it: nothing is delivered, so nothing counts.
    publish.topic = "b";
    two.feed(*two.sides[0], publisher, encoded_v5(publish), start);
    CHECK(two.sides[0]->delivery.view().count() + two.sides[1]->delivery.view().count() == 2);
    two.leave(*two.sides[0], publisher, start);
    two.leave(*two.sides[0], near, start);
    two.leave(*two.sides[1], far, start);
}
