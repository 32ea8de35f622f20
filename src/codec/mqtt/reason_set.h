// Which reason codes a packet type may carry (MQTT 5.0, 2.4 and the tables of section 3).
// Owned by: constants. Thread: any.
// Not here: what the reasons mean (reason.h).
#pragma once

#include <initializer_list>

#include "codec/mqtt/packet.h"
#include "codec/mqtt/reason.h"

namespace millrace::mqtt {

class ReasonSet {
public:
    constexpr ReasonSet(std::initializer_list<Reason> reasons) {
        for (const Reason reason : reasons) {
            const uint8_t code = static_cast<uint8_t>(reason);
            words_[code / 64] |= uint64_t{1} << (code % 64);
        }
    }
    constexpr bool has(Reason reason) const {
        const uint8_t code = static_cast<uint8_t>(reason);
        return (words_[code / 64] >> (code % 64) & 1) != 0;
    }

private:
    uint64_t words_[4] = {};
};

// 3.2.2.2
inline constexpr ReasonSet connack_reasons = {
    Reason::success, Reason::unspecified_error, Reason::malformed_packet, Reason::protocol_error,
    Reason::implementation_specific_error, Reason::unsupported_protocol_version,
    Reason::client_identifier_not_valid, Reason::bad_user_name_or_password, Reason::not_authorized,
    Reason::server_unavailable, Reason::server_busy, Reason::banned,
    Reason::bad_authentication_method, Reason::topic_name_invalid, Reason::packet_too_large,
    Reason::quota_exceeded, Reason::payload_format_invalid, Reason::retain_not_supported,
    Reason::qos_not_supported, Reason::use_another_server, Reason::server_moved,
    Reason::connection_rate_exceeded};

// PUBACK and PUBREC (3.4.2.1, 3.5.2.1).
inline constexpr ReasonSet publish_ack_reasons = {
    Reason::success, Reason::no_matching_subscribers, Reason::unspecified_error,
    Reason::implementation_specific_error, Reason::not_authorized, Reason::topic_name_invalid,
    Reason::packet_identifier_in_use, Reason::quota_exceeded, Reason::payload_format_invalid};

// PUBREL and PUBCOMP (3.6.2.1, 3.7.2.1).
inline constexpr ReasonSet release_reasons = {Reason::success, Reason::packet_identifier_not_found};

// 3.9.3
inline constexpr ReasonSet suback_reasons = {
    Reason::success, Reason::granted_qos_1, Reason::granted_qos_2, Reason::unspecified_error,
    Reason::implementation_specific_error, Reason::not_authorized, Reason::topic_filter_invalid,
    Reason::packet_identifier_in_use, Reason::quota_exceeded,
    Reason::shared_subscriptions_not_supported, Reason::subscription_identifiers_not_supported,
    Reason::wildcard_subscriptions_not_supported};

// MQTT 3.1.1, 3.9.3: QoS 0 to 2, and 0x80 for a failure of any kind.
inline constexpr ReasonSet suback_reasons_v3_1_1 = {
    Reason::success, Reason::granted_qos_1, Reason::granted_qos_2, Reason::unspecified_error};

// 3.11.3
inline constexpr ReasonSet unsuback_reasons = {
    Reason::success, Reason::no_subscription_existed, Reason::unspecified_error,
    Reason::implementation_specific_error, Reason::not_authorized, Reason::topic_filter_invalid,
    Reason::packet_identifier_in_use};

// 3.14.2.1, and bad_authentication_method, which 2.4 and 4.12 give to DISCONNECT too.
inline constexpr ReasonSet disconnect_reasons = {
    Reason::success, Reason::disconnect_with_will, Reason::unspecified_error,
    Reason::malformed_packet, Reason::protocol_error, Reason::implementation_specific_error,
    Reason::not_authorized, Reason::server_busy, Reason::server_shutting_down,
    Reason::bad_authentication_method, Reason::keep_alive_timeout, Reason::session_taken_over,
    Reason::topic_filter_invalid, Reason::topic_name_invalid, Reason::receive_maximum_exceeded,
    Reason::topic_alias_invalid, Reason::packet_too_large, Reason::message_rate_too_high,
    Reason::quota_exceeded, Reason::administrative_action, Reason::payload_format_invalid,
    Reason::retain_not_supported, Reason::qos_not_supported, Reason::use_another_server,
    Reason::server_moved, Reason::shared_subscriptions_not_supported,
    Reason::connection_rate_exceeded, Reason::maximum_connect_time,
    Reason::subscription_identifiers_not_supported, Reason::wildcard_subscriptions_not_supported};

// 3.15.2.1
inline constexpr ReasonSet auth_reasons = {
    Reason::success, Reason::continue_authentication, Reason::reauthenticate};

constexpr const ReasonSet& ack_reasons(PacketType type) {
    const bool first = type == PacketType::puback || type == PacketType::pubrec;
    return first ? publish_ack_reasons : release_reasons;
}

}  // namespace millrace::mqtt
