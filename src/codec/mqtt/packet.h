// MQTT control packets as values (OASIS MQTT 3.1.1 and 5.0, section 3).
// Owned by: the caller; every string and byte run borrows: from the received packet when decoded,
//           from the caller when encoded.
// Holds:    a decoded value is legal by the specification; absent properties are nullopt (or the
//           default that the specification gives them, where the field says so).
// Not here: reading and writing them (decode.h, encode.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "codec/mqtt/reason.h"

namespace millrace::mqtt {

enum class Version : uint8_t { v3_1_1 = 4, v5 = 5 };

enum class PacketType : uint8_t {
    connect = 1, connack, publish, puback, pubrec, pubrel, pubcomp,
    subscribe, suback, unsubscribe, unsuback, pingreq, pingresp, disconnect, auth,
};

enum class Qos : uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

// The user properties of a packet, kept as the property section they stand in: whoever encodes
// them again copies the pairs in order (3.3.2.3.7 asks that the order is kept).
struct UserProperties {
    Bytes section;  // validated properties, without the length in front; empty when none

    bool any() const;
    // Calls `visit(std::string_view name, std::string_view value)` for each pair, in order.
    template <class Visit>
    void for_each(Visit&& visit) const;
};

// The subscription identifiers of a PUBLISH: from a list when encoding, from the property section
// when decoded.
struct SubscriptionIds {
    std::span<const uint32_t> values;  // encoding
    Bytes section;                     // decoded

    bool any() const;
    template <class Visit>
    void for_each(Visit&& visit) const;  // visit(uint32_t id)
};

struct WillProperties {
    uint32_t delay_interval_s = 0;
    std::optional<uint8_t> payload_format;
    std::optional<uint32_t> message_expiry_s;
    std::optional<std::string_view> content_type;
    std::optional<std::string_view> response_topic;
    std::optional<Bytes> correlation_data;
    UserProperties user;
};

struct Will {
    std::string_view topic;
    Bytes payload;
    Qos qos = Qos::at_most_once;
    bool retain = false;
    WillProperties properties;
};

struct Connect {
    Version version = Version::v5;
    bool clean_start = true;
    uint16_t keep_alive_s = 0;
    std::string_view client_id;
    std::optional<Will> will;
    std::optional<std::string_view> user_name;
    std::optional<Bytes> password;
    // MQTT 5.0 (3.1.2.11)
    uint32_t session_expiry_s = 0;         // 0xffffffff: never
    uint16_t receive_maximum = 65'535;
    std::optional<uint32_t> maximum_packet_bytes;
    uint16_t topic_alias_maximum = 0;
    bool request_response_information = false;
    bool request_problem_information = true;
    std::optional<std::string_view> authentication_method;
    std::optional<Bytes> authentication_data;
    UserProperties user;
};

struct Connack {
    bool session_present = false;
    Reason reason = Reason::success;       // for 3.1.1 encoded as its return code (3.2.2.3)
    std::optional<uint32_t> session_expiry_s;
    std::optional<uint16_t> receive_maximum;
    std::optional<Qos> maximum_qos;
    std::optional<bool> retain_available;
    std::optional<uint32_t> maximum_packet_bytes;
    std::optional<std::string_view> assigned_client_id;
    std::optional<uint16_t> topic_alias_maximum;
    std::optional<std::string_view> reason_string;
    UserProperties user;
    std::optional<bool> wildcard_subscription_available;
    std::optional<bool> subscription_identifiers_available;
    std::optional<bool> shared_subscription_available;
    std::optional<uint16_t> server_keep_alive_s;
    std::optional<std::string_view> response_information;
    std::optional<std::string_view> server_reference;
    std::optional<std::string_view> authentication_method;
    std::optional<Bytes> authentication_data;
};

struct PublishProperties {
    std::optional<uint8_t> payload_format;
    std::optional<uint32_t> message_expiry_s;
    uint16_t topic_alias = 0;              // 0: none (0 on the wire is refused)
    std::optional<std::string_view> response_topic;
    std::optional<Bytes> correlation_data;
    SubscriptionIds subscription_ids;
    std::optional<std::string_view> content_type;
    UserProperties user;
};

struct Publish {
    std::string_view topic;                // empty only with a topic alias (5.0)
    Bytes payload;
    uint16_t packet_id = 0;                // QoS 1 and 2 only
    Qos qos = Qos::at_most_once;
    bool retain = false;
    bool duplicate = false;
    PublishProperties properties;          // 5.0 only
};

// PUBACK, PUBREC, PUBREL, PUBCOMP: the same body.
struct Ack {
    uint16_t packet_id = 0;
    Reason reason = Reason::success;
    std::optional<std::string_view> reason_string;
    UserProperties user;
};

enum class RetainHandling : uint8_t { send = 0, send_if_new = 1, do_not_send = 2 };

struct SubscriptionOptions {
    Qos qos = Qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    RetainHandling retain_handling = RetainHandling::send;
};

struct SubscribeEntry {
    std::string_view filter;
    SubscriptionOptions options;
};

struct Subscribe {
    uint16_t packet_id = 0;
    std::optional<uint32_t> subscription_id;
    UserProperties user;
    Bytes payload;                              // decoded: validated entries
    std::span<const SubscribeEntry> entries;    // encoding

    // visit(const SubscribeEntry&), in order. At least one.
    template <class Visit>
    void for_each(Visit&& visit) const;
    uint32_t count() const;
};

struct Unsubscribe {
    uint16_t packet_id = 0;
    UserProperties user;
    Bytes payload;                                 // decoded
    std::span<const std::string_view> filters;     // encoding

    template <class Visit>
    void for_each(Visit&& visit) const;            // visit(std::string_view filter)
    uint32_t count() const;
};

// SUBACK and UNSUBACK. A 3.1.1 UNSUBACK has no reasons on the wire.
struct SubscribeAck {
    uint16_t packet_id = 0;
    std::span<const Reason> reasons;   // encoding, and decoded (they lie as bytes in the packet)
    std::optional<std::string_view> reason_string;
    UserProperties user;
};

struct Disconnect {
    Reason reason = Reason::success;
    std::optional<uint32_t> session_expiry_s;   // client to server only
    std::optional<std::string_view> reason_string;
    std::optional<std::string_view> server_reference;
    UserProperties user;
};

struct Auth {
    Reason reason = Reason::success;
    std::optional<std::string_view> method;
    std::optional<Bytes> data;
    std::optional<std::string_view> reason_string;
    UserProperties user;
};

}  // namespace millrace::mqtt

#include "codec/mqtt/packet_visit.h"  // the bodies of the for_each templates
