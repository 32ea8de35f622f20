// Encoding the packets that follow CONNECT and CONNACK (3.3 to 3.15).
#include "codec/mqtt/encode.h"

#include "codec/mqtt/field_writer.h"

namespace millrace::mqtt {
namespace {

template <class Out>
void put_publish_properties(Out& out, const PublishProperties& properties) {
    put_u8_property(out, PropertyId::payload_format, properties.payload_format);
    put_u32_property(out, PropertyId::message_expiry, properties.message_expiry_s);
    if (properties.topic_alias != 0) {
        put_u16_property(out, PropertyId::topic_alias, properties.topic_alias);
    }
    put_text_property(out, PropertyId::response_topic, properties.response_topic);
    put_binary_property(out, PropertyId::correlation_data, properties.correlation_data);
    properties.subscription_ids.for_each([&out](uint32_t id) {
        put_id(out, PropertyId::subscription_id);
        put_var_int(out, id);
    });
    put_text_property(out, PropertyId::content_type, properties.content_type);
    put_user_properties(out, properties.user);
}

// The lengths of a PUBLISH, reckoned once: its properties are walked a single time for it.
struct PublishBytes {
    uint32_t properties = 0;
    uint32_t body = 0;
};

PublishBytes publish_bytes(Version version, const Publish& publish) {
    PublishBytes bytes;
    uint64_t body = 2 + publish.topic.size() + publish.payload.size();
    if (publish.qos != Qos::at_most_once) body += 2;
    if (version == Version::v5) {
        bytes.properties =
            bytes_of([&](auto& to) { put_publish_properties(to, publish.properties); });
        body += var_int_bytes(bytes.properties) + bytes.properties;
    }
    MR_ASSERT(body <= var_int_max);
    bytes.body = static_cast<uint32_t>(body);
    return bytes;
}

uint8_t publish_flags(const Publish& publish) {
    uint8_t flags = static_cast<uint8_t>(static_cast<uint8_t>(publish.qos) << 1);
    if (publish.retain) flags |= 1;
    if (publish.duplicate) flags |= 8;
    return flags;
}

template <class Out, class T>
void put_answer_properties(Out& out, const T& packet) {
    put_text_property(out, PropertyId::reason_string, packet.reason_string);
    put_user_properties(out, packet.user);
}

template <class Out>
void put_ack(Out& out, Version version, const Ack& ack) {
    out.u16(ack.packet_id);
    if (version == Version::v3_1_1) return;
    const bool bare = !ack.reason_string && !ack.user.any();
    if (bare && ack.reason == Reason::success) return;
    out.u8(static_cast<uint8_t>(ack.reason));
    if (bare) return;
    put_section(out, [&](auto& to) { put_answer_properties(to, ack); });
}

uint8_t options_byte(Version version, const SubscriptionOptions& options) {
    uint8_t byte = static_cast<uint8_t>(options.qos);
    if (version == Version::v3_1_1) return byte;
    if (options.no_local) byte |= 0x04;
    if (options.retain_as_published) byte |= 0x08;
    return byte | static_cast<uint8_t>(static_cast<uint8_t>(options.retain_handling) << 4);
}

template <class Out>
void put_subscribe_properties(Out& out, const Subscribe& subscribe) {
    if (subscribe.subscription_id) {
        put_id(out, PropertyId::subscription_id);
        put_var_int(out, *subscribe.subscription_id);
    }
    put_user_properties(out, subscribe.user);
}

template <class Out>
void put_subscribe(Out& out, Version version, const Subscribe& subscribe) {
    out.u16(subscribe.packet_id);
    if (version == Version::v5) {
        put_section(out, [&](auto& to) { put_subscribe_properties(to, subscribe); });
    }
    subscribe.for_each([&](const SubscribeEntry& entry) {
        put_text(out, entry.filter);
        out.u8(options_byte(version, entry.options));
    });
}

template <class Out>
void put_subscribe_ack(Out& out, Version version, PacketType type, const SubscribeAck& ack) {
    out.u16(ack.packet_id);
    if (version == Version::v5) {
        put_section(out, [&](auto& to) { put_answer_properties(to, ack); });
    } else if (type == PacketType::unsuback) {
        return;
    }
    for (const Reason reason : ack.reasons) {
        // 3.1.1 knows one failure (3.9.3).
        const bool plain = version == Version::v3_1_1 && is_error(reason);
        out.u8(static_cast<uint8_t>(plain ? Reason::unspecified_error : reason));
    }
}

template <class Out>
void put_unsubscribe(Out& out, Version version, const Unsubscribe& unsubscribe) {
    out.u16(unsubscribe.packet_id);
    if (version == Version::v5) {
        put_section(out, [&](auto& to) { put_user_properties(to, unsubscribe.user); });
    }
    unsubscribe.for_each([&out](std::string_view filter) { put_text(out, filter); });
}

template <class Out>
void put_disconnect_properties(Out& out, const Disconnect& disconnect) {
    put_u32_property(out, PropertyId::session_expiry, disconnect.session_expiry_s);
    put_text_property(out, PropertyId::reason_string, disconnect.reason_string);
    put_user_properties(out, disconnect.user);
    put_text_property(out, PropertyId::server_reference, disconnect.server_reference);
}

template <class Out>
void put_disconnect(Out& out, Version version, const Disconnect& disconnect) {
    if (version == Version::v3_1_1) return;
    const bool bare = !disconnect.session_expiry_s && !disconnect.reason_string &&
                      !disconnect.server_reference && !disconnect.user.any();
    if (bare && disconnect.reason == Reason::success) return;
    out.u8(static_cast<uint8_t>(disconnect.reason));
    if (bare) return;
    put_section(out, [&](auto& to) { put_disconnect_properties(to, disconnect); });
}

template <class Out>
void put_auth_properties(Out& out, const Auth& auth) {
    put_text_property(out, PropertyId::authentication_method, auth.method);
    put_binary_property(out, PropertyId::authentication_data, auth.data);
    put_answer_properties(out, auth);
}

template <class Out>
void put_auth(Out& out, const Auth& auth) {
    const bool bare = !auth.method && !auth.data && !auth.reason_string && !auth.user.any();
    if (bare && auth.reason == Reason::success) return;
    out.u8(static_cast<uint8_t>(auth.reason));
    put_section(out, [&](auto& to) { put_auth_properties(to, auth); });
}

}  // namespace

uint32_t encoded_bytes(Version version, const Publish& packet) {
    const uint32_t body = publish_bytes(version, packet).body;
    return 1 + var_int_bytes(body) + body;
}

void encode(ByteWriter& out, Version version, const Publish& packet) {
    const PublishBytes bytes = publish_bytes(version, packet);
    out.u8(static_cast<uint8_t>(static_cast<uint8_t>(PacketType::publish) << 4 |
                                publish_flags(packet)));
    write_var_int(out, bytes.body);
    put_text(out, packet.topic);
    if (packet.qos != Qos::at_most_once) out.u16(packet.packet_id);
    if (version == Version::v5) {
        write_var_int(out, bytes.properties);
        if (bytes.properties != 0) put_publish_properties(out, packet.properties);
    }
    out.bytes(packet.payload);
}

uint32_t encoded_bytes(Version version, PacketType, const Ack& packet) {
    return packet_bytes([&](auto& out) { put_ack(out, version, packet); });
}

void encode(ByteWriter& out, Version version, PacketType type, const Ack& packet) {
    const uint8_t flags = type == PacketType::pubrel ? 2 : 0;
    put_packet(out, type, flags, [&](auto& to) { put_ack(to, version, packet); });
}

uint32_t encoded_bytes(Version version, const Subscribe& packet) {
    return packet_bytes([&](auto& out) { put_subscribe(out, version, packet); });
}

void encode(ByteWriter& out, Version version, const Subscribe& packet) {
    put_packet(out, PacketType::subscribe, 2,
               [&](auto& to) { put_subscribe(to, version, packet); });
}

uint32_t encoded_bytes(Version version, PacketType type, const SubscribeAck& packet) {
    return packet_bytes([&](auto& out) { put_subscribe_ack(out, version, type, packet); });
}

void encode(ByteWriter& out, Version version, PacketType type, const SubscribeAck& packet) {
    put_packet(out, type, 0, [&](auto& to) { put_subscribe_ack(to, version, type, packet); });
}

uint32_t encoded_bytes(Version version, const Unsubscribe& packet) {
    return packet_bytes([&](auto& out) { put_unsubscribe(out, version, packet); });
}

void encode(ByteWriter& out, Version version, const Unsubscribe& packet) {
    put_packet(out, PacketType::unsubscribe, 2,
               [&](auto& to) { put_unsubscribe(to, version, packet); });
}

uint32_t encoded_bytes(Version version, const Disconnect& packet) {
    return packet_bytes([&](auto& out) { put_disconnect(out, version, packet); });
}

void encode(ByteWriter& out, Version version, const Disconnect& packet) {
    put_packet(out, PacketType::disconnect, 0,
               [&](auto& to) { put_disconnect(to, version, packet); });
}

uint32_t encoded_bytes(const Auth& packet) {
    return packet_bytes([&](auto& out) { put_auth(out, packet); });
}

void encode(ByteWriter& out, const Auth& packet) {
    put_packet(out, PacketType::auth, 0, [&](auto& to) { put_auth(to, packet); });
}

}  // namespace millrace::mqtt
