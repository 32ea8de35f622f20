// Decoding CONNECT and CONNACK (3.1, 3.2).
#include "codec/mqtt/decode.h"

#include "base/utf8.h"
#include "codec/mqtt/decode_step.h"
#include "codec/mqtt/properties.h"
#include "codec/mqtt/reason_set.h"

namespace millrace::mqtt {
namespace {

constexpr PropertySet connect_properties = property_set(
    {PropertyId::session_expiry, PropertyId::authentication_method,
     PropertyId::authentication_data, PropertyId::request_problem_information,
     PropertyId::request_response_information, PropertyId::receive_maximum,
     PropertyId::topic_alias_maximum, PropertyId::user, PropertyId::maximum_packet_bytes});

constexpr PropertySet will_properties = property_set(
    {PropertyId::payload_format, PropertyId::message_expiry, PropertyId::content_type,
     PropertyId::response_topic, PropertyId::correlation_data, PropertyId::will_delay,
     PropertyId::user});

constexpr PropertySet connack_properties = property_set(
    {PropertyId::session_expiry, PropertyId::assigned_client_id, PropertyId::server_keep_alive,
     PropertyId::authentication_method, PropertyId::authentication_data,
     PropertyId::response_information, PropertyId::server_reference, PropertyId::reason_string,
     PropertyId::receive_maximum, PropertyId::topic_alias_maximum, PropertyId::maximum_qos,
     PropertyId::retain_available, PropertyId::user, PropertyId::maximum_packet_bytes,
     PropertyId::wildcard_available, PropertyId::subscription_ids_available,
     PropertyId::shared_available});

// The bits of the connect flags (3.1.2.3).
struct ConnectFlags {
    uint8_t bits;
    bool reserved() const { return (bits & 0x01) != 0; }
    bool clean_start() const { return (bits & 0x02) != 0; }
    bool will() const { return (bits & 0x04) != 0; }
    uint8_t will_qos() const { return bits >> 3 & 3; }
    bool will_retain() const { return (bits & 0x20) != 0; }
    bool password() const { return (bits & 0x40) != 0; }
    bool user_name() const { return (bits & 0x80) != 0; }

