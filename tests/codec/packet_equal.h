// Whether two packet values mean the same: lists and sections by what a visit of them shows.
// Owned by: tests and fuzzers. Thread: any.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/mqtt/packet.h"

namespace millrace::mqtt {

inline bool equal(Bytes a, Bytes b) { return std::ranges::equal(a, b); }

inline bool equal(const std::optional<Bytes>& a, const std::optional<Bytes>& b) {
    return a.has_value() == b.has_value() && (!a || equal(*a, *b));
}

inline std::vector<std::pair<std::string, std::string>> pairs(const UserProperties& user) {
    std::vector<std::pair<std::string, std::string>> list;
    user.for_each([&list](std::string_view name, std::string_view value) {
        list.emplace_back(std::string(name), std::string(value));
    });
    return list;
}

inline std::vector<uint32_t> ids(const SubscriptionIds& subscription_ids) {
    std::vector<uint32_t> list;
    subscription_ids.for_each([&list](uint32_t id) { list.push_back(id); });
    return list;
}

inline std::vector<SubscribeEntry> entries(const Subscribe& subscribe) {
    std::vector<SubscribeEntry> list;
    subscribe.for_each([&list](const SubscribeEntry& entry) { list.push_back(entry); });
    return list;
}

inline std::vector<std::string_view> filters(const Unsubscribe& unsubscribe) {
    std::vector<std::string_view> list;
    unsubscribe.for_each([&list](std::string_view filter) { list.push_back(filter); });
    return list;
}

inline bool equal(const UserProperties& a, const UserProperties& b) { return pairs(a) == pairs(b); }

inline bool equal(const WillProperties& a, const WillProperties& b) {
    return a.delay_interval_s == b.delay_interval_s && a.payload_format == b.payload_format &&
           a.message_expiry_s == b.message_expiry_s && a.content_type == b.content_type &&
           a.response_topic == b.response_topic && equal(a.correlation_data, b.correlation_data) &&
           equal(a.user, b.user);
}

inline bool equal(const std::optional<Will>& a, const std::optional<Will>& b) {
    if (!a || !b) return a.has_value() == b.has_value();
    return a->topic == b->topic && equal(a->payload, b->payload) && a->qos == b->qos &&
           a->retain == b->retain && equal(a->properties, b->properties);
}

inline bool equal(const Connect& a, const Connect& b) {
    return a.version == b.version && a.clean_start == b.clean_start &&
           a.keep_alive_s == b.keep_alive_s && a.client_id == b.client_id &&
           equal(a.will, b.will) &&
           a.user_name == b.user_name && equal(a.password, b.password) &&
           a.session_expiry_s == b.session_expiry_s && a.receive_maximum == b.receive_maximum &&
           a.maximum_packet_bytes == b.maximum_packet_bytes &&
           a.topic_alias_maximum == b.topic_alias_maximum &&
           a.request_response_information == b.request_response_information &&
           a.request_problem_information == b.request_problem_information &&
           a.authentication_method == b.authentication_method &&
           equal(a.authentication_data, b.authentication_data) && equal(a.user, b.user);
}

inline bool equal(const Connack& a, const Connack& b) {
    return a.session_present == b.session_present && a.reason == b.reason &&
           a.session_expiry_s == b.session_expiry_s && a.receive_maximum == b.receive_maximum &&
           a.maximum_qos == b.maximum_qos && a.retain_available == b.retain_available &&
           a.maximum_packet_bytes == b.maximum_packet_bytes &&
           a.assigned_client_id == b.assigned_client_id &&
           a.topic_alias_maximum == b.topic_alias_maximum && a.reason_string == b.reason_string &&
           equal(a.user, b.user) &&
           a.wildcard_subscription_available == b.wildcard_subscription_available &&
           a.subscription_identifiers_available == b.subscription_identifiers_available &&
           a.shared_subscription_available == b.shared_subscription_available &&
           a.server_keep_alive_s == b.server_keep_alive_s &&
           a.response_information == b.response_information &&
           a.server_reference == b.server_reference &&
           a.authentication_method == b.authentication_method &&
           equal(a.authentication_data, b.authentication_data);
}

inline bool equal(const PublishProperties& a, const PublishProperties& b) {
    return a.payload_format == b.payload_format && a.message_expiry_s == b.message_expiry_s &&
           a.topic_alias == b.topic_alias && a.response_topic == b.response_topic &&
           equal(a.correlation_data, b.correlation_data) &&
           ids(a.subscription_ids) == ids(b.subscription_ids) &&
           a.content_type == b.content_type && equal(a.user, b.user);
}

inline bool equal(const Publish& a, const Publish& b) {
    return a.topic == b.topic && equal(a.payload, b.payload) && a.packet_id == b.packet_id &&
           a.qos == b.qos && a.retain == b.retain && a.duplicate == b.duplicate &&
           equal(a.properties, b.properties);
}

inline bool equal(const Ack& a, const Ack& b) {
    return a.packet_id == b.packet_id && a.reason == b.reason &&
           a.reason_string == b.reason_string && equal(a.user, b.user);
}

inline bool equal(const SubscribeEntry& a, const SubscribeEntry& b) {
    return a.filter == b.filter && a.options.qos == b.options.qos &&
           a.options.no_local == b.options.no_local &&
           a.options.retain_as_published == b.options.retain_as_published &&
           a.options.retain_handling == b.options.retain_handling;
}

inline bool equal(const Subscribe& a, const Subscribe& b) {
    const auto same = [](const SubscribeEntry& one, const SubscribeEntry& other) {
        return equal(one, other);
    };
    return a.packet_id == b.packet_id && a.subscription_id == b.subscription_id &&
           equal(a.user, b.user) && a.count() == b.count() &&
           std::ranges::equal(entries(a), entries(b), same);
}

inline bool equal(const SubscribeAck& a, const SubscribeAck& b) {
    return a.packet_id == b.packet_id && std::ranges::equal(a.reasons, b.reasons) &&
           a.reason_string == b.reason_string && equal(a.user, b.user);
}

inline bool equal(const Unsubscribe& a, const Unsubscribe& b) {
    return a.packet_id == b.packet_id && equal(a.user, b.user) && a.count() == b.count() &&
           filters(a) == filters(b);
}

inline bool equal(const Disconnect& a, const Disconnect& b) {
    return a.reason == b.reason && a.session_expiry_s == b.session_expiry_s &&
           a.reason_string == b.reason_string && a.server_reference == b.server_reference &&
           equal(a.user, b.user);
}

inline bool equal(const Auth& a, const Auth& b) {
    return a.reason == b.reason && a.method == b.method && equal(a.data, b.data) &&
           a.reason_string == b.reason_string && equal(a.user, b.user);
}

}  // namespace millrace::mqtt
