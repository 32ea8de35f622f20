// Reason codes of MQTT 5.0 (section 2.4), and what MQTT 3.1.1 has for them.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::mqtt {

enum class Reason : uint8_t {
    success = 0x00,  // also: normal disconnection, granted QoS 0
    granted_qos_1 = 0x01,
    granted_qos_2 = 0x02,
    disconnect_with_will = 0x04,
    no_matching_subscribers = 0x10,
    no_subscription_existed = 0x11,
    continue_authentication = 0x18,
    reauthenticate = 0x19,
    unspecified_error = 0x80,
    malformed_packet = 0x81,
    protocol_error = 0x82,
    implementation_specific_error = 0x83,
    unsupported_protocol_version = 0x84,
    client_identifier_not_valid = 0x85,
    bad_user_name_or_password = 0x86,
    not_authorized = 0x87,
    server_unavailable = 0x88,
    server_busy = 0x89,
    banned = 0x8a,
    server_shutting_down = 0x8b,
    bad_authentication_method = 0x8c,
    keep_alive_timeout = 0x8d,
    session_taken_over = 0x8e,
    topic_filter_invalid = 0x8f,
    topic_name_invalid = 0x90,
    packet_identifier_in_use = 0x91,
    packet_identifier_not_found = 0x92,
    receive_maximum_exceeded = 0x93,
    topic_alias_invalid = 0x94,
    packet_too_large = 0x95,
    message_rate_too_high = 0x96,
    quota_exceeded = 0x97,
    administrative_action = 0x98,
    payload_format_invalid = 0x99,
    retain_not_supported = 0x9a,
    qos_not_supported = 0x9b,
    use_another_server = 0x9c,
    server_moved = 0x9d,
    shared_subscriptions_not_supported = 0x9e,
    connection_rate_exceeded = 0x9f,
    maximum_connect_time = 0xa0,
    subscription_identifiers_not_supported = 0xa1,
    wildcard_subscriptions_not_supported = 0xa2,
};

// The name above, for the log: it stays the same for ever.
constexpr std::string_view name_of(Reason reason) {
    switch (reason) {
    case Reason::success: return "success";
    case Reason::granted_qos_1: return "granted_qos_1";
    case Reason::granted_qos_2: return "granted_qos_2";
    case Reason::disconnect_with_will: return "disconnect_with_will";
    case Reason::no_matching_subscribers: return "no_matching_subscribers";
    case Reason::no_subscription_existed: return "no_subscription_existed";
    case Reason::continue_authentication: return "continue_authentication";
    case Reason::reauthenticate: return "reauthenticate";
    case Reason::unspecified_error: return "unspecified_error";
    case Reason::malformed_packet: return "malformed_packet";
    case Reason::protocol_error: return "protocol_error";
    case Reason::implementation_specific_error: return "implementation_specific_error";
    case Reason::unsupported_protocol_version: return "unsupported_protocol_version";
    case Reason::client_identifier_not_valid: return "client_identifier_not_valid";
    case Reason::bad_user_name_or_password: return "bad_user_name_or_password";
    case Reason::not_authorized: return "not_authorized";
    case Reason::server_unavailable: return "server_unavailable";
    case Reason::server_busy: return "server_busy";
    case Reason::banned: return "banned";
    case Reason::server_shutting_down: return "server_shutting_down";
    case Reason::bad_authentication_method: return "bad_authentication_method";
    case Reason::keep_alive_timeout: return "keep_alive_timeout";
    case Reason::session_taken_over: return "session_taken_over";
    case Reason::topic_filter_invalid: return "topic_filter_invalid";
    case Reason::topic_name_invalid: return "topic_name_invalid";
    case Reason::packet_identifier_in_use: return "packet_identifier_in_use";
    case Reason::packet_identifier_not_found: return "packet_identifier_not_found";
    case Reason::receive_maximum_exceeded: return "receive_maximum_exceeded";
    case Reason::topic_alias_invalid: return "topic_alias_invalid";
    case Reason::packet_too_large: return "packet_too_large";
    case Reason::message_rate_too_high: return "message_rate_too_high";
    case Reason::quota_exceeded: return "quota_exceeded";
    case Reason::administrative_action: return "administrative_action";
    case Reason::payload_format_invalid: return "payload_format_invalid";
    case Reason::retain_not_supported: return "retain_not_supported";
    case Reason::qos_not_supported: return "qos_not_supported";
    case Reason::use_another_server: return "use_another_server";
    case Reason::server_moved: return "server_moved";
    case Reason::shared_subscriptions_not_supported: return "shared_subscriptions_not_supported";
    case Reason::connection_rate_exceeded: return "connection_rate_exceeded";
    case Reason::maximum_connect_time: return "maximum_connect_time";
    case Reason::subscription_identifiers_not_supported: return "subscription_identifiers_not_supported";
    case Reason::wildcard_subscriptions_not_supported: return "wildcard_subscriptions_not_supported";
    }
    return "unknown";  // a number that a peer made up
}

// A sentence for a person, sent as reason string (3.1.2.11.7) with what ends a connection.
constexpr std::string_view text_of(Reason reason) {
    switch (reason) {
    case Reason::malformed_packet: return "the packet could not be read";
    case Reason::protocol_error: return "the packet is not allowed here";
    case Reason::unsupported_protocol_version: return "MQTT 3.1.1 and 5.0 are spoken here";
    case Reason::client_identifier_not_valid: return "an empty client id needs a clean session";
    case Reason::not_authorized: return "the topic is denied by the server's configuration";
    case Reason::server_shutting_down: return "the server is shutting down";
    case Reason::bad_authentication_method: return "no authentication method is offered";
    case Reason::keep_alive_timeout: return "nothing was received for 1.5 times the keep-alive";
    case Reason::session_taken_over: return "another connection has the same client id";
    case Reason::topic_name_invalid: return "a topic name has no wildcards and is not empty";
    case Reason::receive_maximum_exceeded: return "more unacknowledged publishes than allowed";
    case Reason::topic_alias_invalid: return "the alias is 0 or over the topic alias maximum";
    case Reason::packet_too_large: return "the packet is over the maximum packet size";
    case Reason::quota_exceeded: return "a limit of the server is reached";
    case Reason::payload_format_invalid: return "the payload is not the UTF-8 it is said to be";
    case Reason::retain_not_supported: return "retained messages are switched off";
    case Reason::qos_not_supported: return "the quality of service is over the maximum";
    case Reason::subscription_identifiers_not_supported:
        return "subscription identifiers are switched off";
    default: return {};
    }
}

constexpr bool is_error(Reason reason) { return static_cast<uint8_t>(reason) >= 0x80; }

}  // namespace millrace::mqtt
