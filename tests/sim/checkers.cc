#include "checkers.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "codec/mqtt/topic_name.h"

namespace millrace::sim {

namespace {

bool wants(const Span& span, const SentMessage& message, uint32_t client) {
    return mqtt::matches(span.inner, message.topic) &&
           !(span.no_local && message.publisher == client);
}

// Since before the message was sent, and long enough for it to arrive.
bool must_get(const Span& span, const SentMessage& message) {
    return span.must_begin < message.sent_moment && span.must_end_epoch > message.acked_epoch &&
           span.must_end_moment > message.acked_moment;
}

// Over one connection, or with time between. A message that was sent again may come again, behind
// later ones with another quality of service.
bool is_surely_older(const SentMessage& one, const SentMessage& other) {
    if (one.times_sent > 1 && one.qos != other.qos) return false;
    return one.connection == other.connection || one.acked_epoch < other.sent_epoch;
}

}  // namespace

void Checkers::fail(uint32_t client, uint32_t id, std::string_view what) const {
    const SentMessage& message = messages_[id];
    throw Failure(fmt::format("client {}, message {} (publisher {}, topic {}, qos {}{}): {}", client,
                              id, message.publisher, message.topic, static_cast<int>(message.qos),
                              message.retain ? ", retain" : "", what));
}

uint32_t Checkers::add_message(SentMessage message) {
    message.copies.assign(spans_.size(), 0);
    messages_.push_back(std::move(message));
    return static_cast<uint32_t>(messages_.size() - 1);
}

uint32_t Checkers::message_of(const mqtt::Publish& packet) {
    const std::string_view payload = as_text(packet.payload);
    uint32_t id = UINT32_MAX;
    std::from_chars(payload.data(), payload.data() + payload.size(), id);
    return id;
}

std::string Checkers::payload_of(uint32_t id, uint32_t extra_bytes) {
    return fmt::format("{} {}", id, std::string(extra_bytes, 'x'));
}

void Checkers::on_sent(uint32_t id) {
    SentMessage& message = messages_[id];
    if (message.times_sent++ > 0) return;
    message.sent_moment = world_.next_moment();
    message.sent_epoch = world_.epoch();
}

void Checkers::on_acknowledged(uint32_t id) {
    SentMessage& message = messages_[id];
    if (message.acked_epoch != never) return;
    message.acked_epoch = world_.epoch();
    message.acked_moment = world_.next_moment();
}

size_t Checkers::on_subscribe(uint32_t client, Span span) {
    for (Span& other : spans_[client]) {   // the new grant may hold already
        if (other.filter == span.filter && other.must_end_epoch == never) {
            other.must_end_epoch = world_.epoch();
        }
    }
    span.may_begin = world_.next_moment();
    if (const auto shared = mqtt::parse_shared(span.filter)) {
        span.is_shared = true;
        span.inner = shared->filter;
    } else {
        span.inner = span.filter;
    }
    spans_[client].push_back(std::move(span));
    return spans_[client].size() - 1;
}

void Checkers::on_subscribed(uint32_t client, size_t index) {
    Span& span = spans_[client][index];
    for (Span& other : spans_[client]) {
        if (other.filter == span.filter && other.may_begin < span.may_begin) {
            other.may_end = std::min(other.may_end, world_.next_moment());
        }
    }
    if (span.must_end_epoch == never) span.must_begin = world_.next_moment();
}

void Checkers::on_unsubscribe(uint32_t client, std::string_view filter) {
    for (Span& span : spans_[client]) {
        if (span.filter == filter) span.must_end_epoch = std::min(span.must_end_epoch, world_.epoch());
    }
}

void Checkers::on_unsubscribed(uint32_t client, std::string_view filter, uint64_t sent_moment) {
    for (Span& span : spans_[client]) {
        if (span.filter == filter && span.may_begin < sent_moment) {
            span.may_end = std::min(span.may_end, world_.next_moment());
        }
    }
}

void Checkers::on_session_in_doubt(uint32_t client) {
    for (Span& span : spans_[client]) {   // those of long ago too: what they brought may still wait
        span.was_lost = true;
        span.must_begin = never;
    }
}

void Checkers::on_turn_to_leave(uint32_t client) {
    const uint64_t moment = world_.next_moment();
    for (Span& span : spans_[client]) span.must_end_moment = std::min(span.must_end_moment, moment);
}

void Checkers::on_session_gone(uint32_t client) {
    on_session_in_doubt(client);
    for (Span& span : spans_[client]) {
        span.must_end_epoch = std::min(span.must_end_epoch, world_.epoch());
        span.may_end = std::min(span.may_end, world_.next_moment());
    }
    // A message that is on its way between shards may reach the old session and the new one.
    for (SentMessage& message : messages_) {
        message.former_copies += std::exchange(message.copies[client], 0);
    }
}

bool Checkers::may_get(uint32_t client, const SentMessage& message,
                       const mqtt::Publish& packet) const {
    return std::any_of(spans_[client].begin(), spans_[client].end(), [&](const Span& span) {
        return span.may_end > message.sent_moment && wants(span, message, client) &&
               packet.qos <= std::min(span.qos, message.qos) &&
               (!packet.retain || (span.wants_retained && !span.is_shared && message.retain));
    });
}

// How many copies one publish may lead to: one for all plain subscriptions, one a shared one.
uint32_t Checkers::channels(uint32_t client, const SentMessage& message) const {
    std::set<std::string_view> groups;
    bool is_plain = false;
    for (const Span& span : spans_[client]) {
        if (span.may_end <= message.sent_moment || !wants(span, message, client)) continue;
        if (span.is_shared) groups.insert(span.filter);
        else is_plain = true;
    }
    return static_cast<uint32_t>(groups.size()) + (is_plain ? 1 : 0);
}

void Checkers::check_identifiers(uint32_t client, const mqtt::Publish& packet,
                                 std::string_view topic) const {
    packet.properties.subscription_ids.for_each([&](uint32_t identifier) {
        const bool is_known =
            std::any_of(spans_[client].begin(), spans_[client].end(), [&](const Span& span) {
                return span.identifier == identifier && mqtt::matches(span.inner, topic);
            });
        if (!is_known) throw Failure(fmt::format("client {}: unknown subscription id", client));
    });
}

void Checkers::on_delivered(uint32_t client, const mqtt::Publish& packet, std::string_view topic) {
    check_identifiers(client, packet, topic);
    if (packet.payload.empty()) return;   // clears a retained topic; names no message
    const uint32_t id = message_of(packet);
    if (id >= messages_.size()) throw Failure(fmt::format("client {}: unknown payload", client));
    SentMessage& message = messages_[id];
    if (message.topic != topic) fail(client, id, fmt::format("came with topic {}", topic));
    if (message.times_sent == 0) fail(client, id, "was delivered before it was sent");
    if (!may_get(client, message, packet)) {
        fail(client, id, packet.retain ? "retained copy nobody asked for"
                                       : "no subscription of this client allows it");
    }
    if (packet.retain) return;
    const uint32_t sends = message.qos == mqtt::Qos::exactly_once ? 1 : message.times_sent;
    if (++message.copies[client] > sends * channels(client, message)) {
        fail(client, id, fmt::format("delivered {} times", message.copies[client]));
    }
    check_order(client, id, packet.qos);
}

uint32_t Checkers::times_to_report(const mqtt::Publish& packet) {
    constexpr uint32_t deliveries_a_fault = 10;
    if (sabotage_ == Sabotage::none || packet.qos != mqtt::Qos::exactly_once || packet.retain ||
        ++sabotage_count_ % deliveries_a_fault != 0) {
        return 1;
    }
    return sabotage_ == Sabotage::lose_publish ? 0 : 2;
}

void Checkers::check_order(uint32_t client, uint32_t id, mqtt::Qos delivered_qos) {
    const SentMessage& message = messages_[id];
    // What was sent again may be new to one who has subscribed between the two.
    if (message.copies[client] > 1 || message.times_sent > 1) return;
    for (const Span& span : spans_[client]) {   // a group's messages may take different ways
        if (span.is_shared && mqtt::matches(span.inner, message.topic)) return;
    }
    const auto [place, is_first] = latest_.try_emplace(
        {client, message.publisher, message.topic, static_cast<int>(message.qos),
         static_cast<int>(delivered_qos)},
        id);
    if (is_first || place->second < id) {
        place->second = id;
        return;
    }
    const SentMessage& later = messages_[place->second];
    if (message.connection == later.connection || message.acked_epoch < later.sent_epoch) {
        fail(client, id, fmt::format("came after message {}, which was sent later", place->second));
    }
}

void Checkers::finish() const {
    for (uint32_t id = 0; id < messages_.size(); ++id) {
        const SentMessage& message = messages_[id];
        if (message.acked_epoch == never || message.qos == mqtt::Qos::at_most_once ||
            message.is_clear) {
            continue;
        }
        check_complete(id);
        check_groups(id);
    }
}

void Checkers::check_complete(uint32_t id) const {
    const SentMessage& message = messages_[id];
    for (uint32_t client = 0; client < spans_.size(); ++client) {
        for (const Span& span : spans_[client]) {
            if (span.is_shared || span.qos == mqtt::Qos::at_most_once) continue;
            if (!wants(span, message, client) || !must_get(span, message)) continue;
            if (message.copies[client] == 0) fail(client, id, "was acknowledged and never delivered");
        }
    }
}

// Each group one member. Which group a copy came through isn't seen, so copies are counted over
// all groups; a group counts only when no member of it could have lost the message legally.
void Checkers::check_groups(uint32_t id) const {
    const SentMessage& message = messages_[id];
    struct Group {
        bool has_stable_member = false;
        bool may_lose = false;
    };
    std::map<std::string_view, Group> groups;
    uint32_t copies = message.former_copies;
    bool has_plain = false;
    for (uint32_t client = 0; client < spans_.size(); ++client) {
        copies += message.copies[client];
        for (const Span& span : spans_[client]) {
            if (!mqtt::matches(span.inner, message.topic)) continue;
            has_plain |= !span.is_shared;
            if (!span.is_shared) continue;
            Group& group = groups[span.filter];
            group.may_lose |= span.was_lost || span.qos == mqtt::Qos::at_most_once;
            group.has_stable_member |= must_get(span, message) && span.must_end_epoch == never;
        }
    }
    if (has_plain || groups.empty()) return;
    uint32_t needed = 0;
    for (const auto& [name, group] : groups) needed += group.has_stable_member && !group.may_lose;
    const uint32_t sends = message.qos == mqtt::Qos::exactly_once ? 1 : message.times_sent;
    if (copies < needed) {
        fail(0, id, fmt::format("{} copies to {} shared groups", copies, needed));
    }
    if (copies > sends * groups.size()) {
        fail(0, id, fmt::format("{} copies to {} shared groups", copies, groups.size()));
    }
}

std::vector<std::string> Checkers::retained_topics() const {
    std::set<std::string> topics;
    for (const SentMessage& message : messages_) {
        if (message.retain) topics.insert(message.topic);
    }
    return {topics.begin(), topics.end()};
}

// By what was sent over an earlier connection and may have taken a longer way.
bool Checkers::may_be_cleared_late(std::string_view topic, uint32_t last_acked) const {
    if (last_acked == UINT32_MAX) return false;
    const SentMessage& last = messages_[last_acked];
    return std::any_of(messages_.begin(), messages_.end(), [&](const SentMessage& message) {
        return message.is_clear && message.topic == topic && message.times_sent > 0 &&
               !is_surely_older(message, last);
    });
}

// Each retained topic has one publisher. What it sent last and got acknowledged is there, or
// something that it sent later.
void Checkers::check_retained(const std::map<std::string, std::string>& retained,
                              bool may_be_incomplete) const {
    for (const std::string& topic : retained_topics()) {
        uint32_t last_acked = UINT32_MAX;
        bool may_be_cleared = false;
        for (uint32_t id = 0; id < messages_.size(); ++id) {
            const SentMessage& message = messages_[id];
            if (!message.retain || message.topic != topic || message.times_sent == 0) continue;
            const bool is_acked = message.acked_epoch != never;
            if (is_acked) last_acked = id;
            may_be_cleared = message.is_clear || (may_be_cleared && !is_acked);
        }
        may_be_cleared |= may_be_cleared_late(topic, last_acked);
        if (last_acked == UINT32_MAX) continue;
        const SentMessage& last = messages_[last_acked];
        const auto place = retained.find(topic);
        if (place == retained.end()) {
            if (!may_be_cleared && !may_be_incomplete) fail(0, last_acked, "is not retained");
            continue;
        }
        const uint32_t there = static_cast<uint32_t>(std::stoul(place->second));
        if (there >= last_acked) continue;
        if (is_surely_older(messages_[there], last)) {
            fail(0, there, fmt::format("retained instead of {}", last_acked));
        }
    }
}

}  // namespace millrace::sim
