// The short way to read and write PUBLISH: the fields that the generator looks at, where they lie.
// Owned by: nothing is kept. Thread: any.
// Holds:    nothing is read outside the packet, whatever its bytes are.
// Not here: properties' meaning, full validation and every other packet (codec/mqtt).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "codec/mqtt/fixed_header.h"

namespace millrace {

// The length of the packet at the front of a stream. A PUBLISH of less than 16 KiB is measured
// here; all else goes to the codec, which also checks the flags.
inline Result<uint32_t> load_packet_length(Bytes bytes) {
    constexpr uint32_t packet_bytes_max = mqtt::var_int_max + 5;
    if (bytes.size() >= 3 && (bytes[0] >> 4) == static_cast<uint8_t>(mqtt::PacketType::publish)) {
        if ((bytes[1] & 0x80) == 0) return 2u + bytes[1];
        if ((bytes[2] & 0x80) == 0) return 3u + (bytes[1] & 0x7fu) + (uint32_t{bytes[2]} << 7);
    }
    return mqtt::packet_length(bytes, packet_bytes_max);
}

struct PublishView {
    std::string_view topic;
    Bytes payload;
    uint16_t packet_id = 0;  // valid with a qos above 0
    uint8_t qos = 0;
    bool duplicate = false;
};

// Reads a variable byte integer at `offset`, moves `offset` behind it; false when there is none.
inline bool skip_var_int(Bytes bytes, uint32_t& offset, uint32_t& value) {
    value = 0;
    for (uint32_t shift = 0; shift <= 21; shift += 7) {
        if (offset >= bytes.size()) return false;
        const uint8_t byte = bytes[offset++];
        value |= uint32_t{byte & 0x7fu} << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

// `packet` is one whole packet of type PUBLISH. False when it can't be one.
inline bool read_publish(mqtt::Version version, Bytes packet, PublishView& out) {
    uint32_t offset = 1;
    uint32_t value = 0;
    if (!skip_var_int(packet, offset, value)) return false;
    if (packet.size() - offset < 2) return false;
    const uint32_t topic_bytes = (uint32_t{packet[offset]} << 8) | packet[offset + 1];
    offset += 2;
    if (packet.size() - offset < topic_bytes) return false;
    out.topic = as_text(packet.subspan(offset, topic_bytes));
    offset += topic_bytes;
    out.qos = (packet[0] >> 1) & 3;
    out.duplicate = (packet[0] & 8) != 0;
    if (out.qos == 3) return false;
    if (out.qos > 0) {
        if (packet.size() - offset < 2) return false;
        out.packet_id = static_cast<uint16_t>((packet[offset] << 8) | packet[offset + 1]);
        if (out.packet_id == 0) return false;
        offset += 2;
    }
    if (version == mqtt::Version::v5) {
        if (!skip_var_int(packet, offset, value)) return false;
        if (packet.size() - offset < value) return false;
        offset += value;
    }
    out.payload = packet.subspan(offset);
    return true;
}

struct PublishHead {
    mqtt::Version version;
    std::string_view topic;
    uint8_t qos = 0;
    uint16_t packet_id = 0;
    uint32_t payload_bytes = 0;

    uint32_t remaining_bytes() const {
        return 2 + static_cast<uint32_t>(topic.size()) + (qos > 0 ? 2 : 0) +
               (version == mqtt::Version::v5 ? 1 : 0) + payload_bytes;
    }
    uint32_t packet_bytes() const {
        return 1 + mqtt::var_int_bytes(remaining_bytes()) + remaining_bytes();
    }
};

// Writes all but the payload, whose `payload_bytes` follow at once.
inline void write_publish_head(ByteWriter& out, const PublishHead& head) {
    out.u8(static_cast<uint8_t>(0x30 | (head.qos << 1)));
    mqtt::write_var_int(out, head.remaining_bytes());
    out.u16(static_cast<uint16_t>(head.topic.size()));
    out.text(head.topic);
    if (head.qos > 0) out.u16(head.packet_id);
    if (head.version == mqtt::Version::v5) out.u8(0);
}

}  // namespace millrace
