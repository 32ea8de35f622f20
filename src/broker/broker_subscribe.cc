// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0, 3.8 to 3.11, 4.7, 4.8).
#include "broker/broker.h"
#include "codec/mqtt/decode.h"

namespace millrace {

bool Broker::on_subscribe(Connection& connection, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    const auto packet = mqtt::decode_subscribe(client.version, body);
    if (!packet) return fail(connection, packet.error());
    if (packet->subscription_id && !terms_of(client).subscription_identifiers_available) {
        return fail(connection, mqtt::Reason::subscription_identifiers_not_supported);
    }
    Session& session = *client.session;
    auto suback = std::make_shared<PendingSuback>();
    suback->connection = &connection;
    suback->packet_id = packet->packet_id;
    packet->for_each([&](const mqtt::SubscribeEntry& entry) {
        suback->reasons.push_back(
            subscribe(session, entry, packet->subscription_id.value_or(0), suback));
    });
    if (suback->requests_left > 0) {
        client.is_held = true;  // answered when the other shards have
        return false;
    }
    return send_suback(connection, *suback);
}

bool Broker::send_suback(Connection& connection, const PendingSuback& suback) {
    const mqtt::Version version = mqtt_of(connection).version;
    const mqtt::SubscribeAck ack{.packet_id = suback.packet_id, .reasons = suback.reasons};
    if (control_.send_subscribe_ack(connection, version, mqtt::PacketType::suback, ack)) return true;
    return fail(connection, mqtt::Reason::quota_exceeded);
}

// A filter that can't be granted fails alone (3.9.3).
mqtt::Reason Broker::check_filter(const Session& session, const mqtt::SubscribeEntry& entry) const {
    const Terms& terms = terms_of(mqtt_of(*session.connection));
    std::string_view inner = entry.filter;
    if (const auto shared = mqtt::parse_shared(entry.filter)) {
        if (shared->group.empty()) return mqtt::Reason::topic_filter_invalid;
        if (!terms.shared_subscription_available) {
            return mqtt::Reason::shared_subscriptions_not_supported;
        }
        inner = shared->filter;
    }
    if (!mqtt::is_valid_filter(inner) || level_count(inner) > levels_max) {
        return mqtt::Reason::topic_filter_invalid;
    }
    if (mqtt::has_wildcard(inner) && !terms.wildcard_subscription_available) {
        return mqtt::Reason::wildcard_subscriptions_not_supported;
    }
    if (!access_.may_subscribe(inner)) return mqtt::Reason::not_authorized;
    if (!requests_.may_add(session)) return mqtt::Reason::quota_exceeded;
    if (session.subscription_count >= context_.live->queues.subscriptions_per_session_max &&
        index_.find(session, entry.filter) == nullptr) {
        return mqtt::Reason::quota_exceeded;
    }
    return mqtt::Reason::success;
}

mqtt::Reason Broker::subscribe(Session& session, const mqtt::SubscribeEntry& entry,
                               uint32_t identifier, const std::shared_ptr<PendingSuback>& suback) {
    const MqttConnection& client = mqtt_of(*session.connection);
    const bool is_v5 = client.is_v5();
    const mqtt::Reason refusal = check_filter(session, entry);
    if (refusal != mqtt::Reason::success) {
        return is_v5 ? refusal : mqtt::Reason::unspecified_error;
    }
    mqtt::SubscriptionOptions options = entry.options;
    options.qos = std::min(options.qos, static_cast<mqtt::Qos>(terms_of(client).maximum_qos));
    const Grant grant = Grant::of(options, identifier);
    const auto [added, subscription] = index_.add(session, entry.filter, grant);
    if (added == SubscriptionIndex::Added::exhausted) {
        return is_v5 ? mqtt::Reason::quota_exceeded : mqtt::Reason::unspecified_error;
    }
    Filter& filter = *subscription->filter;
    if (filter.kind == Filter::Kind::shared && added == SubscriptionIndex::Added::created) {
        static_cast<SharedGroup&>(filter).note_connected(context_.self(), *subscription);
    }
    // No retained messages for shared subscriptions (3.8.3.1).
    const bool wants_retained =
        filter.kind != Filter::Kind::shared &&
        (options.retain_handling == mqtt::RetainHandling::send ||
         (options.retain_handling == mqtt::RetainHandling::send_if_new &&
          added == SubscriptionIndex::Added::created));
    const uint32_t number = requests_.next_number();
    const uint64_t asked = router_.announce(filter, number, wants_retained);
    if (asked != 0) {
        const bool created = added == SubscriptionIndex::Added::created;
        requests_.add(number, {&session, created ? subscription : nullptr, grant, asked, suback});
    }
    if (wants_retained) {
        router_.for_each_retained(entry.filter, [&](const StoredMessage& stored) {
            Message message = stored.read();
            message.topic_hash = context_.hash(message.topic);
            fanout_.deliver_retained(message, session, grant);
        });
    }
    return static_cast<mqtt::Reason>(options.qos);
}

void Broker::on_retained(Bytes bytes) {
    Bytes canonical;
    const RetainedMail mail = read_mail<RetainedMail>(bytes, canonical);
    SubscribeRequest* request = requests_.find(mail.request);
    if (request == nullptr) return;  // the session has gone
    Message message = read_canonical(canonical, mail.expires);
    message.publisher = mail.publisher;
    message.topic_hash = context_.hash(message.topic);
    fanout_.deliver_retained(message, *request->session, request->grant);
}

void Broker::on_acknowledged(uint32_t from, Bytes bytes) {
    Bytes rest;
    const AcknowledgedMail mail = read_mail<AcknowledgedMail>(bytes, rest);
    if (const auto suback = requests_.answered(mail.request, from)) {
        if (send_suback(*suback->connection, *suback)) release_held(*suback->connection);
    }
}

bool Broker::on_unsubscribe(Connection& connection, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    const auto packet = mqtt::decode_unsubscribe(client.version, body);
    if (!packet) return fail(connection, packet.error());
    reasons_.clear();
    packet->for_each([&](std::string_view filter) {
        reasons_.push_back(unsubscribe(*client.session, filter));
    });
    const mqtt::SubscribeAck ack{.packet_id = packet->packet_id, .reasons = reasons_};
    if (control_.send_subscribe_ack(connection, client.version, mqtt::PacketType::unsuback, ack)) {
        return true;
    }
    return fail(connection, mqtt::Reason::quota_exceeded);
}

mqtt::Reason Broker::unsubscribe(Session& session, std::string_view filter) {
    const auto shared = mqtt::parse_shared(filter);
    if ((shared && shared->group.empty()) ||
        !mqtt::is_valid_filter(shared ? shared->filter : filter)) {
        return mqtt::Reason::topic_filter_invalid;
    }
    Subscription* subscription = index_.find(session, filter);
    if (subscription == nullptr) return mqtt::Reason::no_subscription_existed;
    remove_subscription(session, *subscription);
    return mqtt::Reason::success;
}

void Broker::remove_subscription(Session& session, Subscription& subscription) {
    const Filter::Kind kind = subscription.filter->kind;
    requests_.forget_created(subscription);
    if (kind == Filter::Kind::shared && session.connection != nullptr) {   // it unsubscribes
        static_cast<SharedGroup&>(*subscription.filter).note_gone(context_.self(), subscription);
    }
    if (kind == Filter::Kind::exact && context_.shard_count() == 1) {
        index_.remove(session, subscription);  // nobody else knows of it
        return;
    }
    std::string scratch;
    const std::string text(SubscriptionIndex::text_of(*subscription.filter, scratch));
    index_.remove(session, subscription);
    router_.retract(kind, text);
}

}  // namespace millrace
