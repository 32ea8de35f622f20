// Encoding CONNECT and CONNACK (3.1, 3.2).
#include "codec/mqtt/encode.h"
#include "codec/mqtt/field_writer.h"

namespace millrace::mqtt {
namespace {

// Properties that have the default of the specification are left out.
template <class T>
std::optional<T> unless(T normal, T value) {
    return value == normal ? std::nullopt : std::optional<T>(value);
}

template <class Out>
void put_connect_properties(Out& out, const Connect& connect) {
    put_u32_property(out, PropertyId::session_expiry,
                     unless(uint32_t{0}, connect.session_expiry_s));
    put_u16_property(out, PropertyId::receive_maximum,
                     unless(uint16_t{65'535}, connect.receive_maximum));
    put_u32_property(out, PropertyId::maximum_packet_bytes, connect.maximum_packet_bytes);
    put_u16_property(out, PropertyId::topic_alias_maximum,
                     unless(uint16_t{0}, connect.topic_alias_maximum));
    put_flag_property(out, PropertyId::request_response_information,
                      unless(false, connect.request_response_information));
    put_flag_property(out, PropertyId::request_problem_information,
                      unless(true, connect.request_problem_information));
    put_text_property(out, PropertyId::authentication_method, connect.authentication_method);
    put_binary_property(out, PropertyId::authentication_data, connect.authentication_data);
    put_user_properties(out, connect.user);
}

template <class Out>
void put_will_properties(Out& out, const WillProperties& will) {
    put_u32_property(out, PropertyId::will_delay, unless(uint32_t{0}, will.delay_interval_s));
    put_u8_property(out, PropertyId::payload_format, will.payload_format);
    put_u32_property(out, PropertyId::message_expiry, will.message_expiry_s);
    put_text_property(out, PropertyId::content_type, will.content_type);
    put_text_property(out, PropertyId::response_topic, will.response_topic);
    put_binary_property(out, PropertyId::correlation_data, will.correlation_data);
    put_user_properties(out, will.user);
}

uint8_t connect_flags(const Connect& connect) {
    uint8_t flags = connect.clean_start ? 0x02 : 0;
    if (connect.will) {
        flags |= 0x04;
        flags |= static_cast<uint8_t>(static_cast<uint8_t>(connect.will->qos) << 3);
        if (connect.will->retain) flags |= 0x20;
    }
    if (connect.password) flags |= 0x40;
    if (connect.user_name) flags |= 0x80;
    return flags;
}

template <class Out>
void put_connect(Out& out, const Connect& connect) {
    const bool is_v5 = connect.version == Version::v5;
    put_text(out, "MQTT");
    out.u8(static_cast<uint8_t>(connect.version));
    out.u8(connect_flags(connect));
    out.u16(connect.keep_alive_s);
    if (is_v5) put_section(out, [&](auto& to) { put_connect_properties(to, connect); });
    put_text(out, connect.client_id);
    if (connect.will) {
        const Will& will = *connect.will;
        if (is_v5) put_section(out, [&](auto& to) { put_will_properties(to, will.properties); });
        put_text(out, will.topic);
        put_binary(out, will.payload);
    }
    if (connect.user_name) put_text(out, *connect.user_name);
    if (connect.password) put_binary(out, *connect.password);
}

template <class Out>
void put_connack_properties(Out& out, const Connack& connack) {
    put_u32_property(out, PropertyId::session_expiry, connack.session_expiry_s);
    put_u16_property(out, PropertyId::receive_maximum, connack.receive_maximum);
    if (connack.maximum_qos) {
        put_u8_property(out, PropertyId::maximum_qos, static_cast<uint8_t>(*connack.maximum_qos));
    }
    put_flag_property(out, PropertyId::retain_available, connack.retain_available);
    put_u32_property(out, PropertyId::maximum_packet_bytes, connack.maximum_packet_bytes);
    put_text_property(out, PropertyId::assigned_client_id, connack.assigned_client_id);
    put_u16_property(out, PropertyId::topic_alias_maximum, connack.topic_alias_maximum);
    put_text_property(out, PropertyId::reason_string, connack.reason_string);
    put_user_properties(out, connack.user);
    put_flag_property(out, PropertyId::wildcard_available, connack.wildcard_subscription_available);
    put_flag_property(out, PropertyId::subscription_ids_available,
                      connack.subscription_identifiers_available);
    put_flag_property(out, PropertyId::shared_available, connack.shared_subscription_available);
    put_u16_property(out, PropertyId::server_keep_alive, connack.server_keep_alive_s);
    put_text_property(out, PropertyId::response_information, connack.response_information);
    put_text_property(out, PropertyId::server_reference, connack.server_reference);
    put_text_property(out, PropertyId::authentication_method, connack.authentication_method);
    put_binary_property(out, PropertyId::authentication_data, connack.authentication_data);
}

// The nearest return code that 3.1.1 has (3.2.2.3); "unavailable" for what it has no word for.
uint8_t return_code(Reason reason) {
    switch (reason) {
    case Reason::success: return 0;
    case Reason::unsupported_protocol_version: return 1;
    case Reason::client_identifier_not_valid: return 2;
    case Reason::bad_user_name_or_password: return 4;
    case Reason::not_authorized:
    case Reason::banned:
    case Reason::bad_authentication_method: return 5;
    default: return 3;
    }
}

template <class Out>
void put_connack(Out& out, Version version, const Connack& connack) {
    out.u8(connack.session_present ? 1 : 0);
    if (version == Version::v3_1_1) {
        out.u8(return_code(connack.reason));
        return;
    }
    out.u8(static_cast<uint8_t>(connack.reason));
    put_section(out, [&](auto& to) { put_connack_properties(to, connack); });
}

}  // namespace

uint32_t encoded_bytes(const Connect& packet) {
    return packet_bytes([&](auto& out) { put_connect(out, packet); });
}

void encode(ByteWriter& out, const Connect& packet) {
    put_packet(out, PacketType::connect, 0, [&](auto& to) { put_connect(to, packet); });
}

uint32_t encoded_bytes(Version version, const Connack& packet) {
    return packet_bytes([&](auto& out) { put_connack(out, version, packet); });
}

void encode(ByteWriter& out, Version version, const Connack& packet) {
    put_packet(out, PacketType::connack, 0, [&](auto& to) { put_connack(to, version, packet); });
}

}  // namespace millrace::mqtt
