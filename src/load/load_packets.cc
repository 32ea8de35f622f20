// Packets that the broker sends: the receiving side's hot path, and every answer.
#include "codec/mqtt/decode.h"
#include "load/load_shard.h"
#include "load/publish_wire.h"

namespace millrace {
namespace {

constexpr uint8_t puback_byte = 0x40;
constexpr uint8_t pubrec_byte = 0x50;
constexpr uint8_t pubrel_byte = 0x62;  // flags 0010 (2.1.3)
constexpr uint8_t pubcomp_byte = 0x70;

}  // namespace

void LoadShard::on_received(Client& client, Bytes bytes) {
    if (client.state() == ClientState::leaving) return;
    totals_.bytes_received += bytes.size();
    const StreamTail::Status status =
        client.tail.feed(heap_, bytes, [](Bytes front) { return load_packet_length(front); },
                         [&](Bytes packet) { return on_packet(client, packet); });
    const bool replied = send_replies(client);
    switch (status) {
    case StreamTail::Status::ok: break;
    case StreamTail::Status::stopped: return;
    case StreamTail::Status::malformed:
    case StreamTail::Status::too_large: ++totals_.protocol_errors; fail(client); return;
    case StreamTail::Status::exhausted: fail(client); return;
    }
    if (!replied) fail(client);
}

// False when the connection is being closed.
bool LoadShard::on_packet(Client& client, Bytes packet) {
    const auto type = static_cast<mqtt::PacketType>(packet[0] >> 4);
    if (type == mqtt::PacketType::publish) return on_publish(client, packet);
    const Result<mqtt::FixedHeader> header = mqtt::read_fixed_header(packet);
    if (!header) return violate(client);
    const Bytes body = packet.subspan(header->header_bytes);
    switch (type) {
    case mqtt::PacketType::connack: return on_connack(client, body);
    case mqtt::PacketType::suback: return on_suback(client, body);
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp: return on_ack(client, type, body);
    case mqtt::PacketType::pingresp: ++totals_.pings_answered; return true;
    case mqtt::PacketType::disconnect:
        // The broker closes next, and that counts.
        return version_ == mqtt::Version::v5 ? true : violate(client);
    case mqtt::PacketType::publish:
    case mqtt::PacketType::connect:
    case mqtt::PacketType::subscribe:
    case mqtt::PacketType::unsubscribe:
    case mqtt::PacketType::unsuback:
    case mqtt::PacketType::pingreq:
    case mqtt::PacketType::auth: return violate(client);
    }
    return violate(client);
}

bool LoadShard::on_publish(Client& client, Bytes packet) {
    PublishView publish;
    const bool may_come = client.role == ClientRole::subscriber &&
                          (client.state() == ClientState::ready ||
                           client.state() == ClientState::subscribing);
    if (!may_come || !read_publish(version_, packet, publish)) return violate(client);
    if (plan_.has_messages()) deliveries_.on_publish(client.local, publish, now_);
    else ++totals_.corrupt;  // nobody publishes in this run
    if (publish.qos == 1) add_reply(puback_byte, publish.packet_id);
    else if (publish.qos == 2) add_reply(pubrec_byte, publish.packet_id);
    if (reply_bytes_ + 4 <= replies_.size()) return true;
    if (send_replies(client)) return true;
    fail(client);
    return false;
}

bool LoadShard::on_connack(Client& client, Bytes body) {
    if (client.state() != ClientState::greeting) return violate(client);
    const mqtt::Decoded<mqtt::Connack> connack = mqtt::decode_connack(version_, body);
    if (!connack) return violate(client);
    if (connack->reason != mqtt::Reason::success) {
        fail(client);
        return false;
    }
    ++totals_.accepted;
    LoadShardRound& round = result_.rounds[round_];
    if (connack->session_present) {
        ++totals_.resumed;
        ++round.sessions_resumed;
    }
    totals_.last_accepted_ns = static_cast<uint64_t>(now_.nanoseconds);
    round.connack_latency.add(now_.nanoseconds - client.opened_at_ns);
    if (client.role == ClientRole::publisher) {
        publish_.on_ready(client, connack->receive_maximum.value_or(65'535));
        become_ready(client);
    } else if (connack->session_present) {
        become_ready(client);  // the subscription has survived with the session
    } else {
        client.set_state(ClientState::subscribing);
        send_subscribe(client);
    }
    return client.state() != ClientState::leaving;
}

bool LoadShard::on_suback(Client& client, Bytes body) {
    if (client.state() != ClientState::subscribing) return violate(client);
    const mqtt::Decoded<mqtt::SubscribeAck> suback =
        mqtt::decode_subscribe_ack(version_, mqtt::PacketType::suback, body);
    if (!suback || suback->reasons.size() != 1) return violate(client);
    if (mqtt::is_error(suback->reasons[0])) {
        fail(client);
        return false;
    }
    become_ready(client);
    return true;
}

bool LoadShard::on_ack(Client& client, mqtt::PacketType type, Bytes body) {
    uint16_t packet_id = 0;
    bool refused = false;
    if (body.size() == 2) {  // what nearly all are
        packet_id = static_cast<uint16_t>((body[0] << 8) | body[1]);
    } else {
        const mqtt::Decoded<mqtt::Ack> ack = mqtt::decode_ack(version_, type, body);
        if (!ack) return violate(client);
        packet_id = ack->packet_id;
        refused = mqtt::is_error(ack->reason);
    }
    if (client.state() != ClientState::ready) return violate(client);
    bool expected = false;
    if (client.role == ClientRole::subscriber) {
        expected = type == mqtt::PacketType::pubrel && packet_id != 0;
        if (expected) add_reply(pubcomp_byte, packet_id);
    } else if (type == mqtt::PacketType::puback) {
        expected = publish_.on_puback(client, packet_id, refused);
    } else if (type == mqtt::PacketType::pubrec) {
        expected = publish_.on_pubrec(client, packet_id, refused);
        if (expected && !refused) add_reply(pubrel_byte, packet_id);
    } else if (type == mqtt::PacketType::pubcomp) {
        expected = publish_.on_pubcomp(client, packet_id);
    }
    if (!expected) return violate(client);
    if (reply_bytes_ + 4 <= replies_.size()) return true;
    if (send_replies(client)) return true;
    fail(client);
    return false;
}

// The broker sent what it may not: counted, and the connection ends.
bool LoadShard::violate(Client& client) {
    ++totals_.protocol_errors;
    fail(client);
    return false;
}

void LoadShard::add_reply(uint8_t first_byte, uint16_t packet_id) {
    uint8_t* reply = &replies_[reply_bytes_];
    reply[0] = first_byte;
    reply[1] = 2;
    reply[2] = static_cast<uint8_t>(packet_id >> 8);
    reply[3] = static_cast<uint8_t>(packet_id);
    reply_bytes_ += 4;
}

bool LoadShard::send_replies(Client& client) {
    if (reply_bytes_ == 0) return true;
    const Bytes replies{replies_.data(), reply_bytes_};
    reply_bytes_ = 0;
    if (client.state() == ClientState::leaving) return true;
    return send_packet(client, static_cast<uint32_t>(replies.size()),
                       [&](ByteWriter& out) { out.bytes(replies); });
}

}  // namespace millrace
