#include "base/probes.h"
#include "broker/broker.h"
#include "broker/client_log.h"

#include "codec/mqtt/decode.h"

namespace millrace {

Broker::Broker(const BrokerParts& parts)
    : context_{&parts.live,  parts.heap,     parts.blocks,   parts.outbox,     parts.wheel,
               parts.mailbox, parts.ledger, parts.counters, parts.hash_key, Prng(parts.seed), {}},
      pressure_(parts.pressure),
      system_topics_(parts.system_topics),
      delivery_(parts.delivery),
      terms_(Terms::of(parts.live.mqtt)),
      access_(parts.live.mqtt.denied_filters),
      store_(context_.heap, context_.ledger),
      sessions_(context_, store_),
      top_lists_(context_.now, parts.seed),
      tracer_(context_, sessions_, parts.trace_clock),
      index_(context_),
      retained_(context_, store_),
      control_(context_),
      requests_(context_.ledger),
      fanout_(context_, store_, sessions_, requests_, control_),
      router_(context_, index_, retained_, fanout_),
      post_(context_.mailbox, [this](uint32_t from, Bytes mail) { on_mail(from, mail); }),
      registrar_(post_, context_.ledger),
      marks_(context_.shard_count()),
      claims_line_(context_.ledger.line("waiting connects")),
      held_line_(context_.ledger.line("held input")) {
    context_.top_lists = &top_lists_;
    context_.tracer = &tracer_;
    system_timer_.kind = static_cast<uint8_t>(TimerKind::system_topics);
    // However many sessions fill the arena, those who are there can be written to.
    const uint64_t chunks = context_.heap.arena().bytes_max() / Arena::chunk_bytes;
    context_.blocks.keep_ready(static_cast<uint32_t>(std::min<uint64_t>(8, chunks / 8)));
}

Broker::~Broker() {
    context_.wheel.stop(system_timer_);
    if (drain_ != nullptr) context_.wheel.stop(drain_->timer);
}

bool Broker::adopt(const LiveConfig& live) {
    // begin_turn() starts it anew, or doesn't.
    const bool has_new_interval = live.timeouts.sys_interval != context_.live->timeouts.sys_interval;
    if (has_new_interval) context_.wheel.stop(system_timer_);
    context_.live = &live;
    access_ = Access(live.mqtt.denied_filters);
    return terms_.offer(Terms::of(live.mqtt));
}

void Broker::begin_turn(Instant now) {
    MR_PROBE(turn_begin, context_.self());
    context_.now = now;
    context_.outbox.begin_turn(now);
    pressed_ = pressure_.any(context_.shard_count());
    if (system_topics_ != nullptr && !system_timer_.started() && !shutting_down_ &&
        context_.live->timeouts.sys_interval.count() > 0) {
        context_.wheel.start(system_timer_, now);
    }
    if (activity_.is_due(now)) look_for_active(now);
}

void Broker::look_for_active(Instant now) {
    const uint32_t span_ms = static_cast<uint32_t>(ActivityEstimate::span.to_ms());
    uint64_t looked_at = 0;
    uint64_t active = 0;
    const auto look = [&](Session& session) {
        if (session.connection == nullptr) return;
        ++looked_at;
        const Connection& connection = *session.connection;
        const uint32_t silent_ms = now_ms() - mqtt_of(*session.connection).last_received_ms;
        const uint32_t still_ms = now_ms() - connection.send_progress_ms;
        if (silent_ms < span_ms || still_ms < span_ms) ++active;
    };
    const uint32_t from = activity_.cursor;
    activity_.cursor = sessions_.for_each_from(from, ActivityEstimate::buckets_a_look, look);
    activity_.add(now, looked_at, active, from == 0 && activity_.cursor == 0);
    context_.counters.connections_active.set(activity_.of(connection_count()));
}

void Broker::turn_ended(Instant end) {
    if (delivery_ != nullptr) router_.handed_over(end, *delivery_);
}

void Broker::end_turn(Instant) {
    // Well below the bound at which mail is refused: pausing takes a moment to show.
    const uint64_t waiting_bytes = context_.mailbox.overflow_bytes_total();
    context_.counters.mail_waiting_bytes.set(waiting_bytes);
    pressure_.set(context_.self(), waiting_bytes > context_.live->queues.mailbox_bytes_max / 16);
    if (!pressed_ && !paused_.empty()) resume_paused();
    fanout_.end_turn();
    control_.rewind();
    MR_PROBE(turn_end, context_.self());
}

void Broker::resume_paused() {
    for (Connection* connection : paused_) context_.outbox.set_receive_paused(*connection, false);
    paused_.clear();
}

void Broker::on_event(const Event& event) {
    Connection& connection = *event.connection;
    switch (event.kind) {
    case Event::Kind::accepted: {
        MqttConnection& client = *new (connection.user) MqttConnection;
        client.timer.kind = static_cast<uint8_t>(TimerKind::connection);
        client.terms = terms_.join() & (TermsTable::count_max - 1);
        client.last_received_ms = now_ms();
        start_connection_timer(client);
        MR_PROBE(accept, &connection);
        return;
    }
    case Event::Kind::connected:
        MR_UNREACHABLE();  // a broker connects to nobody
    case Event::Kind::received:
        on_received(connection, event.bytes);
        return;
    case Event::Kind::drained:
        on_drained(connection);
        return;
    case Event::Kind::closed:
        on_closed(connection);
        return;
    }
    MR_UNREACHABLE();
}

void Broker::on_received(Connection& connection, Bytes bytes) {
    MqttConnection& client = mqtt_of(connection);
    if (client.state >= MqttConnection::State::leaving) return on_received_late(connection, bytes);
    if (client.state != MqttConnection::State::claiming) client.last_received_ms = now_ms();
    if (client.is_held) {
        keep_held(connection, bytes);
    } else {
        process(connection, bytes);
    }
}

// A client needn't wait for an answer before it sends on (3.1.4), but its packets are answered in
// order: while other shards are being asked, the rest waits, and no more is read.
void Broker::keep_held(Connection& connection, Bytes bytes) {
    if (bytes.empty()) return;
    std::vector<uint8_t>& backlog = held_[&connection];
    backlog.insert(backlog.end(), bytes.begin(), bytes.end());
    held_line_.bytes.add(bytes.size());
    held_line_.objects.set(held_.size());
    context_.outbox.set_receive_paused(connection, true);
}

void Broker::release_held(Connection& connection) {
    mqtt_of(connection).is_held = false;
    if (drain_ != nullptr) leave_if_due(connection);
    const std::vector<uint8_t> backlog = take_held(connection);
    if (backlog.empty()) return;
    context_.outbox.set_receive_paused(connection, false);
    process(connection, backlog);
}

// Empty when nothing of it waits.
std::vector<uint8_t> Broker::take_held(Connection& connection) {
    const auto place = held_.find(&connection);
    if (place == held_.end()) return {};
    std::vector<uint8_t> backlog = std::move(place->second);
    held_.erase(place);
    held_line_.bytes.subtract(backlog.size());
    held_line_.objects.set(held_.size());
    return backlog;
}

void Broker::process(Connection& connection, Bytes bytes) {
    bytes = take_short_pubacks(connection, bytes);
    if (bytes.empty()) return;
    MqttConnection& client = mqtt_of(connection);
    const uint32_t packet_bytes_max = terms_of(client).maximum_packet_bytes;
    const auto frame = [&](Bytes front) -> Result<uint32_t> {
        const bool is_connect = front[0] == static_cast<uint8_t>(mqtt::PacketType::connect) << 4;
        if (client.state == MqttConnection::State::awaiting_connect && !is_connect) {
            return millrace::fail(Errc::malformed);
        }
        return mqtt::packet_length(front, packet_bytes_max);
    };
    Bytes rest;
    const auto take = [&](Bytes packet) {
        return connection.is_traced ? on_traced_packet(connection, packet)
                                    : on_packet(connection, packet);
    };
    switch (client.tail.feed(context_.heap, bytes, frame, take, &rest)) {
    case StreamTail::Status::ok:
        return;
    case StreamTail::Status::stopped:
        if (client.is_held) keep_held(connection, rest);
        return;
    case StreamTail::Status::malformed:
        fail(connection, mqtt::Reason::malformed_packet);
        return;
    case StreamTail::Status::too_large:
        fail(connection, mqtt::Reason::packet_too_large);
        return;
    case StreamTail::Status::exhausted:
        fail(connection, mqtt::Reason::quota_exceeded);
        return;
    }
    MR_UNREACHABLE();
}

// False: no further packet of this connection may be processed (now).
bool Broker::on_packet(Connection& connection, Bytes packet) {
    const auto header = mqtt::read_fixed_header(packet);
    MR_ASSERT(header);  // framing has read it
    const Bytes body = packet.subspan(header->header_bytes);
    const MqttConnection::State state = mqtt_of(connection).state;
    if (state == MqttConnection::State::connected) {
        return on_connected_packet(connection, *header, body);
    }
    if (state == MqttConnection::State::leaving) return on_leaving_packet(connection, *header, body);
    return on_connect(connection, packet, body);
}

bool Broker::on_connected_packet(Connection& connection, const mqtt::FixedHeader& header,
                                 Bytes body) {
    MR_PROBE(packet_in, &connection, mqtt_of(connection).session->client_id().data(),
             static_cast<uint8_t>(header.type), header.packet_bytes());
    switch (header.type) {
    case mqtt::PacketType::publish:
        return on_publish(connection, header, body);
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp:
        return on_ack(connection, header.type, body);
    case mqtt::PacketType::subscribe:
        return on_subscribe(connection, body);
    case mqtt::PacketType::unsubscribe:
        return on_unsubscribe(connection, body);
    case mqtt::PacketType::pingreq:
        if (!body.empty()) return fail(connection, mqtt::Reason::malformed_packet);
        if (control_.send_bytes(connection, mqtt::pingresp)) return true;
        return fail(connection, mqtt::Reason::quota_exceeded);
    case mqtt::PacketType::disconnect:
        return on_disconnect(connection, body);
    case mqtt::PacketType::connect:      // a second one (3.1.0-2)
    case mqtt::PacketType::auth:         // no authentication method was agreed on (4.12)
    case mqtt::PacketType::connack:      // the others are a server's to send
    case mqtt::PacketType::suback:
    case mqtt::PacketType::unsuback:
    case mqtt::PacketType::pingresp:
        return fail(connection, mqtt::Reason::protocol_error);
    }
    return fail(connection, mqtt::Reason::malformed_packet);
}

// One timer a connection: the time to CONNECT at first, then keep-alive and output that doesn't
// move. It's never touched by packets: when it fires it looks at what they noted.
void Broker::start_connection_timer(MqttConnection& client) {
    const Timeouts& timeouts = context_.live->timeouts;
    if (client.state == MqttConnection::State::awaiting_connect) {
        context_.wheel.start(client.timer, context_.now + Duration::ms(timeouts.connect.count()));
        return;
    }
    Duration wait = Duration::ms(timeouts.send_stall.count());
    if (client.keep_alive_s != 0 && client.state == MqttConnection::State::connected) {
        const uint32_t silent_ms = now_ms() - client.last_received_ms;
        const int64_t allowed_ms = int64_t{client.keep_alive_s} * 1'500;
        wait = std::min(wait, Duration::ms(std::max<int64_t>(1, allowed_ms - silent_ms)));
    }
    context_.wheel.start(client.timer, context_.now + wait);
}

void Broker::on_connection_timer(MqttConnection& client) {
    Connection& connection = Connection::of(client);
    if (client.state == MqttConnection::State::awaiting_connect ||
        client.state == MqttConnection::State::claiming) {
        context_.counters.connect_timeouts.add();
        if (client.state == MqttConnection::State::claiming) {
            claims_.at(client.claim_ticket).connection = nullptr;
        }
        client.state = MqttConnection::State::ended;
        log_connection_closed("connect_timeout");
        context_.outbox.close_now(connection, CloseReason::handshake_timeout);
        return;
    }
    if (client.state == MqttConnection::State::leaving) return on_leaving_timer(connection);
    if (client.state == MqttConnection::State::ended) {
        // Told to go a while ago, and it doesn't even take what it was told.
        context_.outbox.close_now(connection, CloseReason::slow_receiver);
        return;
    }
    const uint32_t silent_ms = now_ms() - client.last_received_ms;
    if (client.keep_alive_s != 0 && silent_ms >= uint32_t{client.keep_alive_s} * 1'500) {
        context_.counters.keep_alive_timeouts.add();
        disconnect_client(connection, mqtt::Reason::keep_alive_timeout,
                          CloseReason::handshake_timeout);
        return;
    }
    const uint32_t stalled_ms = now_ms() - connection.send_progress_ms;
    if (!connection.out.empty() && stalled_ms >= context_.live->timeouts.send_stall.count()) {
        context_.counters.slow_receivers_closed.add();
        detach(connection, WillAction::publish, name_of(CloseReason::slow_receiver));
        context_.outbox.close_now(connection, CloseReason::slow_receiver);
        return;
    }
    start_connection_timer(client);
}

void Broker::on_timer(TimerEntry& entry) {
    switch (static_cast<TimerKind>(entry.kind)) {
    case TimerKind::connection:
        on_connection_timer(*reinterpret_cast<MqttConnection*>(
            reinterpret_cast<std::byte*>(&entry) - offsetof(MqttConnection, timer)));
        return;
    case TimerKind::session:
        on_session_timer(*static_cast<SessionTimer&>(entry).session);
        return;
    case TimerKind::drain:
        shed_due();
        return;
    case TimerKind::traces:
        tracer_.end_due();
        return;
    case TimerKind::system_topics:
        system_topics_->for_each(context_.now, [&](std::string_view topic, std::string_view text) {
            Message message;
            message.topic = topic;
            message.payload = as_bytes(text);
            message.retain = true;
            router_.publish(message);
        });
        context_.wheel.start(entry, context_.now + Duration::ms(
                                        context_.live->timeouts.sys_interval.count()));
        return;
    }
    MR_UNREACHABLE();
}

void Broker::on_mail(uint32_t from, Bytes mail) {
    switch (kind_of(mail)) {
    case MailKind::publish:       return router_.on_publish(mail);
    case MailKind::deliver:       return router_.on_deliver(from, mail);
    case MailKind::interest:      return router_.on_interest(from, mail);
    case MailKind::replicate:     return router_.on_replicate(from, mail);
    case MailKind::members:       return router_.on_members(from, mail);
    case MailKind::retained:      return on_retained(mail);
    case MailKind::acknowledged:  return on_acknowledged(from, mail);
    case MailKind::claim:         return registrar_.on_claim(mail);
    case MailKind::claim_done:    return registrar_.on_claim_done(mail);
    case MailKind::session_ended: return registrar_.on_session_ended(from, mail);
    case MailKind::yield_done:    return registrar_.on_yield_done(from, mail);
    case MailKind::claim_granted:
    case MailKind::claim_refused: return on_claim_answer(mail);
    case MailKind::yield:         return on_yield(mail);
    case MailKind::move_state:    return on_move_state(from, mail);
    case MailKind::move_interest: return on_move_interest(from, mail);
    case MailKind::move_marker:   return on_move_marker(from, mail);
    case MailKind::move_rest:     return on_move_rest(mail);
    case MailKind::drain_mark:    return on_drain_mark(from, mail);
    }
    MR_UNREACHABLE();
}

void Broker::begin_shutdown() {
    shutting_down_ = true;
    context_.wheel.stop(system_timer_);
    if (drain_ != nullptr) context_.wheel.stop(drain_->timer);
    std::vector<Connection*> attached;
    sessions_.for_each_from(0, UINT32_MAX, [&](Session& session) {
        if (session.connection != nullptr) attached.push_back(session.connection);
    });
    for (Connection* connection : attached) {
        if (Session* session = mqtt_of(*connection).session) sessions_.drop_will(*session);
        disconnect_client(*connection, goodbye_reason(), CloseReason::shutdown);
    }
}

}  // namespace millrace
