// Drawing legal packet values.
#include "codec/packet_maker.h"

namespace millrace::mqtt {
namespace {

constexpr std::string_view characters[] = {
    "a", "b", "7", "/", "$", " ", "\x01", "\x7f", "\u00e9", "\u07ff", "\u0800", "\ud7ff", "\ue000",
    "\uffff", "\U00010000", "\U0010ffff"};

void append_text(std::string& out, std::string_view text) {
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size()));
    out.append(text);
}

}  // namespace

// Mostly short; the long ones cross the borders of the variable byte integers and string lengths.
uint32_t PacketMaker::count_of_bytes() {
    const uint32_t kind = draw_(64);
    if (kind == 0) return draw_(20'000);
    if (kind < 6) return 100 + draw_(60);
    return draw_(20);
}

std::string_view PacketMaker::text() {
    const uint32_t bytes = count_of_bytes();
    std::string text;
    // A long text repeats its characters, so that a fuzzer's bytes go further.
    while (text.size() < bytes) {
        const std::string_view next = characters[draw_(std::size(characters))];
        text.append(next);
        if (text.size() > 24 && bytes > 48) {
            while (text.size() < bytes) text.append(next);
        }
    }
    return keep(std::move(text));
}

std::string_view PacketMaker::topic() {
    const std::string_view some = text();
    return some.empty() ? std::string_view("t") : some;
}

std::string_view PacketMaker::filter() {
    static constexpr std::string_view shapes[] = {"#", "+", "a/+/b", "a/#", "+/+", "$share/g/a/#"};
    const uint32_t shape = draw_(12);
    return shape < std::size(shapes) ? shapes[shape] : topic();
}

Bytes PacketMaker::binary() {
    const uint32_t bytes = count_of_bytes();
    std::string data;
    for (uint32_t i = 0; i < bytes; ++i) {
        data.push_back(static_cast<char>(i < 24 ? draw_(256) : i));
    }
    return as_bytes(keep(std::move(data)));
}

Bytes PacketMaker::payload(bool is_text) {
    if (!is_text) return binary();
    std::string data(text());
    if (coin()) data.push_back('\0');  // legal in a payload, not in a string
    return as_bytes(keep(std::move(data)));
}

UserProperties PacketMaker::user() {
    std::string section;
    const uint32_t count = coin() ? draw_(4) : 0;
    for (uint32_t i = 0; i < count; ++i) {
        section.push_back(0x26);
        append_text(section, text());
        append_text(section, text());
        // Others may stand between the pairs of a section that was received.
        if (draw_(4) == 0) section.append("\x01\x01\x03\0\x01z\x23\0\x05\x0b\x80\x02", 12);
    }
    return {as_bytes(keep(std::move(section)))};
}

uint32_t PacketMaker::subscription_id() {
    static constexpr uint32_t bounds[] = {127, 16'383, 2'097'151, 268'435'455};
    const uint32_t bound = bounds[draw_(4)];
    return draw_(8) == 0 ? bound : 1 + draw_(bound);
}

Reason PacketMaker::reason_of(const ReasonSet& legal) {
    if (coin()) return Reason::success;
    for (uint32_t code = draw_(256);; code = (code + 1) % 256) {
        const Reason reason = static_cast<Reason>(code);
        if (legal.has(reason)) return reason;
    }
}

void PacketMaker::fill_will(Will& will, Version version) {
    will.topic = topic();
    will.qos = qos();
    will.retain = coin();
    WillProperties& properties = will.properties;
    if (version == Version::v5) {
        if (coin()) properties.delay_interval_s = u32();
        maybe(properties.payload_format, [&] { return bit(); });
        maybe(properties.message_expiry_s, [&] { return u32(); });
        maybe(properties.content_type, [&] { return text(); });
        maybe(properties.response_topic, [&] { return topic(); });
        maybe(properties.correlation_data, [&] { return binary(); });
        properties.user = user();
    }
    will.payload = payload(properties.payload_format.value_or(0) == 1);
}

Connect PacketMaker::connect(Version version) {
    Connect connect;
    connect.version = version;
    connect.clean_start = coin();
    connect.keep_alive_s = u16();
    connect.client_id = text();
    if (connect.client_id.empty() && version == Version::v3_1_1) connect.clean_start = true;
    if (coin()) fill_will(connect.will.emplace(), version);
    maybe(connect.user_name, [&] { return text(); });
    if (connect.user_name || version == Version::v5) {
        maybe(connect.password, [&] { return binary(); });
    }
    if (version == Version::v3_1_1) return connect;
    if (coin()) connect.session_expiry_s = coin() ? 0xffffffff : u32();
    if (coin()) connect.receive_maximum = u16_not_zero();
    maybe(connect.maximum_packet_bytes, [&] { return 1 + draw_(0xfffffffe); });
    if (coin()) connect.topic_alias_maximum = u16();
    connect.request_response_information = coin();
    connect.request_problem_information = coin();
    maybe(connect.authentication_method, [&] { return text(); });
    if (connect.authentication_method) {
        maybe(connect.authentication_data, [&] { return binary(); });
    }
    connect.user = user();
    return connect;
}

Connack PacketMaker::connack(Version version) {
    static constexpr Reason reasons_v3_1_1[] = {
        Reason::success, Reason::unsupported_protocol_version, Reason::client_identifier_not_valid,
        Reason::server_unavailable, Reason::bad_user_name_or_password, Reason::not_authorized};
    Connack connack;
    const bool is_v5 = version == Version::v5;
    connack.reason = is_v5 ? reason_of(connack_reasons) : reasons_v3_1_1[draw_(6)];
    connack.session_present = connack.reason == Reason::success && coin();
    if (!is_v5) return connack;
    maybe(connack.session_expiry_s, [&] { return u32(); });
    maybe(connack.receive_maximum, [&] { return u16_not_zero(); });
    maybe(connack.maximum_qos, [&] { return static_cast<Qos>(draw_(2)); });
    maybe(connack.retain_available, [&] { return coin(); });
    maybe(connack.maximum_packet_bytes, [&] { return 1 + draw_(0xfffffffe); });
    maybe(connack.assigned_client_id, [&] { return text(); });
    maybe(connack.topic_alias_maximum, [&] { return u16(); });
    maybe(connack.reason_string, [&] { return text(); });
    connack.user = user();
    maybe(connack.wildcard_subscription_available, [&] { return coin(); });
    maybe(connack.subscription_identifiers_available, [&] { return coin(); });
    maybe(connack.shared_subscription_available, [&] { return coin(); });
    maybe(connack.server_keep_alive_s, [&] { return u16(); });
    maybe(connack.response_information, [&] { return text(); });
    maybe(connack.server_reference, [&] { return text(); });
    maybe(connack.authentication_method, [&] { return text(); });
    if (connack.authentication_method) {
        maybe(connack.authentication_data, [&] { return binary(); });
    }
    return connack;
}

Publish PacketMaker::publish(Version version) {
    Publish publish;
    publish.topic = topic();
    publish.qos = qos();
    publish.retain = coin();
    if (publish.qos != Qos::at_most_once) {
        publish.packet_id = u16_not_zero();
        publish.duplicate = coin();
    }
    PublishProperties& properties = publish.properties;
    if (version == Version::v5 && coin()) {
        maybe(properties.payload_format, [&] { return bit(); });
        maybe(properties.message_expiry_s, [&] { return u32(); });
        if (coin()) properties.topic_alias = u16_not_zero();
        if (properties.topic_alias != 0 && coin()) publish.topic = {};
        maybe(properties.response_topic, [&] { return topic(); });
        maybe(properties.correlation_data, [&] { return binary(); });
        std::vector<uint32_t>& list = id_lists_.emplace_back();
        for (uint32_t left = draw_(4); left > 0; --left) list.push_back(subscription_id());
        properties.subscription_ids.values = list;
        maybe(properties.content_type, [&] { return text(); });
        properties.user = user();
    }
    publish.payload = payload(properties.payload_format.value_or(0) == 1);
    return publish;
}

Ack PacketMaker::ack(Version version, PacketType type) {
    Ack ack;
    ack.packet_id = u16_not_zero();
    if (version == Version::v3_1_1) return ack;
    ack.reason = reason_of(ack_reasons(type));
    maybe(ack.reason_string, [&] { return text(); });
    ack.user = user();
    return ack;
}

Subscribe PacketMaker::subscribe(Version version) {
    Subscribe subscribe;
    subscribe.packet_id = u16_not_zero();
    const bool is_v5 = version == Version::v5;
    if (is_v5) {
        maybe(subscribe.subscription_id, [&] { return subscription_id(); });
        subscribe.user = user();
    }
    std::vector<SubscribeEntry>& list = entry_lists_.emplace_back();
    for (uint32_t left = 1 + draw_(4); left > 0; --left) {
        SubscribeEntry entry{filter(), {.qos = qos()}};
        if (is_v5) {
            entry.options.no_local = !entry.filter.starts_with("$share/") && coin();
            entry.options.retain_as_published = coin();
            entry.options.retain_handling = static_cast<RetainHandling>(draw_(3));
        }
        list.push_back(entry);
    }
    subscribe.entries = list;
    return subscribe;
}

SubscribeAck PacketMaker::subscribe_ack(Version version, PacketType type) {
    SubscribeAck ack;
    ack.packet_id = u16_not_zero();
    const bool is_v5 = version == Version::v5;
    const bool is_unsuback = type == PacketType::unsuback;
    if (is_v5) {
        maybe(ack.reason_string, [&] { return text(); });
        ack.user = user();
    } else if (is_unsuback) {
        return ack;
    }
    const ReasonSet& legal = is_unsuback ? unsuback_reasons
                             : is_v5     ? suback_reasons
                                         : suback_reasons_v3_1_1;
    std::vector<Reason>& list = reason_lists_.emplace_back();
    for (uint32_t left = 1 + draw_(5); left > 0; --left) list.push_back(reason_of(legal));
    ack.reasons = list;
    return ack;
}

Unsubscribe PacketMaker::unsubscribe(Version version) {
    Unsubscribe unsubscribe;
    unsubscribe.packet_id = u16_not_zero();
    if (version == Version::v5) unsubscribe.user = user();
    std::vector<std::string_view>& list = filter_lists_.emplace_back();
    for (uint32_t left = 1 + draw_(4); left > 0; --left) list.push_back(filter());
    unsubscribe.filters = list;
    return unsubscribe;
}

Disconnect PacketMaker::disconnect(Version version) {
    Disconnect disconnect;
    if (version == Version::v3_1_1) return disconnect;
    disconnect.reason = reason_of(disconnect_reasons);
    if (coin()) return disconnect;
    maybe(disconnect.session_expiry_s, [&] { return u32(); });
    maybe(disconnect.reason_string, [&] { return text(); });
    maybe(disconnect.server_reference, [&] { return text(); });
    disconnect.user = user();
    return disconnect;
}

Auth PacketMaker::auth() {
    Auth auth;
    auth.reason = reason_of(auth_reasons);
    if (auth.reason == Reason::success && coin()) return auth;
    auth.method = text();
    maybe(auth.data, [&] { return binary(); });
    maybe(auth.reason_string, [&] { return text(); });
    auth.user = user();
    return auth;
}

}  // namespace millrace::mqtt
