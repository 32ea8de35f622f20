// Who wants what: subscriptions seen from the session, subscribers seen from the filter.
// Owned by: one shard. A Subscription belongs to its session; a Filter's array points back at it.
// Holds:    filter->subscribers[position] is this subscription, always: both sides find each other
//           in O(1) (design: hot topics are arrays).
//
//   Session ── subscriptions ──► Subscription ──► Subscription
//                                  │ filter, position
//                                  ▼
//   Filter: subscribers [ Subscriber | Subscriber | ... ]   packed, walked by a publish
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "codec/mqtt/packet.h"
#include "runtime/slab.h"

namespace millrace {

struct Session;
struct Filter;

// What a subscription grants, in 32 bits: the identifier's 28 (0: none) and four of options.
struct Grant {
    uint32_t bits = 0;

    static Grant of(const mqtt::SubscriptionOptions& options, uint32_t identifier) {
        MR_ASSERT(identifier < (1u << 28));
        return {identifier << 4 | (options.retain_as_published ? 8u : 0u) |
                (options.no_local ? 4u : 0u) | static_cast<uint32_t>(options.qos)};
    }
    mqtt::Qos qos() const { return static_cast<mqtt::Qos>(bits & 3); }
    bool no_local() const { return (bits & 4) != 0; }
    bool retain_as_published() const { return (bits & 8) != 0; }
    uint32_t identifier() const { return bits >> 4; }
};

struct Subscription {
    Filter* filter;
    Subscription* next;      // of the same session
    uint32_t position;       // in filter->subscribers
    Grant grant;
};
static_assert(sizeof(Subscription) == 24);

// A receiver in a filter's array: session and grant in a line of cache for four.
struct Subscriber {
    Session* session;
    Subscription* subscription;
};

class SubscriberArray {
public:
    uint32_t count() const { return count_; }
    const Subscriber* begin() const { return capacity_ == 0 ? &one_ : many_; }
    const Subscriber* end() const { return begin() + count_; }

    bool push(Heap& heap, Subscriber subscriber) {
        const uint32_t capacity = capacity_ == 0 ? 1 : capacity_;
        if (count_ == capacity && !widen(heap)) return false;
        subscriber.subscription->position = count_;
        mutable_begin()[count_++] = subscriber;
        return true;
    }
    void swap(uint32_t first, uint32_t second) {
        Subscriber* subscribers = mutable_begin();
        std::swap(subscribers[first], subscribers[second]);
        subscribers[first].subscription->position = first;
        subscribers[second].subscription->position = second;
    }
    // The last one takes the removed one's place.
    void remove(Heap& heap, uint32_t position) {
        MR_ASSERT(position < count_);
        Subscriber* subscribers = mutable_begin();
        subscribers[position] = subscribers[--count_];
        if (position < count_) subscribers[position].subscription->position = position;
        if (capacity_ != 0 && count_ <= 1) narrow_to_one(heap);
    }

private:
    Subscriber* mutable_begin() { return capacity_ == 0 ? &one_ : many_; }
    static uint32_t bytes(uint32_t capacity) {
        return capacity * static_cast<uint32_t>(sizeof(Subscriber));
    }
    bool widen(Heap& heap) {
        const uint32_t wider = capacity_ == 0 ? 4 : capacity_ + capacity_ / 2;
        auto* subscribers = static_cast<Subscriber*>(heap.try_allocate(bytes(wider)));
        if (subscribers == nullptr) return false;
        std::copy_n(begin(), count_, subscribers);
        if (capacity_ != 0) heap.free(many_, bytes(capacity_));
        many_ = subscribers;
        capacity_ = wider;
        return true;
    }
    void narrow_to_one(Heap& heap) {
        Subscriber* subscribers = many_;
        const uint32_t capacity = capacity_;
        capacity_ = 0;
        one_ = subscribers[0];
        heap.free(subscribers, bytes(capacity));
    }

    union {
        Subscriber one_{};   // while capacity_ is 0: most filters have one subscriber
        Subscriber* many_;
    };
    uint32_t count_ = 0;
    uint32_t capacity_ = 0;
};
static_assert(sizeof(SubscriberArray) == 24);

// What a subscription subscribes to, on this shard.
struct Filter {
    enum class Kind : uint8_t { exact, wildcard, shared };

    SubscriberArray subscribers;   // this shard's only
    uint16_t text_bytes = 0;
    Kind kind = Kind::exact;
};

// An exact filter; its text stands behind it. One a device is the rule, so its length is money.
struct ExactFilter : Filter {
    uint32_t table_hash = 0;    // the low half of ShardContext::hash(text)
    ExactFilter* table_next = nullptr;

    std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), text_bytes}; }
};

static_assert(sizeof(ExactFilter) == 40);

struct SharedGroup;

// A filter that every shard knows: one with wildcards, or the inner one of a shared filter.
// Text behind it.
struct ReplicatedFilter : Filter {
    uint64_t shard_mask = 0;         // other shards with plain subscribers
    SharedGroup* groups = nullptr;

    std::string_view text() const { return {reinterpret_cast<const char*>(this + 1), text_bytes}; }
};

// A group of `$share/{name}/{filter}` (4.8.2). Every shard knows how many members each shard has
// connected, so that the shard that routes a publish picks a shard by weight, and that shard one
// of its members. Its name stands behind it.
// Holds: of this shard's members those who are connected, and not leaving, stand in front, as many
//        as connected[this shard]: however many are away, finding one costs nothing.
struct SharedGroup : Filter {
    static constexpr uint32_t shards_max = 64;

    ReplicatedFilter* filter = nullptr;
    SharedGroup* next = nullptr;           // of the same filter
    uint64_t id = 0;                       // hash of the whole shared filter
    uint64_t present_mask = 0;             // shards with members, connected or not
    uint32_t connected[shards_max] = {};   // members by shard
    uint32_t connected_total = 0;
    uint32_t turn = 0;                     // as routing shard: whose turn it is
    uint32_t local_turn = 0;               // as delivering shard

    std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), text_bytes}; }

    void set_shard(uint32_t shard, uint32_t connected_count, bool present) {
        connected_total += connected_count - connected[shard];
        connected[shard] = connected_count;
        const uint64_t bit = uint64_t{1} << shard;
        present_mask = present ? present_mask | bit : present_mask & ~bit;
    }
    // A member on this shard, `shard`, has come and stays; or doesn't any more.
    void note_connected(uint32_t shard, const Subscription& member) {
        MR_ASSERT(connected[shard] <= member.position);
        subscribers.swap(member.position, connected[shard]++);
        ++connected_total;
    }
    void note_gone(uint32_t shard, const Subscription& member) {
        MR_ASSERT(member.position < connected[shard]);
        subscribers.swap(member.position, --connected[shard]);
        --connected_total;
    }
    // The shard whose turn it is: by weight of its connected members, or, when nobody is
    // connected, one that has members at all. Only while present_mask is not 0.
    uint32_t pick_shard() {
        if (connected_total == 0) {
            const uint64_t later = present_mask & (~uint64_t{0} << (turn++ % shards_max));
            return static_cast<uint32_t>(std::countr_zero(later != 0 ? later : present_mask));
        }
        uint32_t left = turn++ % connected_total;
        for (uint32_t shard = 0;; ++shard) {
            if (left < connected[shard]) return shard;
            left -= connected[shard];
        }
    }
};

}  // namespace millrace
