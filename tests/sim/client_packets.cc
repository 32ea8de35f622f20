// What a model client makes of the packets that it gets.
#include <algorithm>

#include <fmt/format.h>

#include "clients.h"
#include "codec/mqtt/decode.h"

namespace millrace::sim {

uint32_t Client::connection_count_ = 0;

void Client::read(size_t bytes_max) {
    std::string& waiting = pipe_->to_client;
    const size_t bytes = std::min(bytes_max, waiting.size());
    incoming_.append(waiting, 0, bytes);
    waiting.erase(0, bytes);
    while (state_ != State::offline && !incoming_.empty()) {
        const Bytes all = as_bytes(incoming_);
        const auto length = mqtt::packet_length(all, 1u << 24);
        if (!length && length.error() != Errc::incomplete) fail("got malformed framing");
        if (!length || *length > all.size()) break;
        const std::vector<uint8_t> packet(all.begin(), all.begin() + *length);
        incoming_.erase(0, *length);
        on_packet(packet);
    }
    if (state_ != State::offline && pipe_->client_sees_end()) on_end();
}

void Client::on_end() {
    if (draining_ && (is_told_ || (has_had_turn_ && version_ == mqtt::Version::v3_1_1))) {
        check_owes_nothing();
        checkers_.trace(index_, "has been told to go");
        has_left_ = true;
        after_connection();
        return;
    }
    fail(fmt::format("the server closed its connection {}", connection_));
}

void Client::on_packet(Bytes packet) {
    const auto header = mqtt::read_fixed_header(packet);
    if (!header) fail("got a malformed fixed header");
    const Bytes body = packet.subspan(header->header_bytes);
    if ((state_ == State::connecting) != (header->type == mqtt::PacketType::connack)) {
        fail(fmt::format("packet type {} at a wrong time", static_cast<int>(header->type)));
    }
    switch (header->type) {
    case mqtt::PacketType::connack: return on_connack(body);
    case mqtt::PacketType::publish: return on_publish(header->flags, body);
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp: return on_ack(header->type, body);
    case mqtt::PacketType::suback: return on_suback(body);
    case mqtt::PacketType::unsuback: return on_unsuback(body);
    case mqtt::PacketType::disconnect: return on_disconnect(body);
    default: fail(fmt::format("packet type {}", static_cast<int>(header->type)));
    }
}

void Client::on_disconnect(Bytes body) {
    const auto packet = mqtt::decode_disconnect(version_, body);
    if (!packet || !has_had_turn_ || version_ != mqtt::Version::v5) {
        fail(fmt::format("DISCONNECT with reason {:#x}", packet ? static_cast<int>(packet->reason) : -1));
    }
    check_owes_nothing();
    check_told(packet->reason, packet->server_reference);
}

void Client::check_owes_nothing() const {
    if (owed_.empty()) return;
    fail(fmt::format("told to go before it has acknowledged packet {}", *owed_.begin()));
}

void Client::check_told(mqtt::Reason reason, std::optional<std::string_view> reference) {
    if (is_told_) fail("told to go twice");
    is_told_ = true;
    if (reason != mqtt::Reason::use_another_server || reference != drain_reference) {
        fail(fmt::format("told to go with reason {:#x}, to {}", static_cast<int>(reason),
                         reference.value_or("nowhere")));
    }
}

void Client::on_connack(Bytes body) {
    const auto packet = mqtt::decode_connack(version_, body);
    if (!packet) fail("malformed CONNACK");
    if (draining_ && packet->reason != mqtt::Reason::success) {
        if (version_ == mqtt::Version::v5) check_told(packet->reason, packet->server_reference);
        checkers_.trace(index_, "is refused");
        has_left_ = true;
        after_connection();
        return;
    }
    if (packet->reason != mqtt::Reason::success) {
        fail(fmt::format("refused with reason {:#x}", static_cast<int>(packet->reason)));
    }
    if (packet->session_present && clean_start_) fail("a session in spite of clean start");
    if (!packet->session_present) {
        if (session_is_kept_ && !clean_start_) fail("its session was lost");
        checkers_.on_session_gone(index_);
        forget_session();
    }
    checkers_.trace(index_, "is connected, session {}", packet->session_present);
    state_ = State::online;
    insists_on_clean_start_ = false;
    session_is_kept_ = expiry_ == Expiry::long_one;
    look_at_drain();
    for (const Outgoing& outgoing : outgoing_) {   // 4.4
        if (outgoing.is_released) send_ack(mqtt::PacketType::pubrel, outgoing.packet_id);
        else send_publish(outgoing, true);
    }
}

std::string Client::topic_of(const mqtt::Publish& packet) {
    const uint16_t alias = packet.properties.topic_alias;
    if (alias == 0) return std::string(packet.topic);
    if (alias > alias_maximum_) fail(fmt::format("topic alias {} of {}", alias, alias_maximum_));
    if (!packet.topic.empty()) aliases_in_[alias] = packet.topic;
    const auto place = aliases_in_.find(alias);
    if (place == aliases_in_.end()) fail(fmt::format("unknown topic alias {}", alias));
    return place->second;
}

void Client::on_publish(uint8_t flags, Bytes body) {
    const auto packet = mqtt::decode_publish(version_, flags, body);
    if (!packet) fail("malformed PUBLISH");
    const std::string topic = topic_of(*packet);
    checkers_.trace(index_, "gets packet {}{}, qos {}, topic {}: {:.8}", packet->packet_id,
                    packet->duplicate ? " again" : "", static_cast<int>(packet->qos), topic,
                    as_text(packet->payload));
    if (!note_received(*packet)) return;
    if (packet->retain) retained_[topic] = std::string(as_text(packet->payload));
    for (uint32_t times = checkers_.times_to_report(*packet); times > 0; --times) {
        checkers_.on_delivered(index_, *packet, topic);
    }
}

// False when it's known already.
bool Client::note_received(const mqtt::Publish& packet) {
    if (packet.qos == mqtt::Qos::at_most_once) {
        if (packet.duplicate) fail("DUP with QoS 0");
        return true;
    }
    const uint16_t id = packet.packet_id;
    if (!packet.duplicate && unfinished_.contains(id)) {
        fail(fmt::format("packet identifier {} used again while open", id));
    }
    if (!open_.insert(id).second) fail(fmt::format("packet {} sent twice over one connection", id));
    if (open_.size() > receive_maximum_) fail("receive maximum exceeded");
    unfinished_.insert(id);
    if (packet.qos == mqtt::Qos::at_least_once) {
        due_acks_.push_back({mqtt::PacketType::puback, id});
        // Our acknowledgement may have been lost: only what was never seen counts.
        const uint32_t message = Checkers::message_of(packet);
        const auto seen = seen_qos1_.find(id);
        const bool is_seen = seen != seen_qos1_.end() && seen->second == message;
        seen_qos1_[id] = message;
        return !packet.duplicate || !is_seen;
    }
    due_acks_.push_back({mqtt::PacketType::pubrec, id});
    return received_qos2_.insert(id).second;
}

void Client::on_ack(mqtt::PacketType type, Bytes body) {
    const auto packet = mqtt::decode_ack(version_, type, body);
    if (!packet) fail("malformed acknowledgement");
    checkers_.trace(index_, "gets answer {} to packet {}", static_cast<int>(type),
                    packet->packet_id);
    if (type == mqtt::PacketType::pubrel) {
        received_qos2_.erase(packet->packet_id);
        due_acks_.push_back({mqtt::PacketType::pubcomp, packet->packet_id});
        return;
    }
    if (mqtt::is_error(packet->reason) &&
        packet->reason != mqtt::Reason::packet_identifier_not_found) {
        fail(fmt::format("publish answered with {:#x}", static_cast<int>(packet->reason)));
    }
    const auto place =
        std::find_if(outgoing_.begin(), outgoing_.end(), [&](const Outgoing& outgoing) {
            return outgoing.packet_id == packet->packet_id;
        });
    if (place == outgoing_.end()) fail("acknowledgement of nothing");
    const mqtt::Qos qos = checkers_.messages()[place->message].qos;
    const bool fits = (type == mqtt::PacketType::puback) == (qos == mqtt::Qos::at_least_once) &&
                      (type == mqtt::PacketType::pubcomp) == place->is_released;
    if (!fits) fail("acknowledgement of another kind than expected");
    checkers_.on_acknowledged(place->message);
    if (type == mqtt::PacketType::pubrec) {
        place->is_released = true;
        send_ack(mqtt::PacketType::pubrel, packet->packet_id);
        return;
    }
    outgoing_.erase(place);
}

void Client::on_suback(Bytes body) {
    const auto packet = mqtt::decode_subscribe_ack(version_, mqtt::PacketType::suback, body);
    if (!packet || packet->reasons.size() != 1) fail("malformed SUBACK");
    const auto place = subscribes_.find(packet->packet_id);
    if (place == subscribes_.end()) fail("SUBACK of nothing");
    if (mqtt::is_error(packet->reasons[0])) fail("subscription refused");
    checkers_.on_subscribed(index_, place->second.second);
    subscribes_.erase(place);
}

void Client::on_unsuback(Bytes body) {
    const auto packet = mqtt::decode_subscribe_ack(version_, mqtt::PacketType::unsuback, body);
    if (!packet) fail("malformed UNSUBACK");
    const auto place = unsubscribes_.find(packet->packet_id);
    if (place == unsubscribes_.end()) fail("UNSUBACK of nothing");
    checkers_.on_unsubscribed(index_, place->second.filter, place->second.moment);
    unsubscribes_.erase(place);
}

}  // namespace millrace::sim
