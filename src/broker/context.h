// What every part of one shard's broker works with: its memory, clock, output and limits.
// Owned by: the shard's Broker; the parts borrow it. On the shard's thread only.
// Holds:    `now` is the time of the current turn.
#pragma once

#include "base/hash.h"
#include "base/prng.h"
#include "base/time.h"
#include "broker/counters.h"
#include "broker/live_config.h"
#include "broker/publish_watch.h"
#include "net/outbox.h"
#include "runtime/block.h"
#include "runtime/mailbox.h"
#include "runtime/slab.h"
#include "runtime/timer_wheel.h"

namespace millrace {

class Tracer;

struct ShardContext {
    const LiveConfig* live;  // never null; changes between two turns
    Heap& heap;
    BlockPool& blocks;
    Outbox& outbox;
    TimerWheel& wheel;
    Mailbox& mailbox;
    Ledger& ledger;
    BrokerCounters& counters;
    HashKey hash_key;   // the same on every shard
    Prng random;
    Instant now{};
    PublishWatch publish_watch{};
    TopLists* top_lists = nullptr;  // set by the Broker, as the next; tests of a part have none
    Tracer* tracer = nullptr;       // valid where something `is_traced`, or while a topic is

    uint32_t self() const { return mailbox.self(); }
    uint32_t shard_count() const { return mailbox.shard_count(); }
    // A bit for each shard but this one.
    uint64_t other_shards() const {
        return (~uint64_t{0} >> (64 - shard_count())) & ~(uint64_t{1} << self());
    }
    // 56 bits: the other eight name a shard beside it (shards_by_hash.h).
    uint64_t hash(std::string_view text) const { return hash_text(text, hash_key) >> 8; }
    uint32_t home_of(uint64_t hash) const {
        return static_cast<uint32_t>(hash % shard_count());
    }
};

}  // namespace millrace
