// One shard's index from topics to subscribers.
// Owned by: the shard's Broker.
// Holds:    an exact filter stands here exactly while it has subscribers on this shard. A filter
//           with wildcards, and the inner filter of a shared one, stands on every shard while any
//           shard has subscribers of it: it also says which.
// Not here: telling other shards (router.h): add() and remove() say what they need to know.
#pragma once

#include <string>
#include <string_view>

#include "base/hash_table.h"
#include "broker/context.h"
#include "broker/level_trie.h"
#include "broker/session.h"
#include "broker/subscription.h"
#include "codec/mqtt/topic_name.h"

namespace millrace {

class SubscriptionIndex {
public:
    explicit SubscriptionIndex(ShardContext& context);
    ~SubscriptionIndex();

    enum class Added : uint8_t { created, replaced, exhausted };
    // Subscribes `session`, or gives its subscription to that filter a new grant. The filter is
    // valid. `subscription` is set unless exhausted.
    struct AddResult {
        Added added = Added::exhausted;
        Subscription* subscription = nullptr;
    };
    AddResult add(Session& session, std::string_view filter, Grant grant);
    // Null when the session has no such subscription.
    Subscription* find(const Session& session, std::string_view filter) const;
    // Unlinks and frees it. The filter goes too when nobody needs it: look at it before.
    void remove(Session& session, Subscription& subscription);

    // The exact filter of that text, null when nobody on this shard subscribed to it.
    ExactFilter* find_exact(uint64_t hash, std::string_view topic) const;
    bool knows_hash(uint64_t hash) const;
    // Any filter, by the text that was subscribed to; null when this shard doesn't know it.
    Filter* find_filter(std::string_view filter) const;

    // Calls visit(ReplicatedFilter&) for each that matches.
    template <class Visit>
    void match(std::string_view topic, Visit&& visit) const {
        if (replicated_.count() == 0) return;
        replicated_.match_topic(topic, [&](ReplicatedFilter* filter) { visit(*filter); });
    }
    bool has_replicated() const { return replicated_.count() != 0; }

    // Walks with pauses (base/hash_table.h): call visit(place, filter) for some filters from that
    // place on, or before it, and return the place to go on from, 0 at the end.
    template <class Visit>
    uint64_t for_each_exact_at(uint64_t place, Visit&& visit) {
        return exact_.for_each_at(place, [&](const ExactFilter& filter) {
            visit(decltype(exact_)::place_of(filter.table_hash), filter);
        });
    }
    template <class Visit>
    uint64_t for_each_replicated_at(uint64_t place, Visit&& visit) {
        return replicated_.for_each_at(place, [&](uint64_t own, const ReplicatedFilter* filter) {
            visit(own, *filter);
        });
    }

    // What a shard has: whether plain subscribers of a filter with wildcards, or how many
    // connected members of a shared filter's group, and whether any at all. False when there's no
    // memory to know it.
    bool set_remote(uint32_t shard, std::string_view filter, bool present);
    bool set_members(uint32_t shard, std::string_view shared_filter, uint32_t connected,
                     bool present);

    // The whole text that was subscribed to (shared ones with `$share/...`), into `out`.
    static std::string_view text_of(const Filter& filter, std::string& out);

private:
    struct ExactTraits {
        static ExactFilter*& next(ExactFilter& filter) { return filter.table_next; }
        static uint64_t hash(const ExactFilter& filter) { return filter.table_hash; }
    };

    Filter* find_or_make(std::string_view filter);
    ExactFilter* make_exact(uint64_t hash, std::string_view text);
    ReplicatedFilter* find_or_make_replicated(std::string_view text);
    SharedGroup* find_group_in(const ReplicatedFilter& filter, std::string_view name) const;
    SharedGroup* find_or_make_group(const mqtt::SharedFilter& shared, std::string_view whole);
    void drop_if_unused(Filter& filter);
    void drop_replicated_if_unused(ReplicatedFilter& filter);
    static Subscription* find_in(const Session& session, const Filter& filter);

    ShardContext& context_;
    Slab<Subscription> subscriptions_;
    LedgerLine& filter_line_;
    IntrusiveHashTable<ExactFilter, ExactTraits> exact_;
    LevelTrie<ReplicatedFilter*> replicated_;
};

}  // namespace millrace