    bool are_legal(Version version) const {
        if (reserved() || will_qos() == 3) return false;
        if (!will() && (will_qos() != 0 || will_retain())) return false;
        // MQTT-3.1.2-22 of 3.1.1; 5.0 allows a password alone.
        return version == Version::v5 || user_name() || !password();
    }
};

void set_connect_property(Connect& connect, const Property& property) {
    switch (property.id) {
    case PropertyId::session_expiry: connect.session_expiry_s = property.number; return;
    case PropertyId::receive_maximum:
        connect.receive_maximum = static_cast<uint16_t>(property.number);
        return;
    case PropertyId::maximum_packet_bytes: connect.maximum_packet_bytes = property.number; return;
    case PropertyId::topic_alias_maximum:
        connect.topic_alias_maximum = static_cast<uint16_t>(property.number);
        return;
    case PropertyId::request_response_information:
        connect.request_response_information = property.number != 0;
        return;
    case PropertyId::request_problem_information:
        connect.request_problem_information = property.number != 0;
        return;
    case PropertyId::authentication_method: connect.authentication_method = property.text(); return;
    case PropertyId::authentication_data: connect.authentication_data = property.bytes; return;
    default: return;  // user properties, which the reader collects; no other is in the set
    }
}

Reason read_connect_properties(FieldReader& in, Connect& connect) {
    PropertyReader properties(in.section(), connect_properties);
    Property property;
    while (properties.next(property)) set_connect_property(connect, property);
    connect.user = properties.user();
    if (properties.error() != Reason::success) return properties.error();
    const bool legal = connect.authentication_method || !connect.authentication_data;
    return legal ? Reason::success : Reason::protocol_error;
}

void set_will_property(WillProperties& will, const Property& property) {
    switch (property.id) {
    case PropertyId::will_delay: will.delay_interval_s = property.number; return;
    case PropertyId::payload_format:
        will.payload_format = static_cast<uint8_t>(property.number);
        return;
    case PropertyId::message_expiry: will.message_expiry_s = property.number; return;
    case PropertyId::content_type: will.content_type = property.text(); return;
    case PropertyId::response_topic: will.response_topic = property.text(); return;
    case PropertyId::correlation_data: will.correlation_data = property.bytes; return;
    default: return;  // user properties, which the reader collects; no other is in the set
    }
}

Reason read_will(FieldReader& in, Version version, ConnectFlags flags, Will& will) {
    will.qos = static_cast<Qos>(flags.will_qos());
    will.retain = flags.will_retain();
    if (version == Version::v5) {
        PropertyReader properties(in.section(), will_properties);
        Property property;
        while (properties.next(property)) set_will_property(will.properties, property);
        if (properties.error() != Reason::success) return properties.error();
        will.properties.user = properties.user();
    }
    will.topic = in.text();
    will.payload = in.binary();
    if (in.failed()) return Reason::malformed_packet;
    if (!is_valid_topic(will.topic)) return Reason::topic_name_invalid;
    const bool is_text = will.properties.payload_format.value_or(0) == 1;
    if (is_text && !is_well_formed_utf8(will.payload)) return Reason::payload_format_invalid;
    return Reason::success;
}

// The name and level come first and alone decide whether the rest can be understood (3.1.2.1).
Reason read_version(FieldReader& in, Version& version) {
    const std::string_view name = in.text();
    const uint8_t level = in.u8();
    if (in.failed()) return Reason::malformed_packet;
    if (name != "MQTT" || (level != 4 && level != 5)) return Reason::unsupported_protocol_version;
    version = static_cast<Version>(level);
    return Reason::success;
}

Reason parse_connect(Bytes body, Connect& connect) {
    FieldReader in(body);
    if (const Reason why = read_version(in, connect.version); why != Reason::success) return why;
    const ConnectFlags flags{in.u8()};
    connect.keep_alive_s = in.u16();
    if (in.failed() || !flags.are_legal(connect.version)) return Reason::malformed_packet;
    connect.clean_start = flags.clean_start();
    if (connect.version == Version::v5) {
        const Reason why = read_connect_properties(in, connect);
        if (why != Reason::success) return why;
    }
    connect.client_id = in.text();
    if (in.failed()) return Reason::malformed_packet;
    if (flags.will()) {
        const Reason why = read_will(in, connect.version, flags, connect.will.emplace());
        if (why != Reason::success) return why;
    }
    if (flags.user_name()) connect.user_name = in.text();
    if (flags.password()) connect.password = in.binary();
    if (in.failed() || in.remaining() != 0) return Reason::malformed_packet;
    // MQTT-3.1.3-8 of 3.1.1: a session that is kept needs a name.
    const bool needs_id = connect.version == Version::v3_1_1 && !connect.clean_start;
    if (needs_id && connect.client_id.empty()) return Reason::client_identifier_not_valid;
    return Reason::success;
}

void set_connack_property(Connack& connack, const Property& property) {
    const uint32_t number = property.number;
    switch (property.id) {
    case PropertyId::session_expiry: connack.session_expiry_s = number; return;
    case PropertyId::receive_maximum:
        connack.receive_maximum = static_cast<uint16_t>(number);
        return;
    case PropertyId::maximum_qos: connack.maximum_qos = static_cast<Qos>(number); return;
    case PropertyId::retain_available: connack.retain_available = number != 0; return;
    case PropertyId::maximum_packet_bytes: connack.maximum_packet_bytes = number; return;
    case PropertyId::assigned_client_id: connack.assigned_client_id = property.text(); return;
    case PropertyId::topic_alias_maximum:
        connack.topic_alias_maximum = static_cast<uint16_t>(number);
        return;
    case PropertyId::reason_string: connack.reason_string = property.text(); return;
    case PropertyId::wildcard_available:
        connack.wildcard_subscription_available = number != 0;
        return;
    case PropertyId::subscription_ids_available:
        connack.subscription_identifiers_available = number != 0;
        return;
    case PropertyId::shared_available: connack.shared_subscription_available = number != 0; return;
    case PropertyId::server_keep_alive:
        connack.server_keep_alive_s = static_cast<uint16_t>(number);
        return;
    case PropertyId::response_information: connack.response_information = property.text(); return;
    case PropertyId::server_reference: connack.server_reference = property.text(); return;
    case PropertyId::authentication_method: connack.authentication_method = property.text(); return;
    case PropertyId::authentication_data: connack.authentication_data = property.bytes; return;
    default: return;  // user properties, which the reader collects; no other is in the set
    }
}

// The return codes of 3.1.1 (3.2.2.3); those past 5 are reserved.
Reason read_return_code(uint8_t code, Reason& reason) {
    switch (code) {
    case 0: reason = Reason::success; return Reason::success;
    case 1: reason = Reason::unsupported_protocol_version; return Reason::success;
    case 2: reason = Reason::client_identifier_not_valid; return Reason::success;
    case 3: reason = Reason::server_unavailable; return Reason::success;
    case 4: reason = Reason::bad_user_name_or_password; return Reason::success;
    case 5: reason = Reason::not_authorized; return Reason::success;
    default: return Reason::protocol_error;
    }
}

Reason parse_connack(Version version, Bytes body, Connack& connack) {
    FieldReader in(body);
    const uint8_t flags = in.u8();
    const uint8_t code = in.u8();
    if (in.failed() || flags > 1) return Reason::malformed_packet;
    connack.session_present = flags == 1;
    connack.reason = static_cast<Reason>(code);
    if (version == Version::v3_1_1) {
        if (in.remaining() != 0) return Reason::malformed_packet;
        const Reason why = read_return_code(code, connack.reason);
        if (why != Reason::success) return why;
    } else if (!connack_reasons.has(connack.reason)) {
        return Reason::protocol_error;
    }
    // MQTT-3.2.2-6 (3.1.1: MQTT-3.2.2-4)
    if (connack.session_present && connack.reason != Reason::success) return Reason::protocol_error;
    if (version == Version::v3_1_1) return Reason::success;

    PropertyReader properties(in.section(), connack_properties);
    Property property;
    while (properties.next(property)) set_connack_property(connack, property);
    connack.user = properties.user();
    if (in.failed() || in.remaining() != 0) return Reason::malformed_packet;
    if (properties.error() != Reason::success) return properties.error();
    const bool legal = connack.authentication_method || !connack.authentication_data;
    return legal ? Reason::success : Reason::protocol_error;
}

}  // namespace

Decoded<Connect> decode_connect(Bytes body) {
    return decoded<Connect>([&](Connect& connect) { return parse_connect(body, connect); });
}

Decoded<Connack> decode_connack(Version version, Bytes body) {
    return decoded<Connack>(
        [&](Connack& connack) { return parse_connack(version, body, connack); });
}

}  // namespace millrace::mqtt
