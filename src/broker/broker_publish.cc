// PUBLISH from clients, and the acknowledgements of both directions (MQTT 5.0, 3.3 to 3.7, 4.3).
#include <algorithm>
#include <cstring>

#include "base/probes.h"
#include "broker/broker.h"
#include "codec/mqtt/decode.h"

namespace millrace {

bool Broker::on_publish(Connection& connection, const mqtt::FixedHeader& header, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    auto packet = mqtt::decode_publish(client.version, header.flags, body);
    if (!packet) return fail(connection, packet.error());
    mqtt::Reason reason = check_publish(terms_of(client), *packet);
    if (reason == mqtt::Reason::success) reason = resolve_alias(client, *packet);
    if (reason != mqtt::Reason::success) return fail(connection, reason);
    context_.counters.publishes_received.add();
    if (tracer_.has_topics()) {
        tracer_.on_publish(connection, packet->topic,
                           {body.data() - header.header_bytes, header.packet_bytes()});
    }

    if (packet->qos == mqtt::Qos::exactly_once) {
        bool is_known = false;
        if (!on_publish_twice(connection, *packet, is_known)) return false;
        if (is_known) return answer_publish(connection, *packet, mqtt::Reason::success);
    }
    pause_if_pressed(connection);
    reason = publish_on(*packet, client.session->hash);
    if (packet->qos == mqtt::Qos::at_most_once) return true;
    return answer_publish(connection, *packet, reason);
}

// Faults that end the connection.
mqtt::Reason Broker::check_publish(const Terms& terms, const mqtt::Publish& packet) {
    if (static_cast<uint8_t>(packet.qos) > terms.maximum_qos) return mqtt::Reason::qos_not_supported;
    if (packet.retain && !terms.retain_available) return mqtt::Reason::retain_not_supported;
    // A client never sends subscription identifiers (3.3.4-6).
    if (packet.properties.subscription_ids.any()) return mqtt::Reason::protocol_error;
    return mqtt::Reason::success;
}

// Sets or looks up the packet's topic alias (3.3.2.3.4); the packet has its topic afterwards.
mqtt::Reason Broker::resolve_alias(MqttConnection& client, mqtt::Publish& packet) {
    const uint16_t number = packet.properties.topic_alias;
    if (number == 0) return mqtt::Reason::success;
    const uint16_t maximum = terms_of(client).topic_alias_maximum;
    if (number > maximum) return mqtt::Reason::topic_alias_invalid;
    if (client.limits == nullptr) {
        void* memory = context_.heap.try_allocate(sizeof(ClientLimits));
        if (memory == nullptr) return mqtt::Reason::quota_exceeded;
        client.limits = new (memory) ClientLimits;
    }
    ClientLimits& limits = *client.limits;
    if (limits.incoming == nullptr) {
        const uint32_t bytes = maximum * static_cast<uint32_t>(sizeof(ClientLimits::Alias));
        void* memory = context_.heap.try_allocate(bytes);
        if (memory == nullptr) return mqtt::Reason::quota_exceeded;
        limits.incoming = new (memory) ClientLimits::Alias[maximum];
        limits.incoming_capacity = maximum;
    }
    ClientLimits::Alias& alias = limits.incoming[number - 1];
    if (packet.topic.empty()) {
        if (alias.topic == nullptr) return mqtt::Reason::protocol_error;
        packet.topic = {alias.topic, alias.topic_bytes};
        return mqtt::Reason::success;
    }
    auto* topic = static_cast<char*>(
        context_.heap.try_allocate(static_cast<uint32_t>(packet.topic.size())));
    if (topic == nullptr) return mqtt::Reason::quota_exceeded;
    std::memcpy(topic, packet.topic.data(), packet.topic.size());
    if (alias.topic != nullptr) context_.heap.free(alias.topic, alias.topic_bytes);
    alias = {topic, static_cast<uint16_t>(packet.topic.size())};
    return mqtt::Reason::success;
}

// QoS 2, method B of 4.3.3: an identifier that is not yet released is the same message again.
// False: the connection has ended.
bool Broker::on_publish_twice(Connection& connection, const mqtt::Publish& packet, bool& is_known) {
    MqttConnection& client = mqtt_of(connection);
    Session& session = *client.session;
    is_known = session.extras != nullptr && session.extras->received_qos2.contains(packet.packet_id);
    if (is_known) return true;
    const uint32_t open = session.extras == nullptr ? 0 : session.extras->received_qos2.count();
    if (client.is_v5() && open >= terms_of(client).receive_maximum) {
        return fail(connection, mqtt::Reason::receive_maximum_exceeded);
    }
    return true;
}

// There's room for what waits.
void Broker::on_drained(Connection& connection) {
    if (Session* session = mqtt_of(connection).session) fanout_.send_waiting(*session);
    if (mqtt_of(connection).state == MqttConnection::State::leaving) finish_leaving(connection);
}

mqtt::Reason Broker::publish_on(const mqtt::Publish& packet, uint64_t publisher) {
    if (!access_.may_publish(packet.topic)) {
        context_.counters.publishes_denied.add();
        tracer_.note_reason(mqtt::name_of(mqtt::Reason::not_authorized));
        return mqtt::Reason::not_authorized;
    }
    Message message;
    message.topic = packet.topic;
    message.payload = packet.payload;
    message.qos = packet.qos;
    message.retain = packet.retain;
    message.properties = packet.properties;
    message.publisher = publisher;
    if (packet.properties.message_expiry_s) {
        message.expires = context_.now + Duration::s(*packet.properties.message_expiry_s);
    }
    switch (router_.publish(message)) {
    case Routed::delivered:
    case Routed::passed_on:      return mqtt::Reason::success;
    case Routed::no_subscribers: return mqtt::Reason::no_matching_subscribers;
    case Routed::refused:
        context_.counters.refused_quota.add();
        return mqtt::Reason::quota_exceeded;
    }
    MR_UNREACHABLE();
}

bool Broker::answer_publish(Connection& connection, const mqtt::Publish& packet,
                            mqtt::Reason reason) {
    MqttConnection& client = mqtt_of(connection);
    if (!client.is_v5()) {
        // 3.1.1 can't refuse: what isn't allowed is acknowledged and dropped (3.3.5.2); what there
        // is no room for is not acknowledged, so that the client sends it again.
        if (reason == mqtt::Reason::quota_exceeded) return fail(connection, reason);
        reason = mqtt::Reason::success;
    }
    const bool once = packet.qos == mqtt::Qos::exactly_once;
    if (once && !mqtt::is_error(reason)) {
        SessionExtras* extras = sessions_.try_extras(*client.session);
        if (extras == nullptr || !extras->received_qos2.insert(context_.heap, packet.packet_id)) {
            return fail(connection, mqtt::Reason::quota_exceeded);
        }
    }
    const auto type = once ? mqtt::PacketType::pubrec : mqtt::PacketType::puback;
    const mqtt::Ack ack{.packet_id = packet.packet_id, .reason = reason};
    if (control_.send_ack(connection, client.version, type, ack)) return true;
    return fail(connection, mqtt::Reason::quota_exceeded);
}

void Broker::pause_if_pressed(Connection& connection) {
    if (!pressed_ || connection.receive_paused) return;
    context_.outbox.set_receive_paused(connection, true);
    paused_.push_back(&connection);
}

// A receiver of a burst answers with a row of PUBACKs in their short form, and that is most of what
// QoS 1 costs here. So those at the front are taken by sight, and what they make room for leaves
// once. Returns the rest; whatever else it may be goes the long way.
Bytes Broker::take_short_pubacks(Connection& connection, Bytes bytes) {
    MqttConnection& client = mqtt_of(connection);
    if (client.state != MqttConnection::State::connected || !client.tail.empty() ||
        connection.is_traced) {
        return bytes;
    }
    Session& session = *client.session;
    bool is_any_finished = false;
    while (const uint16_t packet_id = mqtt::short_puback_id(bytes)) {
        MR_PROBE(packet_in, &connection, session.client_id().data(),
                 static_cast<uint8_t>(mqtt::PacketType::puback), mqtt::short_ack_bytes);
        bytes = bytes.subspan(mqtt::short_ack_bytes);
        is_any_finished |=
            finish_awaiting(session, packet_id, InflightEntry::State::awaiting_puback);
    }
    if (is_any_finished) fanout_.send_waiting(session);
    return bytes;
}

// False when nothing of that identifier is open, or it waits for something else: ignored. After
// true Fanout::send_waiting() is to follow.
bool Broker::finish_awaiting(Session& session, uint16_t packet_id, InflightEntry::State awaited) {
    InflightEntry* entry = session.find_inflight(packet_id);
    if (entry == nullptr || entry->state != awaited) return false;
    fanout_.finish(*session.extras, *entry);
    return true;
}

bool Broker::on_ack(Connection& connection, mqtt::PacketType type, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    const auto packet = mqtt::decode_ack(client.version, type, body);
    if (!packet) return fail(connection, packet.error());
    if (type == mqtt::PacketType::pubrel) return on_pubrel(connection, *packet);
    if (type == mqtt::PacketType::pubrec) return on_pubrec(connection, *packet);
    Session& session = *client.session;
    const auto awaited = type == mqtt::PacketType::puback ? InflightEntry::State::awaiting_puback
                                                          : InflightEntry::State::awaiting_pubcomp;
    if (finish_awaiting(session, packet->packet_id, awaited)) fanout_.send_waiting(session);
    return true;
}

bool Broker::on_pubrec(Connection& connection, const mqtt::Ack& packet) {
    MqttConnection& client = mqtt_of(connection);
    Session& session = *client.session;
    InflightEntry* entry = session.find_inflight(packet.packet_id);
    if (entry != nullptr && mqtt::is_error(packet.reason)) {
        fanout_.finish(*session.extras, *entry);  // refused by the receiver: done (4.3.3)
        fanout_.send_waiting(session);
        return true;
    }
    mqtt::Ack pubrel{.packet_id = packet.packet_id};
    if (entry == nullptr || entry->state == InflightEntry::State::awaiting_puback) {
        if (mqtt::is_error(packet.reason)) return true;
        pubrel.reason = mqtt::Reason::packet_identifier_not_found;
    } else {
        if (entry->message != nullptr) store_.release(*entry->message);
        entry->message = nullptr;
        entry->state = InflightEntry::State::awaiting_pubcomp;
    }
    if (control_.send_ack(connection, client.version, mqtt::PacketType::pubrel, pubrel)) return true;
    return fail(connection, mqtt::Reason::quota_exceeded);
}

bool Broker::on_pubrel(Connection& connection, const mqtt::Ack& packet) {
    MqttConnection& client = mqtt_of(connection);
    Session& session = *client.session;
    mqtt::Ack pubcomp{.packet_id = packet.packet_id};
    if (session.extras == nullptr ||
        !session.extras->received_qos2.erase(context_.heap, packet.packet_id)) {
        pubcomp.reason = mqtt::Reason::packet_identifier_not_found;
    }
    sessions_.drop_extras_if_unused(session);
    if (control_.send_ack(connection, client.version, mqtt::PacketType::pubcomp, pubcomp)) return true;
    return fail(connection, mqtt::Reason::quota_exceeded);
}

}  // namespace millrace
