// Decoding the packets that follow CONNECT and CONNACK (3.3 to 3.15).
#include "codec/mqtt/decode.h"

#include "base/utf8.h"
#include "codec/mqtt/decode_step.h"
#include "codec/mqtt/properties.h"
#include "codec/mqtt/reason_set.h"

namespace millrace::mqtt {
namespace {

constexpr PropertySet publish_properties = property_set(
    {PropertyId::payload_format, PropertyId::message_expiry, PropertyId::content_type,
     PropertyId::response_topic, PropertyId::correlation_data, PropertyId::subscription_id,
     PropertyId::topic_alias, PropertyId::user});

// A message that matched several subscriptions has an identifier of each (3.3.2.3.8).
constexpr PropertySet publish_repeatable =
    property_set({PropertyId::subscription_id, PropertyId::user});

constexpr PropertySet answer_properties =
    property_set({PropertyId::reason_string, PropertyId::user});

constexpr PropertySet subscribe_properties =
    property_set({PropertyId::subscription_id, PropertyId::user});

constexpr PropertySet unsubscribe_properties = property_set({PropertyId::user});

constexpr PropertySet disconnect_properties =
    property_set({PropertyId::session_expiry, PropertyId::server_reference,
                  PropertyId::reason_string, PropertyId::user});

constexpr PropertySet auth_properties =
    property_set({PropertyId::authentication_method, PropertyId::authentication_data,
                  PropertyId::reason_string, PropertyId::user});

void set_publish_property(PublishProperties& properties, const Property& property) {
    switch (property.id) {
    case PropertyId::payload_format:
        properties.payload_format = static_cast<uint8_t>(property.number);
        return;
    case PropertyId::message_expiry: properties.message_expiry_s = property.number; return;
    case PropertyId::topic_alias:
        properties.topic_alias = static_cast<uint16_t>(property.number);
        return;
    case PropertyId::response_topic: properties.response_topic = property.text(); return;
    case PropertyId::correlation_data: properties.correlation_data = property.bytes; return;
    case PropertyId::content_type: properties.content_type = property.text(); return;
    default: return;  // user properties and subscription identifiers: the reader collects them
    }
}

Reason read_publish_properties(Bytes section, PublishProperties& properties) {
    PropertyReader reader(section, publish_properties, publish_repeatable);
    Property property;
    while (reader.next(property)) set_publish_property(properties, property);
    properties.user = reader.user();
    properties.subscription_ids = reader.subscription_ids();
    return reader.error();
}

Reason parse_publish(Version version, uint8_t flags, Bytes body, Publish& publish) {
    const uint8_t qos = flags >> 1 & 3;
    publish.retain = (flags & 1) != 0;
    publish.duplicate = (flags & 8) != 0;
    if (qos == 3 || (qos == 0 && publish.duplicate)) return Reason::malformed_packet;
    publish.qos = static_cast<Qos>(qos);
    FieldReader in(body);
    publish.topic = in.text();
    if (qos != 0) publish.packet_id = in.u16();
    const Bytes section = version == Version::v5 ? in.section() : Bytes{};
    if (in.failed()) return Reason::malformed_packet;
    if (qos != 0 && publish.packet_id == 0) return Reason::protocol_error;  // MQTT-2.2.1-3
    publish.payload = in.rest();
    if (!section.empty()) {
        const Reason why = read_publish_properties(section, publish.properties);
        if (why != Reason::success) return why;
    }
    const bool named = !publish.topic.empty() || publish.properties.topic_alias != 0;
    if (!named) {  // 3.3.2.1
        return version == Version::v5 ? Reason::protocol_error : Reason::topic_name_invalid;
    }
    // A string has no U+0000, so this is all of is_valid_topic.
    if (has_wildcard(publish.topic)) return Reason::topic_name_invalid;
    const bool is_text = publish.properties.payload_format.value_or(0) == 1;
    if (is_text && !is_well_formed_utf8(publish.payload)) return Reason::payload_format_invalid;
    return Reason::success;
}

// The properties of an answer: a reason string and user properties.
template <class T>
Reason read_answer_properties(FieldReader& in, T& packet) {
    PropertyReader reader(in.section(), answer_properties);
    Property property;
    while (reader.next(property)) {
        if (property.id == PropertyId::reason_string) packet.reason_string = property.text();
    }
    packet.user = reader.user();
    return in.failed() ? Reason::malformed_packet : reader.error();
}

Reason parse_ack(Version version, PacketType type, Bytes body, Ack& ack) {
    FieldReader in(body);
    ack.packet_id = in.u16();
    if (in.failed()) return Reason::malformed_packet;
    if (version == Version::v3_1_1 && in.remaining() != 0) return Reason::malformed_packet;
    if (ack.packet_id == 0) return Reason::protocol_error;
    if (in.remaining() == 0) return Reason::success;  // the short form: success (3.4.2.1)
    ack.reason = static_cast<Reason>(in.u8());
    if (!ack_reasons(type).has(ack.reason)) return Reason::protocol_error;
    if (in.remaining() == 0) return Reason::success;  // no properties either (3.4.2.2.1)
    const Reason why = read_answer_properties(in, ack);
    if (why != Reason::success) return why;
    return in.remaining() == 0 ? Reason::success : Reason::malformed_packet;
}

Reason read_subscribe_properties(FieldReader& in, Subscribe& subscribe) {
    PropertyReader reader(in.section(), subscribe_properties);
    Property property;
    while (reader.next(property)) {
        if (property.id == PropertyId::subscription_id) subscribe.subscription_id = property.number;
    }
    subscribe.user = reader.user();
    return in.failed() ? Reason::malformed_packet : reader.error();
}

// 3.8.3.1; in 3.1.1 all but the QoS is reserved, and QoS 3 is malformed too (MQTT-3-8.3-4).
Reason check_options(Version version, std::string_view filter, uint8_t byte) {
    if (version == Version::v3_1_1) {
        return byte <= 2 ? Reason::success : Reason::malformed_packet;
    }
    if ((byte & 0xc0) != 0) return Reason::malformed_packet;
    if ((byte & 0x03) == 3 || (byte & 0x30) == 0x30) return Reason::protocol_error;
    const bool no_local = (byte & 0x04) != 0;
    if (no_local && parse_shared(filter).has_value()) return Reason::protocol_error;
    return Reason::success;
}

Reason parse_subscribe(Version version, Bytes body, Subscribe& subscribe) {
    FieldReader in(body);
    subscribe.packet_id = in.u16();
    if (in.failed()) return Reason::malformed_packet;
    if (subscribe.packet_id == 0) return Reason::protocol_error;
    if (version == Version::v5) {
        const Reason why = read_subscribe_properties(in, subscribe);
        if (why != Reason::success) return why;
    }
    subscribe.payload = in.rest();
    if (subscribe.payload.empty()) return Reason::protocol_error;  // MQTT-3.8.3-2
    while (in.remaining() > 0) {
        const std::string_view filter = in.text();
        const uint8_t options = in.u8();
        if (in.failed()) return Reason::malformed_packet;
        const Reason why = check_options(version, filter, options);
        if (why != Reason::success) return why;
    }
    return Reason::success;
}

Reason parse_subscribe_ack(Version version, PacketType type, Bytes body, SubscribeAck& ack) {
    FieldReader in(body);
    ack.packet_id = in.u16();
    if (in.failed()) return Reason::malformed_packet;
    if (ack.packet_id == 0) return Reason::protocol_error;
    if (version == Version::v5) {
        const Reason why = read_answer_properties(in, ack);
        if (why != Reason::success) return why;
    } else if (type == PacketType::unsuback) {
        return in.remaining() == 0 ? Reason::success : Reason::malformed_packet;
    }
    // A reason is one byte, so the payload is the list of them as it lies there.
    static_assert(sizeof(Reason) == 1);
    const Bytes payload = in.rest();
    ack.reasons = {reinterpret_cast<const Reason*>(payload.data()), payload.size()};
    if (ack.reasons.empty()) return Reason::protocol_error;
    const ReasonSet& legal = type == PacketType::unsuback ? unsuback_reasons
                             : version == Version::v5     ? suback_reasons
                                                          : suback_reasons_v3_1_1;
    for (const Reason reason : ack.reasons) {
        if (!legal.has(reason)) return Reason::protocol_error;
    }
    return Reason::success;
}

Reason parse_unsubscribe(Version version, Bytes body, Unsubscribe& unsubscribe) {
    FieldReader in(body);
    unsubscribe.packet_id = in.u16();
    if (in.failed()) return Reason::malformed_packet;
    if (unsubscribe.packet_id == 0) return Reason::protocol_error;
    if (version == Version::v5) {
        PropertyReader reader(in.section(), unsubscribe_properties);
        Property property;
        while (reader.next(property)) {}  // user properties alone, which the reader collects
        if (in.failed()) return Reason::malformed_packet;
        if (reader.error() != Reason::success) return reader.error();
        unsubscribe.user = reader.user();
    }
    unsubscribe.payload = in.rest();
    if (unsubscribe.payload.empty()) return Reason::protocol_error;  // MQTT-3.10.3-2
    while (in.remaining() > 0) in.text();
    return in.failed() ? Reason::malformed_packet : Reason::success;
}

Reason parse_disconnect(Version version, Bytes body, Disconnect& disconnect) {
    if (body.empty()) return Reason::success;  // the short form: normal disconnection (3.14.2.1)
    if (version == Version::v3_1_1) return Reason::malformed_packet;
    FieldReader in(body);
    disconnect.reason = static_cast<Reason>(in.u8());
    if (!disconnect_reasons.has(disconnect.reason)) return Reason::protocol_error;
    if (in.remaining() == 0) return Reason::success;  // no properties (3.14.2.2.1)
    PropertyReader reader(in.section(), disconnect_properties);
    Property property;
    while (reader.next(property)) {
        switch (property.id) {
        case PropertyId::session_expiry: disconnect.session_expiry_s = property.number; break;
        case PropertyId::reason_string: disconnect.reason_string = property.text(); break;
        case PropertyId::server_reference: disconnect.server_reference = property.text(); break;
        default: break;  // user properties, which the reader collects; no other is in the set
        }
    }
    disconnect.user = reader.user();
    if (in.failed() || in.remaining() != 0) return Reason::malformed_packet;
    return reader.error();
}

Reason parse_auth(Version version, Bytes body, Auth& auth) {
    if (version == Version::v3_1_1) return Reason::malformed_packet;  // type 15 is reserved there
    if (body.empty()) return Reason::success;  // the short form: success (3.15.2.1)
    FieldReader in(body);
    auth.reason = static_cast<Reason>(in.u8());
    if (!auth_reasons.has(auth.reason)) return Reason::protocol_error;
    const Bytes section = in.section();
    if (in.failed() || in.remaining() != 0) return Reason::malformed_packet;
    PropertyReader reader(section, auth_properties);
    Property property;
    while (reader.next(property)) {
        switch (property.id) {
        case PropertyId::authentication_method: auth.method = property.text(); break;
        case PropertyId::authentication_data: auth.data = property.bytes; break;
        case PropertyId::reason_string: auth.reason_string = property.text(); break;
        default: break;  // user properties, which the reader collects; no other is in the set
        }
    }
    auth.user = reader.user();
    if (reader.error() != Reason::success) return reader.error();
    // 3.15.2.2.2: only success without any property, which the short form writes, goes without.
    const bool bare = auth.reason == Reason::success && section.empty();
    return auth.method || bare ? Reason::success : Reason::protocol_error;
}

}  // namespace

Decoded<Publish> decode_publish(Version version, uint8_t flags, Bytes body) {
    return decoded<Publish>(
        [&](Publish& publish) { return parse_publish(version, flags, body, publish); });
}

Decoded<Ack> decode_ack(Version version, PacketType type, Bytes body) {
    return decoded<Ack>([&](Ack& ack) { return parse_ack(version, type, body, ack); });
}

Decoded<Subscribe> decode_subscribe(Version version, Bytes body) {
    return decoded<Subscribe>(
        [&](Subscribe& subscribe) { return parse_subscribe(version, body, subscribe); });
}

Decoded<SubscribeAck> decode_subscribe_ack(Version version, PacketType type, Bytes body) {
    return decoded<SubscribeAck>(
        [&](SubscribeAck& ack) { return parse_subscribe_ack(version, type, body, ack); });
}

Decoded<Unsubscribe> decode_unsubscribe(Version version, Bytes body) {
    return decoded<Unsubscribe>(
        [&](Unsubscribe& unsubscribe) { return parse_unsubscribe(version, body, unsubscribe); });
}

Decoded<Disconnect> decode_disconnect(Version version, Bytes body) {
    return decoded<Disconnect>(
        [&](Disconnect& disconnect) { return parse_disconnect(version, body, disconnect); });
}

Decoded<Auth> decode_auth(Version version, Bytes body) {
    return decoded<Auth>([&](Auth& auth) { return parse_auth(version, body, auth); });
}

Decoded<void> decode_empty(Bytes body) {
    if (!body.empty()) return tl::unexpected<Reason>(Reason::malformed_packet);
    return {};
}

}  // namespace millrace::mqtt
