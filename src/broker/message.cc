#include "broker/message.h"

#include <algorithm>

#include "base/assert.h"
#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"

namespace millrace {

namespace {

mqtt::Publish canonical_publish(const Message& message) {
    mqtt::Publish packet;
    packet.topic = message.topic;
    packet.payload = message.payload;
    packet.qos = message.qos;
    packet.retain = message.retain;
    packet.packet_id = message.qos == mqtt::Qos::at_most_once ? 0 : 1;
    packet.properties = message.properties;
    packet.properties.topic_alias = 0;
    packet.properties.message_expiry_s.reset();
    return packet;
}

}  // namespace

std::optional<uint32_t> Message::expiry_left_s(Instant now) const {
    if (expires == Instant::never()) return std::nullopt;
    const int64_t left_ms = std::max<int64_t>(0, (expires - now).to_ms());
    return static_cast<uint32_t>((left_ms + 999) / 1'000);
}

uint32_t canonical_bytes(const Message& message) {
    return mqtt::encoded_bytes(mqtt::Version::v5, canonical_publish(message));
}

void write_canonical(std::span<uint8_t> out, const Message& message) {
    ByteWriter writer(out);
    mqtt::encode(writer, mqtt::Version::v5, canonical_publish(message));
}

Message read_canonical(Bytes bytes, Instant expires) {
    const auto header = mqtt::read_fixed_header(bytes);
    MR_ASSERT(header);
    const auto packet = mqtt::decode_publish(
        mqtt::Version::v5, header->flags, bytes.subspan(header->header_bytes, header->remaining_bytes));
    MR_ASSERT(packet);
    Message message;
    message.topic = packet->topic;
    message.payload = packet->payload;
    message.qos = packet->qos;
    message.retain = packet->retain;
    message.properties = packet->properties;
    message.expires = expires;
    return message;
}

mqtt::Publish as_publish(const Message& message, Instant now) {
    mqtt::Publish packet = canonical_publish(message);
    packet.packet_id = 0;
    packet.properties.message_expiry_s = message.expiry_left_s(now);
    return packet;
}

}  // namespace millrace
