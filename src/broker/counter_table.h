// Every counter of a shard once, with the names under which the world sees it: a topic below $SYS,
// and a metric with its labels (src/admin/README.md has the conventions).
// Owned by: nobody; constant data. Thread: any.
// Holds:    a counter without a row doesn't compile. Rows of one metric stand beside each other and
//           differ in their label.
// Not here: what has no Counter: the ledgers' lines, facts of the process.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "broker/counters.h"
#include "net/transport.h"

namespace millrace {

enum class MetricKind : uint8_t {
    gauge,    // a state: it rises and falls
    counter,  // it only grows, from 0 at the start
};

// As a scraper sees it. A counter's name ends in "_total".
struct Metric {
    std::string_view name;
    MetricKind kind;
    std::string_view help;
    std::string_view label = {};        // beside `shard`; empty: none
    std::string_view label_value = {};
};

template <class Counters>
struct CounterRow {
    Counter Counters::*counter;
    std::string_view topic;             // empty: none
    Metric metric;
};

namespace metric_detail {

constexpr Metric gauge(std::string_view name, std::string_view help) {
    return {name, MetricKind::gauge, help};
}
constexpr Metric counter(std::string_view name, std::string_view help, std::string_view label = {},
                         std::string_view label_value = {}) {
    return {name, MetricKind::counter, help, label, label_value};
}
constexpr Metric connects(std::string_view result) {
    return counter("millrace_connects_total", "CONNECT packets that were answered, by result.",
                   "result", result);
}
constexpr Metric rejected(std::string_view reason) {
    return counter("millrace_publishes_rejected_total",
                   "PUBLISH packets of clients that were not taken, by reason.", "reason", reason);
}
constexpr Metric dropped(std::string_view reason) {
    return counter("millrace_messages_dropped_total",
                   "Messages that did not go to a receiver or were not kept, by reason.", "reason",
                   reason);
}
constexpr Metric ended(std::string_view reason) {
    return counter("millrace_connections_ended_total",
                   "Connections that the broker ended because of the client, by reason.", "reason",
                   reason);
}

}  // namespace metric_detail

inline constexpr auto broker_counter_rows = [] {
    using namespace metric_detail;
    using B = BrokerCounters;
    return std::to_array<CounterRow<B>>({
        {&B::connections, "$SYS/broker/clients/connected",
         gauge("millrace_connections", "Clients that are connected.")},
        {&B::connections_active, "$SYS/broker/clients/active",
         gauge("millrace_connections_active",
               "Of them, those that received or sent something in the last ten seconds: an "
               "estimate by samples.")},
        {&B::sessions, "$SYS/broker/sessions/count",
         gauge("millrace_sessions", "Sessions, whether their clients are connected or away.")},
        {&B::subscriptions, "$SYS/broker/subscriptions/count",
         gauge("millrace_subscriptions", "Subscriptions of all sessions.")},
        {&B::retained_messages, "$SYS/broker/retained messages/count",
         gauge("millrace_retained_messages", "Retained messages.")},
        {&B::retained_bytes, "$SYS/broker/retained messages/bytes",
         gauge("millrace_retained_bytes", "Bytes of retained messages.")},
        {&B::waiting_messages, "$SYS/broker/messages/waiting",
         gauge("millrace_waiting_messages", "Messages that wait in sessions.")},
        {&B::mail_waiting_bytes, "$SYS/broker/mail/bytes waiting",
         gauge("millrace_mail_waiting_bytes",
               "Bytes for other shards that wait for room in their rings.")},
        {&B::publishes_received, "$SYS/broker/publish/messages/received",
         counter("millrace_publishes_received_total", "PUBLISH packets from clients.")},
        {&B::publishes_sent, "$SYS/broker/publish/messages/sent",
         counter("millrace_publishes_sent_total", "PUBLISH packets to clients.")},
        {&B::publishes_denied, "$SYS/broker/publish/messages/denied", rejected("denied_filter")},
        {&B::refused_quota, "$SYS/broker/publish/messages/refused", rejected("quota_exceeded")},
        {&B::dropped_slow_receiver, "$SYS/broker/publish/dropped/slow receiver",
         dropped("slow_receiver")},
        {&B::dropped_queue_full, "$SYS/broker/publish/dropped/queue full", dropped("queue_full")},
        {&B::dropped_too_large, "$SYS/broker/publish/dropped/too large", dropped("too_large")},
        {&B::dropped_expired, "$SYS/broker/publish/dropped/expired", dropped("expired")},
        {&B::dropped_exhausted, "$SYS/broker/publish/dropped/exhausted", dropped("exhausted")},
        {&B::connects_accepted, "$SYS/broker/connects/accepted", connects("accepted")},
        {&B::connects_refused, "$SYS/broker/connects/refused", connects("refused")},
        {&B::takeovers, "$SYS/broker/connects/takeovers",
         counter("millrace_session_takeovers_total",
                 "Connections that another one with the same client id replaced.")},
        {&B::session_moves, "$SYS/broker/sessions/moved",
         counter("millrace_session_moves_total",
                 "Sessions that followed their client to another shard.")},
        {&B::protocol_errors, "$SYS/broker/errors/protocol", ended("protocol_error")},
        {&B::keep_alive_timeouts, "$SYS/broker/timeouts/keep alive", ended("keep_alive_timeout")},
        {&B::connect_timeouts, "$SYS/broker/timeouts/connect", ended("connect_timeout")},
        {&B::slow_receivers_closed, "$SYS/broker/timeouts/slow receiver", ended("slow_receiver")},
        {&B::sheds, "$SYS/broker/drain/told",
         counter("millrace_drain_told_total", "Clients that a drain told to go.")},
        {&B::sheds_late, "$SYS/broker/drain/told late",
         counter("millrace_drain_told_late_total",
                 "Of them, those told before they had acknowledged everything.")},
    });
}();
static_assert(broker_counter_rows.size() * sizeof(Counter) == sizeof(BrokerCounters),
              "a counter has no topic and no metric");

inline constexpr auto transport_counter_rows = [] {
    using namespace metric_detail;
    using T = TransportCounters;
    return std::to_array<CounterRow<T>>({
        {&T::bytes_received, "$SYS/broker/bytes/received",
         counter("millrace_received_bytes_total", "Bytes received, without TCP's own.")},
        {&T::bytes_sent, "$SYS/broker/bytes/sent",
         counter("millrace_sent_bytes_total", "Bytes sent, without TCP's own.")},
        {&T::accepted, "$SYS/broker/sockets/accepted",
         counter("millrace_sockets_accepted_total", "TCP connections accepted.")},
        {&T::accept_failures, "$SYS/broker/sockets/accept failures",
         counter("millrace_accept_failures_total",
                 "Times when accepting paused for want of descriptors or memory.")},
        {&T::connected, "",
         counter("millrace_sockets_connected_total", "TCP connections opened by the server.")},
        {&T::closed, "",
         counter("millrace_sockets_closed_total", "TCP connections that have ended.")},
        {&T::receives, "",
         counter("millrace_receives_total", "Receive operations that the network completed.")},
        {&T::sends, "",
         counter("millrace_sends_total", "Send operations that the network completed.")},
        {&T::sends_zero_copy, "",
         counter("millrace_zero_copy_sends_total", "Sends that were asked to go without a copy.")},
        {&T::sends_zero_copy_copied, "",
         counter("millrace_zero_copy_sends_copied_total",
                 "Of them, those that the kernel copied nevertheless.")},
        {&T::receive_buffer_shortages, "",
         counter("millrace_receive_buffer_shortages_total",
                 "Times when a connection found no receive buffer.")},
        {&T::completion_overflows, "",
         counter("millrace_completion_overflows_total",
                 "Times when the completion queue was full.")},
    });
}();
static_assert(transport_counter_rows.size() * sizeof(Counter) == sizeof(TransportCounters),
              "a counter has no metric");

}  // namespace millrace
