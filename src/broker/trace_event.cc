#include "broker/trace_event.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "codec/mqtt/fixed_header.h"

namespace millrace {

namespace {

struct RecordHead {
    TraceEvent fixed;  // its borrowed texts are not valid, but `reason`
    uint32_t client_id_bytes, topic_bytes, data_bytes;
};
static_assert(std::is_trivially_copyable_v<RecordHead>);

RecordHead head_of(const TraceEvent& event) {
    const auto capped = [](size_t bytes, uint32_t bytes_max) {
        return static_cast<uint32_t>(std::min<size_t>(bytes, bytes_max));
    };
    RecordHead head{event, capped(event.client_id.size(), TraceEvent::client_id_bytes_max),
                    capped(event.topic.size(), TraceEvent::topic_bytes_max),
                    capped(event.data.size(), TraceEvent::data_bytes_max)};
    head.fixed.client_id = {};
    head.fixed.topic = {};
    head.fixed.data = {};
    return head;
}

void describe_publish(uint8_t flags, Bytes body, TraceEvent& event) {
    event.qos = (flags >> 1) & 3;
    event.has_qos = true;
    if (body.size() < 2) return;
    const size_t topic_bytes = static_cast<size_t>(body[0]) << 8 | body[1];
    if (body.size() < 2 + topic_bytes) return;
    event.topic = as_text(body.subspan(2, topic_bytes));
    body = body.subspan(2 + topic_bytes);
    if (event.qos == 0 || body.size() < 2) return;
    event.packet_id = static_cast<uint16_t>(body[0] << 8 | body[1]);
}

void describe_reason(mqtt::Version version, Bytes body, size_t place, TraceEvent& event) {
    if (version != mqtt::Version::v5) return;
    const auto reason = body.size() > place ? static_cast<mqtt::Reason>(body[place])
                                            : mqtt::Reason::success;
    event.reason = mqtt::name_of(reason);
}

}  // namespace

std::string_view name_of(TraceKind kind) {
    static constexpr std::string_view names[] = {
        "reserved", "CONNECT", "CONNACK",   "PUBLISH", "PUBACK",   "PUBREC",  "PUBREL",
        "PUBCOMP",  "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP",
        "DISCONNECT", "AUTH",  "accepted",  "closed",  "dropped",  "queued"};
    return names[static_cast<uint8_t>(kind)];
}

std::string_view name_of(TraceDirection direction) {
    switch (direction) {
    case TraceDirection::in:   return "in";
    case TraceDirection::out:  return "out";
    case TraceDirection::none: return "none";
    }
    return "";
}

void describe_packet(mqtt::Version version, Bytes packet, TraceEvent& event) {
    event.bytes = static_cast<uint32_t>(packet.size());
    if (packet.empty()) return;
    const auto type = static_cast<mqtt::PacketType>(packet[0] >> 4);
    event.kind = static_cast<TraceKind>(type);
    size_t header_bytes = 1;
    while (header_bytes < 5 && header_bytes < packet.size() && (packet[header_bytes] & 0x80) != 0) {
        ++header_bytes;
    }
    const Bytes body = packet.subspan(std::min(header_bytes + 1, packet.size()));
    switch (type) {
    case mqtt::PacketType::publish:
        return describe_publish(packet[0] & 0x0f, body, event);
    case mqtt::PacketType::connack:
        return describe_reason(version, body, 1, event);
    case mqtt::PacketType::disconnect:
        return describe_reason(version, body, 0, event);
    case mqtt::PacketType::puback:
    case mqtt::PacketType::pubrec:
    case mqtt::PacketType::pubrel:
    case mqtt::PacketType::pubcomp:
        describe_reason(version, body, 2, event);
        [[fallthrough]];
    case mqtt::PacketType::subscribe:
    case mqtt::PacketType::suback:
    case mqtt::PacketType::unsubscribe:
    case mqtt::PacketType::unsuback:
        if (body.size() >= 2) event.packet_id = static_cast<uint16_t>(body[0] << 8 | body[1]);
        return;
    case mqtt::PacketType::connect:
    case mqtt::PacketType::pingreq:
    case mqtt::PacketType::pingresp:
    case mqtt::PacketType::auth:
        return;
    }
}

uint32_t record_bytes(const TraceEvent& event) {
    const RecordHead head = head_of(event);
    return static_cast<uint32_t>(sizeof(head)) + head.client_id_bytes + head.topic_bytes +
           head.data_bytes;
}

void write_record(uint8_t* out, const TraceEvent& event) {
    const RecordHead head = head_of(event);
    std::memcpy(out, &head, sizeof(head));
    out += sizeof(head);
    const auto put = [&](const void* from, uint32_t bytes) {
        if (bytes > 0) std::memcpy(out, from, bytes);
        out += bytes;
    };
    put(event.client_id.data(), head.client_id_bytes);
    put(event.topic.data(), head.topic_bytes);
    put(event.data.data(), head.data_bytes);
}

void patch_record(uint8_t* record, Duration took, std::string_view reason) {
    RecordHead head;
    std::memcpy(&head, record, sizeof(head));
    head.fixed.took = took;
    head.fixed.has_took = true;
    if (!reason.empty()) head.fixed.reason = reason;
    std::memcpy(record, &head, sizeof(head));
}

TraceEvent read_record(const uint8_t* record) {
    RecordHead head;
    std::memcpy(&head, record, sizeof(head));
    TraceEvent event = head.fixed;
    const auto* bytes = record + sizeof(head);
    event.client_id = as_text(Bytes(bytes, head.client_id_bytes));
    bytes += head.client_id_bytes;
    event.topic = as_text(Bytes(bytes, head.topic_bytes));
    bytes += head.topic_bytes;
    event.data = Bytes(bytes, head.data_bytes);
    return event;
}

}  // namespace millrace
