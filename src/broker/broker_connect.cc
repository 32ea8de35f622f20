// CONNECT: checks, takeover, the session that is found or made, CONNACK (MQTT 5.0, 3.1 and 3.2).
#include <algorithm>

#include <fmt/format.h>

#include "base/probes.h"
#include "broker/broker.h"
#include "broker/client_log.h"
#include "codec/mqtt/decode.h"

namespace millrace {

bool Broker::on_connect(Connection& connection, Bytes packet, Bytes body) {
    MqttConnection& client = mqtt_of(connection);
    const auto connect = mqtt::decode_connect(body);
    if (!connect) {
        // A reason that 3.1.1 has a return code for is told; other faults just close (3.1.4).
        context_.counters.protocol_errors.add();
        const bool is_v5 = body.size() > 6 && body[6] == static_cast<uint8_t>(mqtt::Version::v5);
        refuse_connect(connection, is_v5 ? mqtt::Version::v5 : mqtt::Version::v3_1_1,
                       connect.error());
        return false;
    }
    client.version = connect->version;
    MR_PROBE(packet_in, &connection, connect->client_id.data(),
             static_cast<uint8_t>(mqtt::PacketType::connect), packet.size());
    if (tracer_.has_clients()) tracer_.on_connect(connection, *connect, packet);
    if (const mqtt::Reason reason = check_connect(terms_of(client), *connect); reason != mqtt::Reason::success) {
        refuse_connect(connection, connect->version, reason,
                       connect->maximum_packet_bytes.value_or(UINT32_MAX));
        return false;
    }
    const bool assigned = connect->client_id.empty();
    const std::string own_id = assigned ? make_client_id() : std::string();
    const std::string_view client_id = assigned ? std::string_view(own_id) : connect->client_id;
    if (context_.shard_count() > 1) return claim(connection, *connect, packet, client_id, assigned);
    connect_here(connection, *connect, client_id, assigned);
    return client.state == MqttConnection::State::connected;
}

mqtt::Reason Broker::check_connect(const Terms& terms, const mqtt::Connect& packet) const {
    if (shutting_down_ || drain_ != nullptr) return refusal_of_newcomers();
    if (packet.authentication_method) return mqtt::Reason::bad_authentication_method;
    if (packet.will) {
        if (static_cast<uint8_t>(packet.will->qos) > terms.maximum_qos) {
            return mqtt::Reason::qos_not_supported;
        }
        if (packet.will->retain && !terms.retain_available) return mqtt::Reason::retain_not_supported;
        if (!access_.may_publish(packet.will->topic)) return mqtt::Reason::not_authorized;
    }
    return mqtt::Reason::success;
}

std::string Broker::make_client_id() {
    return fmt::format("mr-{:016x}{:04x}", context_.random.next(), context_.random.next() & 0xffff);
}

void Broker::refuse_connect(Connection& connection, mqtt::Version version, mqtt::Reason reason,
                            uint32_t packet_bytes_max) {
    context_.counters.connects_refused.add();
    log_connect_refused(mqtt::name_of(reason));
    if (connection.is_traced) tracer_.note_closing(connection, mqtt::name_of(reason));
    mqtt_of(connection).state = MqttConnection::State::ended;
    // 3.1.1 knows five reasons; for a fault of the packet itself it closes without a word.
    const bool is_silent = version == mqtt::Version::v3_1_1 &&
                           (reason == mqtt::Reason::malformed_packet ||
                            reason == mqtt::Reason::protocol_error);
    if (is_silent ||
        !control_.send_with_text(connection, version, mqtt::Connack{.reason = reason},
                                 packet_bytes_max)) {
        context_.outbox.close_now(connection, CloseReason::local);
        return;
    }
    context_.outbox.close_when_sent(connection, CloseReason::local);
}

bool Broker::claim(Connection& connection, const mqtt::Connect& packet, Bytes whole_packet,
                   std::string_view client_id, bool assigned) {
    MqttConnection& client = mqtt_of(connection);
    const uint32_t ticket = ++last_ticket_;
    const uint64_t hash = context_.hash(client_id);
    client.state = MqttConnection::State::claiming;
    client.claim_ticket = ticket;
    client.is_held = true;
    const auto place =
        claims_.emplace(ticket, PendingClaim{&connection, std::string(client_id), assigned, hash,
                                             {whole_packet.begin(), whole_packet.end()}, nullptr, 0, false})
            .first;
    claims_line_.objects.add();
    claims_line_.bytes.add(place->second.bytes());
    const ClaimMail mail{MailKind::claim, packet.clean_start, false, context_.self(), ticket, hash};
    post_.post_text(context_.home_of(hash), mail, client_id);
    return client.state == MqttConnection::State::connected;
}

Broker::PendingClaim Broker::take_claim(uint32_t ticket) {
    const auto place = claims_.find(ticket);
    MR_ASSERT(place != claims_.end());
    PendingClaim claim = std::move(place->second);
    claims_.erase(place);
    claims_line_.objects.subtract();
    claims_line_.bytes.subtract(claim.bytes());
    return claim;
}

void Broker::post_claim_mail(MailKind kind, uint64_t hash, std::string_view client_id) {
    if (context_.shard_count() == 1) return;
    const bool still_known = sessions_.knows_hash(hash);
    post_.post_text(context_.home_of(hash),
                    ClaimMail{kind, false, still_known, context_.self(), 0, hash}, client_id);
}

void Broker::on_claim_answer(Bytes bytes) {
    Bytes rest;
    const ClaimAnswerMail mail = read_mail<ClaimAnswerMail>(bytes, rest);
    finish_claim(mail.ticket, mail.kind == MailKind::claim_refused);
}

// The client id is ours now, or can't be had.
void Broker::finish_claim(uint32_t ticket, bool is_refused) {
    const PendingClaim claim = take_claim(ticket);
    if (claim.connection == nullptr) {
        // Gone meanwhile. The home shard has noted us as the holder: say so if we are not.
        if (!sessions_.knows_hash(claim.hash)) {
            post_claim_mail(MailKind::session_ended, claim.hash, claim.client_id);
        }
    } else if (is_refused) {
        refuse_connect(*claim.connection, mqtt_of(*claim.connection).version,
                       mqtt::Reason::quota_exceeded);
    } else {
        connect_claimed(claim);
    }
    post_claim_mail(MailKind::claim_done, claim.hash, claim.client_id);
}

void Broker::connect_claimed(const PendingClaim& claim) {
    Connection& connection = *claim.connection;
    const auto header = mqtt::read_fixed_header(claim.connect_packet);
    const auto connect =
        mqtt::decode_connect(Bytes(claim.connect_packet).subspan(header->header_bytes));
    MR_ASSERT(connect);  // it was decoded before
    mqtt_of(connection).last_received_ms = now_ms();
    connect_here(connection, *connect, claim.client_id, claim.id_is_assigned);
    if (mqtt_of(connection).state == MqttConnection::State::connected) release_held(connection);
}

void Broker::connect_here(Connection& connection, const mqtt::Connect& packet,
                          std::string_view client_id, bool assigned) {
    const uint64_t hash = context_.hash(client_id);
    Session* session = sessions_.find(hash, client_id);
    if (session != nullptr && session->connection != nullptr) {
        context_.counters.takeovers.add();
        disconnect_client(*session->connection, mqtt::Reason::session_taken_over,
                          CloseReason::local);
        session = sessions_.find(hash, client_id);  // gone when it wasn't to be kept
    }
    if (session != nullptr && packet.clean_start) {
        end_session(*session);
        session = nullptr;
    }
    const bool session_present = session != nullptr;
    if (session == nullptr) session = sessions_.try_make(hash, client_id);
    if (session == nullptr) {
        refuse_connect(connection, packet.version, mqtt::Reason::quota_exceeded);
        return;
    }
    attach(connection, *session, packet, assigned, session_present);
}

void Broker::attach(Connection& connection, Session& session, const mqtt::Connect& packet,
                    bool assigned, bool session_present) {
    MqttConnection& client = mqtt_of(connection);
    sessions_.drop_will(session);  // of an earlier connection, not yet due: cancelled (3.1.3.2.2)
    if (session.extras != nullptr) {
        context_.wheel.stop(session.extras->timer);
        session.extras->expires = Instant::never();
    }
    if (!accept_limits(client, packet) || !accept_will(session, packet)) {
        sessions_.drop_extras_if_unused(session);
        if (!session_present) {
            end_session(session);
        } else {
            start_session_timer(session);
        }
        refuse_connect(connection, packet.version, mqtt::Reason::quota_exceeded);
        return;
    }
    session.expiry_s = granted_expiry_s(terms_of(client), packet);
    session.connection = &connection;
    client.session = &session;
    client.state = MqttConnection::State::connected;
    client.keep_alive_s = granted_keep_alive_s(terms_of(client), packet);
    context_.counters.connections.add();
    context_.counters.connects_accepted.add();
    log_client_connected(session, client, session_present);
    if (tracer_.has_clients()) tracer_.on_attached(connection, session);
    start_connection_timer(client);
    count_memberships(session, Membership::connected);
    if (!send_connack(connection, session, packet, assigned, session_present)) return;
    announce_memberships(session);
    if (session_present) {
        fanout_.resend_inflight(session);
        fanout_.send_waiting(session);
    }
    sessions_.drop_extras_if_unused(session);
}

bool Broker::accept_will(Session& session, const mqtt::Connect& packet) {
    if (!packet.will) return true;
    const mqtt::WillProperties& properties = packet.will->properties;
    Message message;
    message.topic = packet.will->topic;
    message.payload = packet.will->payload;
    message.qos = packet.will->qos;
    message.retain = packet.will->retain;
    message.properties.payload_format = properties.payload_format;
    message.properties.content_type = properties.content_type;
    message.properties.response_topic = properties.response_topic;
    message.properties.correlation_data = properties.correlation_data;
    message.properties.user = properties.user;
    message.publisher = session.hash;
    StoredMessage* stored = store_.try_store(message);
    SessionExtras* extras = stored == nullptr ? nullptr : sessions_.try_extras(session);
    if (extras == nullptr) {
        if (stored != nullptr) store_.release(*stored);
        return false;
    }
    extras->will = sessions_.try_make_will({stored, properties.delay_interval_s,
                                            properties.message_expiry_s.value_or(0),
                                            properties.message_expiry_s.has_value()});
    if (extras->will != nullptr) return true;
    store_.release(*stored);
    return false;
}

bool Broker::accept_limits(MqttConnection& client, const mqtt::Connect& packet) {
    const bool has_own = packet.maximum_packet_bytes || packet.receive_maximum != UINT16_MAX ||
                         packet.topic_alias_maximum != 0;
    if (packet.version != mqtt::Version::v5 || !has_own) return true;
    void* memory = context_.heap.try_allocate(sizeof(ClientLimits));
    if (memory == nullptr) return false;
    client.limits = new (memory) ClientLimits;
    client.limits->maximum_packet_bytes = packet.maximum_packet_bytes.value_or(UINT32_MAX);
    client.limits->receive_maximum = packet.receive_maximum;
    client.limits->outgoing_aliases =
        std::min<uint16_t>(packet.topic_alias_maximum, ClientLimits::outgoing_aliases_max);
    return true;
}

uint32_t Broker::granted_expiry_s(const Terms& terms, const mqtt::Connect& packet) {
    const uint32_t ceiling = terms.session_expiry_max_s;
    if (packet.version == mqtt::Version::v3_1_1) return packet.clean_start ? 0 : ceiling;
    return std::min(packet.session_expiry_s, ceiling);
}

uint16_t Broker::granted_keep_alive_s(const Terms& terms, const mqtt::Connect& packet) {
    const uint16_t ceiling = terms.keep_alive_max_s;
    if (ceiling == 0) return packet.keep_alive_s;
    // 3.1.1 has no way to tell the client: it keeps what it asked for.
    if (packet.version == mqtt::Version::v3_1_1) return packet.keep_alive_s;
    return packet.keep_alive_s == 0 ? ceiling : std::min(packet.keep_alive_s, ceiling);
}

bool Broker::send_connack(Connection& connection, const Session& session,
                          const mqtt::Connect& packet, bool assigned, bool session_present) {
    const Terms& terms = terms_of(mqtt_of(connection));
    mqtt::Connack connack;
    connack.session_present = session_present;
    if (packet.version == mqtt::Version::v5) {
        if (session.expiry_s != packet.session_expiry_s) connack.session_expiry_s = session.expiry_s;
        connack.receive_maximum = terms.receive_maximum;
        if (terms.maximum_qos < 2) connack.maximum_qos = static_cast<mqtt::Qos>(terms.maximum_qos);
        if (!terms.retain_available) connack.retain_available = false;
        connack.maximum_packet_bytes = terms.maximum_packet_bytes;
        if (assigned) connack.assigned_client_id = session.client_id();
        connack.topic_alias_maximum = terms.topic_alias_maximum;
        if (!terms.wildcard_subscription_available) connack.wildcard_subscription_available = false;
        if (!terms.subscription_identifiers_available) {
            connack.subscription_identifiers_available = false;
        }
        if (!terms.shared_subscription_available) connack.shared_subscription_available = false;
        const uint16_t keep_alive_s = mqtt_of(connection).keep_alive_s;
        if (keep_alive_s != packet.keep_alive_s) connack.server_keep_alive_s = keep_alive_s;
    }
    if (control_.send_packet(connection, packet.version, connack)) return true;
    return fail(connection, mqtt::Reason::quota_exceeded);
}

}  // namespace millrace
