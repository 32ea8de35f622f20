#include "load/delivery_check.h"

namespace millrace {
namespace {

uint64_t slots_needed(const LoadPlan& plan, uint32_t shard) {
    return uint64_t{plan.local_count(plan.subscriber_count, shard)} * plan.publishers_heard();
}

// In a closed loop nothing is ever further ahead than the window. Otherwise a number is bounded by
// the run, and without a bound of the run by nothing.
uint64_t ahead_max(const LoadPlan& plan) {
    if (plan.closed_loop()) return plan.options.window_count;
    if (plan.options.message_count == 0) return UINT64_MAX;
    return plan.options.message_count + plan.warmup_messages;
}

}  // namespace

DeliveryCheck::DeliveryCheck(const LoadPlan& plan, uint32_t shard, const PayloadPattern& pattern,
                             LoadTotals& totals, Histogram& latency)
    : plan_(plan),
      pattern_(pattern),
      totals_(totals),
      latency_(latency),
      shard_(shard),
      shard_count_(plan.options.shard_count),
      publisher_count_(plan.publisher_count),
      is_pair_(plan.options.mode == LoadMode::pair),
      closed_loop_(plan.closed_loop()),
      tracker_(plan.has_messages() ? slots_needed(plan, shard) : 0, ahead_max(plan)) {
    NameBuffer topic;
    if (plan.has_messages()) plan.publish_topic(topic, 0);
    topic_bytes_ = static_cast<uint32_t>(topic.text().size());
    const uint32_t receivers = plan.local_count(plan.subscriber_count, shard);
    one_receiver_ = is_pair_ || receivers == 1;
    if (!closed_loop_ || receivers == 0) return;
    advanced_.reserve(publisher_count_);
    has_advanced_.resize(publisher_count_);
    if (one_receiver_) return;
    completions_.assign(publisher_count_, CompletionCount(receivers, plan.options.window_count));
}

// The payload's stamp says whose message it is; the topic has to be one of the run's at least.
bool DeliveryCheck::is_expected_topic(std::string_view topic) const {
    return topic.size() == topic_bytes_ && topic.starts_with(plan_.options.topic);
}

bool DeliveryCheck::hears(uint32_t local_subscriber, uint32_t publisher) const {
    if (!is_pair_) return publisher < publisher_count_;
    return publisher == shard_ + local_subscriber * shard_count_;
}

uint64_t DeliveryCheck::slot_of(uint32_t local_subscriber, uint32_t publisher) const {
    if (is_pair_) return local_subscriber;
    return uint64_t{local_subscriber} * publisher_count_ + publisher;
}

uint64_t DeliveryCheck::complete_of(uint32_t publisher) const {
    if (!one_receiver_) return completions_[publisher].complete();
    return tracker_.expected(is_pair_ ? publisher / shard_count_ : publisher);
}

void DeliveryCheck::on_publish(uint32_t local_subscriber, const PublishView& publish,
                               Instant now) {
    const std::optional<PayloadStamp> stamp = pattern_.check(publish.payload);
    if (!stamp || !hears(local_subscriber, stamp->publisher) ||
        !is_expected_topic(publish.topic)) {
        ++totals_.corrupt;
        return;
    }
    const Arrival arrival =
        tracker_.accept(slot_of(local_subscriber, stamp->publisher), stamp->sequence);
    switch (arrival.kind) {
    case Arrival::Kind::in_order: break;
    case Arrival::Kind::after_gap: totals_.missing += arrival.skipped; break;
    case Arrival::Kind::late:
        --totals_.missing;
        ++totals_.late;
        ++totals_.delivered;
        if (measuring_) latency_.add(now.nanoseconds - stamp->sent_at_ns);
        return;
    case Arrival::Kind::duplicate: ++totals_.duplicates; return;
    case Arrival::Kind::unknown: ++totals_.corrupt; return;
    }
    ++totals_.delivered;
    totals_.last_delivered_ns = static_cast<uint64_t>(now.nanoseconds);
    if (measuring_) latency_.add(now.nanoseconds - stamp->sent_at_ns);
    totals_.resolved += arrival.skipped + 1;
    if (closed_loop_) on_resolved(stamp->publisher, arrival.first_resolved, stamp->sequence);
}

void DeliveryCheck::on_resolved(uint32_t publisher, uint64_t first, uint64_t last) {
    if (!one_receiver_) {
        CompletionCount& completion = completions_[publisher];
        const uint64_t before = completion.complete();
        for (uint64_t sequence = first; sequence <= last; ++sequence) completion.add(sequence);
        if (completion.complete() == before) return;
    }
    if (has_advanced_[publisher]) return;
    has_advanced_[publisher] = 1;
    advanced_.push_back(publisher);
}

}  // namespace millrace
