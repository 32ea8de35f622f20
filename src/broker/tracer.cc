#include "broker/tracer.h"

#include <algorithm>
#include <bit>

#include "codec/mqtt/topic_name.h"

namespace millrace {
namespace {

// User name and password stand at the end (3.1.3); what else proves who it is, among the properties.
Bytes without_secrets(const mqtt::Connect& connect, Bytes packet) {
    if (connect.authentication_data) return {};
    size_t secret_bytes = 0;
    if (connect.user_name) secret_bytes += sizeof(uint16_t) + connect.user_name->size();
    if (connect.password) secret_bytes += sizeof(uint16_t) + connect.password->size();
    return packet.first(packet.size() - std::min(secret_bytes, packet.size()));
}

}  // namespace

Tracer::Tracer(ShardContext& context, const SessionTable& sessions, Clock clock)
    : context_(context), sessions_(sessions), clock_(clock) {
    timer_.kind = static_cast<uint8_t>(TimerKind::traces);
}

Tracer::~Tracer() { context_.wheel.stop(timer_); }

void Tracer::adopt(std::shared_ptr<const TraceList> list) {
    list_ = std::move(list);
    refresh();
}

// Sets every mark anew, by what runs now.
void Tracer::refresh() {
    unmark_sessions();
    client_mask_ = 0;
    topic_mask_ = 0;
    Instant next_end = Instant::never();
    const size_t count = list_ == nullptr ? 0 : list_->targets.size();
    for (size_t index = 0; index < count; ++index) {
        const TraceTarget& target = list_->targets[index];
        if (target.ends <= context_.now) continue;
        next_end = std::min(next_end, target.ends);
        const bool is_topic = target.by == TraceTarget::By::topic;
        (is_topic ? topic_mask_ : client_mask_) |= 1u << index;
    }
    context_.publish_watch.watch_all(topic_mask_ != 0);
    context_.wheel.stop(timer_);
    if (next_end != Instant::never()) context_.wheel.start(timer_, next_end);

    // Connections whose clients aren't attached yet stand here alone.
    for (Watched& watched : watched_) {
        watched.mask = mask_of_client(watched.client_id);
        const_cast<Connection*>(watched.connection)->is_traced = watched.mask != 0;
    }
    std::erase_if(watched_, [](const Watched& watched) { return watched.mask == 0; });
    for (uint32_t left = client_mask_; left != 0; left &= left - 1) {
        const std::string& client_id =
            list_->targets[static_cast<size_t>(std::countr_zero(left))].text;
        Session* session = sessions_.find(context_.hash(client_id), client_id);
        if (session == nullptr) continue;
        on_session(*session);
        if (session->connection != nullptr && !session->connection->is_traced) {
            watch(*session->connection, client_id, mask_of_client(client_id));
        }
    }
}

void Tracer::unmark_sessions() {
    for (const std::string& client_id : marked_) {
        Session* session = sessions_.find(context_.hash(client_id), client_id);
        if (session != nullptr) session->set_traced(false);
    }
    marked_.clear();
}

void Tracer::on_session(Session& session) {
    if (session.is_traced || mask_of_client(session.client_id()) == 0) return;
    session.set_traced(true);
    // Its client may come and go as often as it likes.
    if (std::find(marked_.begin(), marked_.end(), session.client_id()) != marked_.end()) return;
    marked_.emplace_back(session.client_id());
}

void Tracer::watch(Connection& connection, std::string_view client_id, uint32_t mask) {
    connection.is_traced = true;
    watched_.push_back({&connection, std::string(client_id), mask, {}});
}

uint32_t Tracer::mask_of_client(std::string_view client_id) const {
    uint32_t mask = 0;
    for (uint32_t left = client_mask_; left != 0; left &= left - 1) {
        const auto index = static_cast<uint32_t>(std::countr_zero(left));
        if (list_->targets[index].text == client_id) mask |= 1u << index;
    }
    return mask;
}

uint32_t Tracer::mask_of_topic(std::string_view topic) const {
    uint32_t mask = 0;
    for (uint32_t left = topic_mask_; left != 0; left &= left - 1) {
        const auto index = static_cast<uint32_t>(std::countr_zero(left));
        if (mqtt::matches(list_->targets[index].text, topic)) mask |= 1u << index;
    }
    return mask;
}

Tracer::Watched* Tracer::find(const Connection& connection) {
    const auto place = std::find_if(
        watched_.begin(), watched_.end(),
        [&](const Watched& watched) { return watched.connection == &connection; });
    return place == watched_.end() ? nullptr : &*place;
}

void Tracer::on_connect(Connection& connection, const mqtt::Connect& connect, Bytes packet) {
    const uint32_t mask = mask_of_client(connect.client_id);
    if (mask == 0 || connection.is_traced) return;
    watch(connection, connect.client_id, mask);
    TraceEvent event;
    describe_packet(mqtt_of(connection).version, packet, event);
    event.direction = TraceDirection::in;
    event.client_id = connect.client_id;
    event.data = without_secrets(connect, packet);
    tell(event, mask);
}

void Tracer::on_attached(Connection& connection, Session& session) {
    on_session(session);
    if (!session.is_traced) return;
    if (!connection.is_traced) {
        watch(connection, session.client_id(), mask_of_client(session.client_id()));
    }
    TraceEvent event;
    event.kind = TraceKind::accepted;
    event.client_id = session.client_id();
    tell(event, mask_of_client(session.client_id()));
}

void Tracer::note_closing(const Connection& connection, std::string_view reason) {
    if (Watched* watched = find(connection)) watched->closing = reason;
}

void Tracer::on_closed(Connection& connection) {
    Watched* watched = find(connection);
    if (watched == nullptr) return;
    TraceEvent event;
    event.kind = TraceKind::closed;
    event.client_id = watched->client_id;
    event.reason = watched->closing.empty() ? name_of(connection.close_reason) : watched->closing;
    tell(event, watched->mask);
    connection.is_traced = false;
    watched_.erase(watched_.begin() + (watched - watched_.data()));
}

Tracer::OpenPacket Tracer::begin_packet(Connection& connection, Bytes packet) {
    reason_ = {};
    ++open_packets_;
    const Watched* watched = find(connection);
    if (watched == nullptr) return {};
    TraceEvent event;
    describe_packet(mqtt_of(connection).version, packet, event);
    event.direction = TraceDirection::in;
    event.client_id = watched->client_id;
    // A second CONNECT, or an AUTH, is a fault, but may have a secret all the same.
    const bool may_be_secret = event.kind == static_cast<TraceKind>(mqtt::PacketType::connect) ||
                               event.kind == static_cast<TraceKind>(mqtt::PacketType::auth);
    event.data = may_be_secret ? Bytes{} : packet;
    return append(event, watched->mask);
}

void Tracer::end_packet(const OpenPacket& packet) {
    --open_packets_;
    const Duration took = clock() - packet.began;
    for (uint32_t index = 0; index < packet.count; ++index) {
        patch_record(packet.records[index], took, reason_);
    }
    publish();
}

void Tracer::packet_out(const Connection& connection, Bytes packet) {
    bytes_out_ += packet.size();
    const Watched* watched = find(connection);
    if (watched == nullptr) return;
    const Session* session = const_cast<Connection&>(connection).as<MqttConnection>().session;
    TraceEvent event;
    describe_packet(const_cast<Connection&>(connection).as<MqttConnection>().version, packet, event);
    event.direction = TraceDirection::out;
    event.client_id = session == nullptr ? watched->client_id : session->client_id();
    event.data = packet;
    tell(event, watched->mask);
}

void Tracer::on_message(const Session& session, TraceKind kind, std::string_view topic,
                        std::string_view reason) {
    TraceEvent event;
    event.kind = kind;
    event.client_id = session.client_id();
    event.topic = topic;
    event.reason = reason;
    tell(event, mask_of_client(session.client_id()));
}

void Tracer::on_publish(Connection& connection, std::string_view topic, Bytes packet) {
    const uint32_t mask = mask_of_topic(topic);
    if (mask == 0) return;
    TraceEvent event;
    describe_packet(mqtt_of(connection).version, packet, event);
    event.direction = TraceDirection::in;
    event.client_id = mqtt_of(connection).session->client_id();
    event.topic = topic;  // the packet may have an alias only
    event.data = packet;
    tell(event, mask);
}

// One event for all receivers on this shard, and one for each fate that some of them had.
void Tracer::on_delivered(const Message& message, const DeliveryMark& before) {
    const uint32_t mask = mask_of_topic(message.topic);
    if (mask == 0) return;
    const DeliveryMark now = DeliveryMark::of(context_.counters);
    const auto tell_count = [&](TraceKind kind, TraceDirection direction, uint64_t count,
                                std::string_view reason) {
        if (count == 0 && kind != static_cast<TraceKind>(mqtt::PacketType::publish)) return;
        TraceEvent event;
        event.kind = kind;
        event.direction = direction;
        event.topic = message.topic;
        event.bytes = static_cast<uint32_t>(message.payload.size());
        event.has_qos = true;
        event.qos = static_cast<uint8_t>(message.qos);
        event.has_receivers = true;
        event.receivers = static_cast<uint32_t>(count);
        event.reason = reason;
        tell(event, mask);
    };
    constexpr auto none = TraceDirection::none;
    constexpr auto dropped = TraceKind::dropped;
    tell_count(static_cast<TraceKind>(mqtt::PacketType::publish), TraceDirection::out,
               now.sent - before.sent, {});
    tell_count(dropped, none, now.slow_receiver - before.slow_receiver, "slow_receiver");
    tell_count(dropped, none, now.queue_full - before.queue_full, "queue_full");
    tell_count(dropped, none, now.too_large - before.too_large, "too_large");
    tell_count(dropped, none, now.exhausted - before.exhausted, "exhausted");
    // Fewer may wait than before: what stood in front has left with it.
    tell_count(TraceKind::queued, none, now.waiting > before.waiting ? now.waiting - before.waiting : 0,
               {});
}

Tracer::OpenPacket Tracer::append(TraceEvent event, uint32_t mask) {
    OpenPacket packet;
    packet.began = clock();
    event.time = packet.began;
    event.shard = static_cast<uint16_t>(context_.self());
    const Bytes data = event.data;
    TraceRing* ring = list_ == nullptr ? nullptr : list_->rings[context_.self()];
    for (uint32_t left = mask; left != 0; left &= left - 1) {
        const TraceTarget& target = list_->targets[static_cast<size_t>(std::countr_zero(left))];
        event.trace = target.id;
        event.data = data.first(std::min<size_t>(data.size(), target.data_bytes_max));
        uint8_t* record = ring->try_append(record_bytes(event), target.slot);
        if (record == nullptr) continue;
        write_record(record, event);
        packet.records[packet.count++] = record;
    }
    return packet;
}

void Tracer::tell(const TraceEvent& event, uint32_t mask) {
    append(event, mask);
    publish();
}

void Tracer::publish() {
    if (open_packets_ == 0 && list_ != nullptr) list_->rings[context_.self()]->publish();
}

}  // namespace millrace
