// How connections and sessions end: DISCONNECT, faults, expiry, wills (MQTT 5.0, 3.14 and 3.1.2.5).
#include <algorithm>

#include "base/probes.h"
#include "broker/broker.h"
#include "broker/client_log.h"
#include "codec/mqtt/decode.h"

namespace millrace {

bool Broker::fail(Connection& connection, mqtt::Reason reason) {
    context_.counters.protocol_errors.add();
    tracer_.note_reason(mqtt::name_of(reason));
    MqttConnection& client = mqtt_of(connection);
    if (client.session == nullptr) {
        log_connection_closed(mqtt::name_of(reason));
        client.state = MqttConnection::State::ended;
        context_.outbox.close_now(connection, CloseReason::local);
        return false;
    }
    disconnect_client(connection, reason, CloseReason::local);
    return false;
}

void Broker::disconnect_client(Connection& connection, mqtt::Reason reason, CloseReason why) {
    const mqtt::Version version = mqtt_of(connection).version;
    detach(connection, WillAction::publish, mqtt::name_of(reason));
    // 3.1.1 has no DISCONNECT from the server.
    if (version == mqtt::Version::v5) {
        control_.send_with_text(connection, version, mqtt::Disconnect{.reason = reason},
                                mqtt_of(connection).maximum_packet_bytes());
    }
    context_.outbox.close_when_sent(connection, why);
}

void Broker::kick(Session& session, bool ends_session) {
    MR_ASSERT(!session.is_moving);
    if (ends_session) session.expiry_s = 0;
    if (session.connection != nullptr) {
        disconnect_client(*session.connection, mqtt::Reason::administrative_action,
                          CloseReason::local);
    } else if (!session.is_kept()) {
        end_session(session);
    }
}

bool Broker::on_disconnect(Connection& connection, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    const auto packet = mqtt::decode_disconnect(client.version, body);
    if (!packet) return fail(connection, packet.error());
    Session& session = *client.session;
    if (packet->session_expiry_s) {
        // A session that was to end with its connection can't be kept after all (3.14.2.2.2).
        if (session.expiry_s == 0 && *packet->session_expiry_s != 0) {
            return fail(connection, mqtt::Reason::protocol_error);
        }
        session.expiry_s =
            std::min(*packet->session_expiry_s, terms_of(client).session_expiry_max_s);
    }
    const bool is_normal = packet->reason == mqtt::Reason::success;
    detach(connection, is_normal ? WillAction::drop : WillAction::publish,
           is_normal ? "disconnect" : mqtt::name_of(packet->reason));
    context_.outbox.close_when_sent(connection, CloseReason::local);
    return false;
}

void Broker::on_closed(Connection& connection) {
    MqttConnection& client = mqtt_of(connection);
    const std::string_view reason = name_of(connection.close_reason);
    if (client.session != nullptr) {
        detach(connection, WillAction::publish, reason);
    } else if (client.state != MqttConnection::State::ended) {
        log_connection_closed(reason);
    }
    MR_PROBE(close, &connection, reason.data());
    if (connection.is_traced) tracer_.on_closed(connection);
    if (client.state == MqttConnection::State::claiming) {
        claims_.at(client.claim_ticket).connection = nullptr;
    }
    std::erase(paused_, &connection);
    static_cast<void>(take_held(connection));
    context_.wheel.stop(client.timer);
    client.tail.clear(context_.heap);
    free_limits(client);
    terms_.leave(client.terms);
    client.~MqttConnection();
}

void Broker::free_limits(MqttConnection& client) {
    if (client.limits == nullptr) return;
    ClientLimits& limits = *client.limits;
    for (uint16_t index = 0; index < limits.incoming_capacity; ++index) {
        ClientLimits::Alias& alias = limits.incoming[index];
        if (alias.topic != nullptr) context_.heap.free(alias.topic, alias.topic_bytes);
    }
    if (limits.incoming != nullptr) {
        context_.heap.free(limits.incoming,
                           limits.incoming_capacity * static_cast<uint32_t>(sizeof(ClientLimits::Alias)));
    }
    context_.heap.free(&limits, sizeof(ClientLimits));
    client.limits = nullptr;
}

// Parts session and connection. The connection is closed by the caller; the session ends here, or
// waits for its client.
void Broker::detach(Connection& connection, WillAction will, std::string_view reason) {
    MqttConnection& client = mqtt_of(connection);
    MR_ASSERT(client.session != nullptr);
    Session& session = *client.session;
    if (client.state == MqttConnection::State::leaving) {
        drain_->leaving.erase(&connection);
    } else {
        count_memberships(session, Membership::gone);
        if (drain_ != nullptr) drain_->held.erase(&connection);
    }
    log_client_closed(session, reason);
    MR_PROBE(client_gone, &connection, session.client_id().data(), reason.data());
    if (connection.is_traced) tracer_.note_closing(connection, reason);
    client.session = nullptr;
    client.state = MqttConnection::State::ended;
    start_connection_timer(client);
    session.connection = nullptr;
    context_.counters.connections.subtract();
    requests_.forget_connection(session);
    if (will == WillAction::drop) sessions_.drop_will(session);
    if (!session.is_kept()) {
        end_session(session);
        return;
    }
    announce_memberships(session);
    start_session_timer(session);
}

// After its client has gone: when the will is due and when the session ends.
void Broker::start_session_timer(Session& session) {
    Will* will = session.extras == nullptr ? nullptr : session.extras->will;
    if (will != nullptr && will->delay_s == 0) {
        publish_will(session);
        will = nullptr;
    }
    const bool expires = session.expiry_s != Session::never_expires;
    if (!expires && will == nullptr) {
        sessions_.drop_extras_if_unused(session);
        return;
    }
    SessionExtras* extras = sessions_.try_extras(session);
    if (extras == nullptr) {
        end_session(session);  // no memory to remember when it ends: it ends now
        return;
    }
    extras->timer.kind = static_cast<uint8_t>(TimerKind::session);
    extras->expires = expires ? context_.now + Duration::s(session.expiry_s) : Instant::never();
    extras->will_due = will == nullptr ? Instant::never() : context_.now + Duration::s(will->delay_s);
    context_.wheel.start(extras->timer, std::min(extras->expires, extras->will_due));
}

void Broker::on_session_timer(Session& session) {
    SessionExtras& extras = *session.extras;
    if (extras.expires <= context_.now) {
        end_session(session);
        return;
    }
    if (extras.will_due <= context_.now) publish_will(session);
    const Instant next = std::min(extras.expires, extras.will_due);
    if (next != Instant::never()) {
        context_.wheel.start(extras.timer, next);
    } else {
        sessions_.drop_extras_if_unused(session);
    }
}

void Broker::publish_will(Session& session) {
    const Will will = *session.extras->will;
    MessageStore::hold(*will.message);
    sessions_.drop_will(session);
    Message message = will.message->read();
    if (will.has_expiry) message.expires = context_.now + Duration::s(will.expiry_s);
    // Its topic may have been denied since it was accepted.
    if (access_.may_publish(message.topic)) {
        router_.publish(message);
    } else {
        context_.counters.publishes_denied.add();
    }
    store_.release(*will.message);
}

void Broker::end_session(Session& session) {
    MR_ASSERT(session.connection == nullptr);
    requests_.forget(session);
    while (session.subscriptions != nullptr) remove_subscription(session, *session.subscriptions);
    // A will whose delay is longer than the session is due when the session ends (3.1.3.2.2).
    if (session.extras != nullptr && session.extras->will != nullptr) publish_will(session);
    const uint64_t hash = session.hash;
    const std::string client_id(context_.shard_count() > 1 ? session.client_id() : "");
    sessions_.destroy(session);
    post_claim_mail(MailKind::session_ended, hash, client_id);
}

// Its memberships count as connected, or don't any more. To be announced.
void Broker::count_memberships(const Session& session, Membership membership) {
    for (const Subscription* own = session.subscriptions; own != nullptr; own = own->next) {
        if (own->filter->kind != Filter::Kind::shared) continue;
        SharedGroup& group = static_cast<SharedGroup&>(*own->filter);
        if (membership == Membership::connected) group.note_connected(context_.self(), *own);
        else group.note_gone(context_.self(), *own);
    }
}

void Broker::announce_memberships(const Session& session) {
    for (const Subscription* own = session.subscriptions; own != nullptr; own = own->next) {
        if (own->filter->kind == Filter::Kind::shared) {
            router_.announce_members(static_cast<SharedGroup&>(*own->filter), 0);
        }
    }
}

}  // namespace millrace
