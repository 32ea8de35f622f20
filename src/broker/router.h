// Which shards need a message, and which shards know a filter.
// Owned by: the shard's Broker.
// Holds:    every publish of a topic goes through the topic's home shard (hash of the topic), which
//           keeps the retained message and knows who has subscribers. So all receivers see one
//           publisher's messages of a topic in one order, whichever shards they live on; and a
//           subscription counts from the moment that the home has acknowledged it.
//
//   publisher's shard ── publish ──► home shard ── deliver ──► shards with subscribers
// Not here: delivering to receivers (fanout.h).
#pragma once

#include <vector>

#include "broker/context.h"
#include "broker/delivery_times.h"
#include "broker/fanout.h"
#include "broker/mail.h"
#include "broker/retained.h"
#include "broker/shards_by_hash.h"
#include "broker/subscription_index.h"

namespace millrace {

enum class Routed : uint8_t {
    delivered,        // somebody wants it
    no_subscribers,   // nobody does, as this shard knows for certain
    passed_on,        // the home shard will see
    refused,          // the way to the home shard is full
};

class Router {
public:
    Router(ShardContext& context, SubscriptionIndex& index, RetainedStore& retained,
           Fanout& fanout);

    Routed publish(Message message);
    void on_publish(Bytes mail);                    // this shard is the home
    void on_deliver(uint32_t from, Bytes mail);

    // Makes the shards that must know of it aware that this shard has subscribers of `filter`.
    // Each answers `acknowledged` with `request`; returns which will, a bit each.
    // `wants_retained`: their retained messages come before that.
    uint64_t announce(const Filter& filter, uint32_t request, bool wants_retained);
    // After a subscription has gone: what was announced, if it isn't true any more.
    void retract(Filter::Kind kind, std::string_view text);
    // A shared group's members here connected or went away.
    void announce_members(SharedGroup& group, uint32_t request);

    void on_interest(uint32_t from, Bytes mail);
    void on_replicate(uint32_t from, Bytes mail);
    void on_members(uint32_t from, Bytes mail);
    // The network has taken what this turn's messages became.
    void handed_over(Instant now, DurationHistogram& figures) { times_.handed_over(now, figures); }
    // What on_interest and on_replicate do to the index; also for sessions on the move.
    void note_interest(uint32_t shard, uint64_t hash, bool present);

    // Calls visit(const StoredMessage&) for the retained messages that live here.
    template <class Visit>
    void for_each_retained(std::string_view filter, Visit&& visit) {
        retained_.for_each_match(filter, visit);
    }

private:
    struct GroupPick {
        uint32_t shard;
        uint64_t group;
    };

    Routed route(const Message& message);
    void match(const Message& message);
    void post_deliver(uint32_t to, const Message& message, bool groups_only);
    void deliver_local(const Message& message, uint32_t routed_by);
    void deliver_watched(const Message& message, uint32_t routed_by);
    void deliver_matched(const Message& message, uint32_t routed_by);
    void pass_on(const Message& message, SharedGroup& group);
    void send_retained(uint32_t to, uint32_t request, std::string_view filter);
    void acknowledge(uint32_t to, uint32_t request);
    uint64_t announce_to_all(const ReplicateMail& mail, std::string_view text);

    ShardContext& context_;
    SubscriptionIndex& index_;
    RetainedStore& retained_;
    Fanout& fanout_;
    DeliveryTimes times_;
    ShardsByHash interest_;   // exact filters whose home is here: the other shards that want them

    // Of the publish at hand; kept for their memory.
    uint64_t shard_mask_ = 0;
    std::vector<const Filter*> matched_;
    std::vector<SharedGroup*> own_groups_;
    std::vector<GroupPick> picks_;
};

}  // namespace millrace
