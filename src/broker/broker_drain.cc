// A drain: connections are told to go one after the other, at a rate, and the others are served as
// before until it's their turn (MQTT 5.0, 4.11 and 3.14).
//
// What is promised: what was acknowledged to its publisher before a receiver's turn came reaches
// this receiver before its goodbye, and is acknowledged by it if it takes no longer than
// timeouts.drain. So a turn goes like this:
//
//   1. state `leaving`: what was read from the client has been answered. Of what comes later
//      only acknowledgements count. Other members of its shared groups are preferred.
//   2. A mark goes through all shards and comes back (drain_marks.h): everything older is here.
//   3. All of that is sent, and then acknowledged. What comes meanwhile is sent too, but nobody
//      waits for its acknowledgement: else a steady stream would never let the client go.
//   4. DISCONNECT behind what stands in its ring, and an orderly close.
//
// What is published between turn and goodbye may reach the client or not. If its session is kept it
// waits there, and ends with the process: left_behind() says how much that is.
#include <algorithm>

#include "broker/broker.h"

namespace millrace {

namespace {

constexpr uint32_t sheds_a_turn_max = 256;
constexpr uint32_t buckets_a_turn_max = 4'096;
constexpr Duration tick = Duration::ms(1);
constexpr Duration idle_look = Duration::ms(50);   // when nobody is there to be told

}  // namespace

mqtt::Reason Broker::goodbye_reason() const {
    return context_.live->drain.server_reference.empty() ? mqtt::Reason::server_shutting_down
                                                          : mqtt::Reason::use_another_server;
}

// A CONNACK has no "shutting down" (3.2.2.2).
mqtt::Reason Broker::refusal_of_newcomers() const {
    return context_.live->drain.server_reference.empty() ? mqtt::Reason::server_unavailable
                                                          : mqtt::Reason::use_another_server;
}

void Broker::begin_drain(uint32_t rate) {
    MR_ASSERT(drain_ == nullptr);
    MR_ASSERT(!shutting_down_);
    drain_ = std::make_unique<Drain>(ShedPace(context_.now, rate, context_.self(),
                                              context_.shard_count()));
    drain_->timer.kind = static_cast<uint8_t>(TimerKind::drain);
    context_.wheel.start(drain_->timer, drain_->pace.next_due());
}

bool Broker::has_shed_all() const {
    // Whoever asked for a session before the drain still gets it, and is told like all others.
    return drain_ != nullptr && connection_count() == 0 && claims_.empty();
}

// Looks on from where it stopped: a bounded way of it, so that a table of many absent clients
// holds nothing up.
void Broker::shed_due() {
    Drain& drain = *drain_;
    uint64_t due = std::min<uint64_t>(drain.pace.due(context_.now), sheds_a_turn_max);
    std::vector<Connection*> found;
    for (uint32_t left = buckets_a_turn_max; left > 0 && due > 0 && has_unshed(); --left) {
        found.clear();
        const uint32_t next = sessions_.for_each_from(drain.cursor, 1, [&](Session& session) {
            if (may_shed(session)) found.push_back(session.connection);
        });
        const auto count = std::min<uint64_t>(due, found.size());
        for (uint64_t index = 0; index < count; ++index) {
            // One that waits for other shards' answer leaves with that; but it does.
            if (mqtt_of(*found[index]).is_held) drain.held.insert(found[index]);
            else begin_leaving(*found[index]);
        }
        drain.pace.take(count);
        due -= count;
        if (count == found.size()) drain.cursor = next;
    }
    send_mark();
    const Instant soon = context_.now + (has_unshed() ? tick : idle_look);
    context_.wheel.start(drain.timer, std::max(drain.pace.next_due(), soon));
}

bool Broker::has_unshed() const { return connection_count() > drain_->leaving.size(); }

bool Broker::may_shed(const Session& session) const {
    Connection* connection = session.connection;
    if (connection == nullptr) return false;
    if (mqtt_of(*connection).state != MqttConnection::State::connected) return false;
    return !mqtt_of(*connection).is_held || !drain_->held.contains(connection);
}

void Broker::leave_if_due(Connection& connection) {
    if (drain_->held.erase(&connection) == 0) return;
    begin_leaving(connection);
    send_mark();
}

void Broker::begin_leaving(Connection& connection) {
    MqttConnection& client = mqtt_of(connection);
    client.state = MqttConnection::State::leaving;
    drain_->leaving.emplace(&connection, Leaving{.round = drain_->round + 1});
    if (connection.receive_paused) {   // its acknowledgements are wanted
        std::erase(paused_, &connection);
        context_.outbox.set_receive_paused(connection, false);
    }
    context_.wheel.start(client.timer, context_.now + drain_time());
    count_memberships(*client.session, Membership::gone);
    announce_memberships(*client.session);
    drain_->unmarked.push_back(&connection);
}

Duration Broker::drain_time() const {
    return Duration::ms(context_.live->timeouts.drain.count());
}

// For all that have had their turn since the last one left; when that is back.
void Broker::send_mark() {
    if (drain_->unmarked.empty() || marks_.is_out()) return;
    marks_.send();
    ++drain_->round;
    drain_->marked.swap(drain_->unmarked);
    post_mark(DrainMarks::Stage::asked, context_.self());
}

void Broker::post_mark(DrainMarks::Stage stage, uint32_t origin) {
    for (uint32_t shard = 0; shard < context_.shard_count(); ++shard) {
        post_.post(shard, DrainMarkMail{MailKind::drain_mark, stage, 0, origin});
    }
}

// Every shard passes marks on, whether it drains itself by now or not yet.
void Broker::on_drain_mark(uint32_t from, Bytes bytes) {
    Bytes rest;
    const DrainMarkMail mail = read_mail<DrainMarkMail>(bytes, rest);
    using Stage = DrainMarks::Stage;
    switch (mail.stage) {
    case Stage::asked:
        post_mark(Stage::published, mail.origin);
        return;
    case Stage::published:
        if (marks_.on_published(mail.origin, from)) post_mark(Stage::routed, mail.origin);
        return;
    case Stage::routed:
        if (!marks_.on_routed(mail.origin, from)) return;
        post_.post(mail.origin, DrainMarkMail{MailKind::drain_mark, Stage::delivered, 0, mail.origin});
        return;
    case Stage::delivered:
        if (marks_.on_delivered(from)) on_mark_back();
        return;
    }
    MR_UNREACHABLE();
}

void Broker::on_mark_back() {
    const std::vector<Connection*> marked = std::exchange(drain_->marked, {});
    const uint64_t round = drain_->round;
    for (Connection* connection : marked) {
        const auto place = drain_->leaving.find(connection);
        if (place == drain_->leaving.end() || place->second.round != round) continue;  // has gone
        place->second.is_marked = true;
        finish_leaving(*connection);
    }
    send_mark();
}

// Its goodbye, when it has had and acknowledged everything, or has had its time.
void Broker::finish_leaving(Connection& connection) {
    Leaving& leaving = drain_->leaving.at(&connection);
    if (!leaving.is_marked) return;
    Session& session = *mqtt_of(connection).session;
    if (session.extras != nullptr && !leaving.is_late) {
        const Inflight& inflight = session.extras->inflight;
        if (!leaving.has_fence) {
            if (!session.extras->waiting.empty() || inflight.unsent_count() > 0) return;
            leaving.has_fence = true;
            leaving.fence = fanout_.last_sequence();
        }
        if (inflight.has_open_until(leaving.fence)) return;
    }
    context_.counters.sheds.add();
    if (leaving.is_late) context_.counters.sheds_late.add();
    sessions_.drop_will(session);
    disconnect_client(connection, goodbye_reason(), CloseReason::shutdown);
    // Then it's closed even if it doesn't take that.
    context_.wheel.start(mqtt_of(connection).timer, context_.now + drain_time());
}

// Its packets so far are answered; these are the last ones.
void Broker::on_received_late(Connection& connection, Bytes bytes) {
    const MqttConnection& client = mqtt_of(connection);
    if (client.state == MqttConnection::State::ended) return;
    process(connection, bytes);
    if (client.state == MqttConnection::State::leaving) finish_leaving(connection);
}

// A client that leaves sent something: an acknowledgement, a ping, which is always answered
// (3.12.4), its own goodbye, or what is for another server now and isn't answered.
bool Broker::on_leaving_packet(Connection& connection, const mqtt::FixedHeader& header, Bytes body) {
    switch (header.type) {
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp:
    case mqtt::PacketType::pingreq:
    case mqtt::PacketType::disconnect:
        return on_connected_packet(connection, header, body);
    default:
        return true;
    }
}

void Broker::on_leaving_timer(Connection& connection) {
    drain_->leaving.at(&connection).is_late = true;
    finish_leaving(connection);
}

LeftBehind Broker::left_behind() {
    LeftBehind left;
    sessions_.for_each_from(0, UINT32_MAX, [&](Session& session) {
        if (session.extras == nullptr) return;
        uint64_t messages = session.extras->waiting.count();
        session.extras->inflight.for_each([&](const InflightEntry& entry) {
            messages += entry.message != nullptr ? 1 : 0;
        });
        left.messages += messages;
        left.sessions += messages > 0 ? 1 : 0;
    });
    return left;
}

}  // namespace millrace
