#include "broker/router.h"

#include "broker/tracer.h"

#include <algorithm>
#include <bit>

namespace millrace {

Router::Router(ShardContext& context, SubscriptionIndex& index, RetainedStore& retained,
               Fanout& fanout)
    : context_(context),
      index_(index),
      retained_(retained),
      fanout_(fanout),
      interest_(context.ledger, "interest of shards") {}

Routed Router::publish(Message message) {
    message.topic_hash = context_.hash(message.topic);
    message.received = context_.now;
    const uint32_t home = context_.home_of(message.topic_hash);
    if (home == context_.self()) return route(message);
    if (context_.mailbox.overflow_bytes(home) > context_.live->queues.mailbox_bytes_max) {
        return Routed::refused;
    }
    const PublishMail mail{MailKind::publish, 0, 0, canonical_bytes(message), message.expires,
                           message.topic_hash, message.publisher, message.received};
    write_canonical(begin_mail(context_.mailbox, home, mail, mail.canonical_bytes), message);
    context_.mailbox.post();
    return Routed::passed_on;
}

void Router::on_publish(Bytes bytes) {
    Bytes rest;
    const PublishMail mail = read_mail<PublishMail>(bytes, rest);
    Message message = read_canonical(rest.first(mail.canonical_bytes), mail.expires);
    message.topic_hash = mail.topic_hash;
    message.publisher = mail.publisher;
    message.received = mail.received;
    route(message);
}

// Fills matched_, own_groups_, picks_ and shard_mask_.
void Router::match(const Message& message) {
    matched_.clear();
    own_groups_.clear();
    picks_.clear();
    shard_mask_ = context_.shard_count() > 1 ? interest_.mask(message.topic_hash) : 0;
    if (const Filter* exact = index_.find_exact(message.topic_hash, message.topic)) {
        matched_.push_back(exact);
    }
    index_.match(message.topic, [&](ReplicatedFilter& filter) {
        if (filter.subscribers.count() > 0) matched_.push_back(&filter);
        shard_mask_ |= filter.shard_mask;
        for (SharedGroup* group = filter.groups; group != nullptr; group = group->next) {
            if (group->present_mask == 0) continue;
            const uint32_t shard = group->pick_shard();
            if (shard == context_.self()) {
                own_groups_.push_back(group);
            } else {
                picks_.push_back({shard, group->id});
                shard_mask_ |= uint64_t{1} << shard;
            }
        }
    });
}

Routed Router::route(const Message& message) {
    if (message.retain && !retained_.set(message)) context_.counters.dropped_exhausted.add();
    match(message);
    for (uint64_t left = shard_mask_; left != 0; left &= left - 1) {
        post_deliver(static_cast<uint32_t>(std::countr_zero(left)), message, false);
    }
    deliver_local(message, context_.self());
    const bool wanted = shard_mask_ != 0 || !matched_.empty() || !own_groups_.empty();
    return wanted ? Routed::delivered : Routed::no_subscribers;
}

void Router::post_deliver(uint32_t to, const Message& message, bool groups_only) {
    if (context_.mailbox.overflow_bytes(to) > context_.live->queues.mailbox_bytes_max) {
        context_.counters.dropped_exhausted.add();
        return;
    }
    PublishMail mail{MailKind::deliver, groups_only, 0, canonical_bytes(message), message.expires,
                     message.topic_hash, message.publisher, message.received};
    for (const GroupPick& pick : picks_) mail.group_count += pick.shard == to ? 1 : 0;
    const size_t groups_bytes = mail.group_count * sizeof(uint64_t);
    std::span<uint8_t> room =
        begin_mail(context_.mailbox, to, mail, groups_bytes + mail.canonical_bytes);
    for (const GroupPick& pick : picks_) {
        if (pick.shard != to) continue;
        std::memcpy(room.data(), &pick.group, sizeof(uint64_t));
        room = room.subspan(sizeof(uint64_t));
    }
    write_canonical(room, message);
    context_.mailbox.post();
}

void Router::on_deliver(uint32_t from, Bytes bytes) {
    Bytes rest;
    const PublishMail mail = read_mail<PublishMail>(bytes, rest);
    const Bytes groups = rest.first(mail.group_count * sizeof(uint64_t));
    Message message = read_canonical(rest.subspan(groups.size(), mail.canonical_bytes), mail.expires);
    message.topic_hash = mail.topic_hash;
    message.publisher = mail.publisher;
    message.received = mail.received;

    matched_.clear();
    own_groups_.clear();
    const bool to_all = mail.groups_only == 0;
    const Filter* exact =
        to_all ? index_.find_exact(message.topic_hash, message.topic) : nullptr;
    if (exact != nullptr) matched_.push_back(exact);
    index_.match(message.topic, [&](ReplicatedFilter& filter) {
        if (to_all && filter.subscribers.count() > 0) matched_.push_back(&filter);
        for (SharedGroup* group = filter.groups; group != nullptr; group = group->next) {
            for (size_t offset = 0; offset < groups.size(); offset += sizeof(uint64_t)) {
                uint64_t id;
                std::memcpy(&id, groups.data() + offset, sizeof(id));
                if (id == group->id) own_groups_.push_back(group);
            }
        }
    });
    deliver_local(message, from);
}

void Router::deliver_local(const Message& message, uint32_t routed_by) {
    if (context_.publish_watch.is_due()) [[unlikely]] return deliver_watched(message, routed_by);
    deliver_matched(message, routed_by);
}

// For a sample, or while a topic is traced.
void Router::deliver_watched(const Message& message, uint32_t routed_by) {
    const bool is_sample = context_.publish_watch.take(context_.random);
    // A topic is counted where its home is: there each publish comes by once.
    // What the server says of itself is none.
    const bool is_counted = is_sample && routed_by == context_.self() &&
                            context_.top_lists != nullptr && !message.topic.starts_with("$SYS/");
    if (is_counted) {
        context_.top_lists->on_sampled_publish(context_.now, message.topic_hash, message.topic);
    }
    const DeliveryMark before = DeliveryMark::of(context_.counters);
    deliver_matched(message, routed_by);
    if (context_.tracer != nullptr && context_.tracer->has_topics()) {
        context_.tracer->on_delivered(message, before);
    }
}

inline void Router::deliver_matched(const Message& message, uint32_t routed_by) {
    if (matched_.empty() && own_groups_.empty()) return;
    times_.note(message.received);
    fanout_.deliver(message, matched_, routed_by);
    for (SharedGroup* group : own_groups_) {
        if (group->subscribers.count() > 0) fanout_.deliver_shared(message, *group);
        else pass_on(message, *group);
    }
}

// The group's last member here went away while the message was on its way: another shard has
// members, as far as this one knows.
void Router::pass_on(const Message& message, SharedGroup& group) {
    if (group.present_mask == 0) return;
    const GroupPick pick{group.pick_shard(), group.id};
    if (pick.shard == context_.self()) return;
    picks_.assign(1, pick);
    post_deliver(pick.shard, message, true);
}

uint64_t Router::announce(const Filter& filter, uint32_t request, bool wants_retained) {
    switch (filter.kind) {
    case Filter::Kind::exact: {
        const ExactFilter& exact = static_cast<const ExactFilter&>(filter);
        const uint64_t hash = context_.hash(exact.text());
        const uint32_t home = context_.home_of(hash);
        if (home == context_.self()) return 0;
        post_mail(context_.mailbox, home,
                  InterestMail{MailKind::interest, true, wants_retained, 0, request, hash},
                  exact.text());
        return uint64_t{1} << home;
    }
    case Filter::Kind::wildcard:
        return announce_to_all({MailKind::replicate, true, wants_retained, 0, request},
                               static_cast<const ReplicatedFilter&>(filter).text());
    case Filter::Kind::shared:
        announce_members(static_cast<SharedGroup&>(const_cast<Filter&>(filter)), request);
        return context_.other_shards();
    }
    MR_UNREACHABLE();
}

uint64_t Router::announce_to_all(const ReplicateMail& mail, std::string_view text) {
    for (uint32_t shard = 0; shard < context_.shard_count(); ++shard) {
        if (shard != context_.self()) post_mail(context_.mailbox, shard, mail, text);
    }
    return context_.other_shards();
}

void Router::announce_members(SharedGroup& group, uint32_t request) {
    const uint32_t connected = group.connected[context_.self()];
    const bool present = group.subscribers.count() > 0;
    group.set_shard(context_.self(), connected, present);
    std::string scratch;
    const std::string_view text = SubscriptionIndex::text_of(group, scratch);
    for (uint32_t shard = 0; shard < context_.shard_count(); ++shard) {
        if (shard == context_.self()) continue;
        post_mail(context_.mailbox, shard,
                  MembersMail{MailKind::members, present, 0, connected, request}, text);
    }
}

void Router::retract(Filter::Kind kind, std::string_view text) {
    switch (kind) {
    case Filter::Kind::exact: {
        const uint64_t hash = context_.hash(text);
        const uint32_t home = context_.home_of(hash);
        if (home == context_.self() || index_.knows_hash(hash)) return;
        post_mail(context_.mailbox, home,
                  InterestMail{MailKind::interest, false, false, 0, 0, hash}, text);
        return;
    }
    case Filter::Kind::wildcard: {
        const Filter* filter = index_.find_filter(text);
        if (filter != nullptr && filter->subscribers.count() > 0) return;
        announce_to_all({MailKind::replicate, false, false, 0, 0}, text);
        return;
    }
    case Filter::Kind::shared: {
        Filter* filter = index_.find_filter(text);
        if (filter != nullptr) {
            announce_members(static_cast<SharedGroup&>(*filter), 0);
            return;
        }
        for (uint32_t shard = 0; shard < context_.shard_count(); ++shard) {
            if (shard == context_.self()) continue;
            post_mail(context_.mailbox, shard, MembersMail{MailKind::members, false, 0, 0, 0}, text);
        }
        return;
    }
    }
    MR_UNREACHABLE();
}

void Router::note_interest(uint32_t shard, uint64_t hash, bool present) {
    if (shard == context_.self()) return;
    if (!present) {
        interest_.erase(hash, shard);
    } else if (!interest_.insert(hash, shard)) {
        context_.counters.dropped_exhausted.add();
    }
}

void Router::on_interest(uint32_t from, Bytes bytes) {
    Bytes rest;
    const InterestMail mail = read_mail<InterestMail>(bytes, rest);
    note_interest(from, mail.hash, mail.present);
    if (mail.wants_retained) send_retained(from, mail.request, as_text(rest));
    acknowledge(from, mail.request);
}

void Router::on_replicate(uint32_t from, Bytes bytes) {
    Bytes rest;
    const ReplicateMail mail = read_mail<ReplicateMail>(bytes, rest);
    if (!index_.set_remote(from, as_text(rest), mail.present)) {
        context_.counters.dropped_exhausted.add();
    }
    if (mail.wants_retained) send_retained(from, mail.request, as_text(rest));
    acknowledge(from, mail.request);
}

void Router::on_members(uint32_t from, Bytes bytes) {
    Bytes rest;
    const MembersMail mail = read_mail<MembersMail>(bytes, rest);
    if (!index_.set_members(from, as_text(rest), mail.connected, mail.present)) {
        context_.counters.dropped_exhausted.add();
    }
    acknowledge(from, mail.request);
}

void Router::send_retained(uint32_t to, uint32_t request, std::string_view filter) {
    retained_.for_each_match(filter, [&](const StoredMessage& message) {
        const Bytes canonical = message.canonical();
        const RetainedMail mail{MailKind::retained, request, message.expires, message.publisher};
        const std::span<uint8_t> room = begin_mail(context_.mailbox, to, mail, canonical.size());
        std::memcpy(room.data(), canonical.data(), canonical.size());
        context_.mailbox.post();
    });
}

void Router::acknowledge(uint32_t to, uint32_t request) {
    if (request == 0) return;
    post_mail(context_.mailbox, to, AcknowledgedMail{MailKind::acknowledged, request});
}

}  // namespace millrace
