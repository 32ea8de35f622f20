#include "broker/subscription_index.h"

#include <cstring>
#include <new>

#include "broker/heap_segments.h"

namespace millrace {

namespace {

template <class T>
uint32_t bytes_with_text(std::string_view text) {
    return static_cast<uint32_t>(sizeof(T) + text.size());
}

// A T with `text` behind it; null when memory is used up.
template <class T>
T* make_with_text(Heap& heap, LedgerLine& line, std::string_view text) {
    void* memory = heap.try_allocate(bytes_with_text<T>(text));
    if (memory == nullptr) return nullptr;
    T* object = new (memory) T;
    object->text_bytes = static_cast<uint16_t>(text.size());
    std::memcpy(static_cast<void*>(object + 1), text.data(), text.size());
    line.objects.add();
    line.bytes.add(bytes_with_text<T>(text));
    return object;
}

template <class T>
void destroy_with_text(Heap& heap, LedgerLine& line, T& object) {
    const uint32_t bytes = static_cast<uint32_t>(sizeof(T)) + object.text_bytes;
    line.objects.subtract();
    line.bytes.subtract(bytes);
    heap.free(&object, bytes);
}

}  // namespace

SubscriptionIndex::SubscriptionIndex(ShardContext& context)
    : context_(context),
      subscriptions_(context.heap.arena(), context.ledger.line("subscriptions")),
      filter_line_(context.ledger.line("filters")),
      exact_(segments_of(context.heap)),
      replicated_(context.heap, context.hash_key) {}

SubscriptionIndex::~SubscriptionIndex() {
    exact_.for_each([&](ExactFilter& filter) {
        exact_.erase(filter);
        destroy_with_text(context_.heap, filter_line_, filter);
    });
}

SubscriptionIndex::AddResult SubscriptionIndex::add(Session& session, std::string_view text,
                                                    Grant grant) {
    Filter* filter = find_or_make(text);
    if (filter == nullptr) return {};
    if (Subscription* there = find_in(session, *filter)) {
        there->grant = grant;
        return {Added::replaced, there};
    }
    Subscription* subscription = subscriptions_.try_make();
    if (subscription == nullptr) {
        drop_if_unused(*filter);
        return {};
    }
    *subscription = {filter, session.subscriptions, 0, grant};
    if (!filter->subscribers.push(context_.heap, {&session, subscription})) {
        subscriptions_.destroy(subscription);
        drop_if_unused(*filter);
        return {};
    }
    session.subscriptions = subscription;
    ++session.subscription_count;
    context_.counters.subscriptions.add();
    return {Added::created, subscription};
}

Subscription* SubscriptionIndex::find(const Session& session, std::string_view text) const {
    const Filter* filter = find_filter(text);
    return filter == nullptr ? nullptr : find_in(session, *filter);
}

// Looks from the shorter side.
Subscription* SubscriptionIndex::find_in(const Session& session, const Filter& filter) {
    if (filter.subscribers.count() < session.subscription_count) {
        for (const Subscriber& subscriber : filter.subscribers) {
            if (subscriber.session == &session) return subscriber.subscription;
        }
        return nullptr;
    }
    for (Subscription* own = session.subscriptions; own != nullptr; own = own->next) {
        if (own->filter == &filter) return own;
    }
    return nullptr;
}

void SubscriptionIndex::remove(Session& session, Subscription& subscription) {
    Subscription** link = &session.subscriptions;
    while (*link != &subscription) link = &(*link)->next;
    *link = subscription.next;
    --session.subscription_count;
    Filter& filter = *subscription.filter;
    filter.subscribers.remove(context_.heap, subscription.position);
    subscriptions_.destroy(&subscription);
    context_.counters.subscriptions.subtract();
    drop_if_unused(filter);
}

ExactFilter* SubscriptionIndex::find_exact(uint64_t hash, std::string_view topic) const {
    return exact_.find(static_cast<uint32_t>(hash),
                       [&](const ExactFilter& filter) { return filter.text() == topic; });
}

bool SubscriptionIndex::knows_hash(uint64_t hash) const {
    return exact_.find(static_cast<uint32_t>(hash), [&](const ExactFilter& filter) {
               return context_.hash(filter.text()) == hash;
           }) != nullptr;
}

Filter* SubscriptionIndex::find_filter(std::string_view text) const {
    if (const auto shared = mqtt::parse_shared(text)) {
        ReplicatedFilter* filter = replicated_.find(shared->filter);
        return filter == nullptr ? nullptr : find_group_in(*filter, shared->group);
    }
    if (mqtt::has_wildcard(text)) return replicated_.find(text);
    return find_exact(context_.hash(text), text);
}

Filter* SubscriptionIndex::find_or_make(std::string_view text) {
    if (const auto shared = mqtt::parse_shared(text)) return find_or_make_group(*shared, text);
    if (mqtt::has_wildcard(text)) return find_or_make_replicated(text);
    const uint64_t hash = context_.hash(text);
    ExactFilter* filter = find_exact(hash, text);
    return filter != nullptr ? filter : make_exact(hash, text);
}

ExactFilter* SubscriptionIndex::make_exact(uint64_t hash, std::string_view text) {
    ExactFilter* filter = make_with_text<ExactFilter>(context_.heap, filter_line_, text);
    if (filter == nullptr) return nullptr;
    filter->table_hash = static_cast<uint32_t>(hash);
    exact_.insert(*filter);
    return filter;
}

ReplicatedFilter* SubscriptionIndex::find_or_make_replicated(std::string_view text) {
    if (ReplicatedFilter* there = replicated_.find(text)) return there;
    ReplicatedFilter* filter = make_with_text<ReplicatedFilter>(context_.heap, filter_line_, text);
    if (filter == nullptr) return nullptr;
    filter->kind = Filter::Kind::wildcard;
    if (!replicated_.insert(text, filter)) {
        destroy_with_text(context_.heap, filter_line_, *filter);
        return nullptr;
    }
    return filter;
}

SharedGroup* SubscriptionIndex::find_group_in(const ReplicatedFilter& filter,
                                              std::string_view name) const {
    SharedGroup* group = filter.groups;
    while (group != nullptr && group->name() != name) group = group->next;
    return group;
}

SharedGroup* SubscriptionIndex::find_or_make_group(const mqtt::SharedFilter& shared,
                                                   std::string_view whole) {
    ReplicatedFilter* filter = find_or_make_replicated(shared.filter);
    if (filter == nullptr) return nullptr;
    if (SharedGroup* there = find_group_in(*filter, shared.group)) return there;
    SharedGroup* group = make_with_text<SharedGroup>(context_.heap, filter_line_, shared.group);
    if (group == nullptr) {
        drop_replicated_if_unused(*filter);
        return nullptr;
    }
    group->kind = Filter::Kind::shared;
    group->filter = filter;
    group->id = context_.hash(whole);
    group->next = filter->groups;
    filter->groups = group;
    return group;
}

void SubscriptionIndex::drop_if_unused(Filter& filter) {
    if (filter.subscribers.count() != 0) return;
    switch (filter.kind) {
    case Filter::Kind::exact: {
        ExactFilter& exact = static_cast<ExactFilter&>(filter);
        exact_.erase(exact);
        destroy_with_text(context_.heap, filter_line_, exact);
        return;
    }
    case Filter::Kind::wildcard:
        drop_replicated_if_unused(static_cast<ReplicatedFilter&>(filter));
        return;
    case Filter::Kind::shared: {
        SharedGroup& group = static_cast<SharedGroup&>(filter);
        if ((group.present_mask & ~(uint64_t{1} << context_.self())) != 0) return;
        ReplicatedFilter& inner = *group.filter;
        SharedGroup** link = &inner.groups;
        while (*link != &group) link = &(*link)->next;
        *link = group.next;
        destroy_with_text(context_.heap, filter_line_, group);
        drop_replicated_if_unused(inner);
        return;
    }
    }
    MR_UNREACHABLE();
}

void SubscriptionIndex::drop_replicated_if_unused(ReplicatedFilter& filter) {
    if (filter.subscribers.count() != 0 || filter.shard_mask != 0 || filter.groups != nullptr) return;
    replicated_.erase(filter.text());
    destroy_with_text(context_.heap, filter_line_, filter);
}

bool SubscriptionIndex::set_remote(uint32_t shard, std::string_view text, bool present) {
    const uint64_t bit = uint64_t{1} << shard;
    if (present) {
        ReplicatedFilter* filter = find_or_make_replicated(text);
        if (filter == nullptr) return false;
        filter->shard_mask |= bit;
        return true;
    }
    ReplicatedFilter* filter = replicated_.find(text);
    if (filter == nullptr) return true;
    filter->shard_mask &= ~bit;
    drop_replicated_if_unused(*filter);
    return true;
}

bool SubscriptionIndex::set_members(uint32_t shard, std::string_view text, uint32_t connected,
                                    bool present) {
    const auto shared = mqtt::parse_shared(text);
    MR_ASSERT(shared && !shared->group.empty());
    SharedGroup* group = static_cast<SharedGroup*>(find_filter(text));
    if (group == nullptr && !present) return true;
    if (group == nullptr) group = find_or_make_group(*shared, text);
    if (group == nullptr) return false;
    group->set_shard(shard, connected, present);
    drop_if_unused(*group);
    return true;
}

std::string_view SubscriptionIndex::text_of(const Filter& filter, std::string& out) {
    switch (filter.kind) {
    case Filter::Kind::exact:    return static_cast<const ExactFilter&>(filter).text();
    case Filter::Kind::wildcard: return static_cast<const ReplicatedFilter&>(filter).text();
    case Filter::Kind::shared: {
        const SharedGroup& group = static_cast<const SharedGroup&>(filter);
        out.assign("$share/").append(group.name()).append("/").append(group.filter->text());
        return out;
    }
    }
    MR_UNREACHABLE();
}

}  // namespace millrace
