// What a shard works with that may change while it runs, and how a change reaches it: the host
// posts an immutable object, each shard looks at one pointer a turn and goes over to it.
// Owned by: the server. Posting and seating: one thread at a time. A shard calls newest() and took()
//           from its own thread, for itself.
// Holds:    an object lives until every shard has taken a newer one, or has left.
// Not here: what the values do (broker/live_config.h, shard_host.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "broker/live_config.h"
#include "runtime/shard_loop.h"

namespace millrace {

inline IdleOptions idle_options_of(const ShardOptions& shards) {
    return {Duration::us(shards.spin_max.count()), shards.always_spin};
}

struct LiveSettings {
    uint64_t number;  // counts up from 1
    LiveConfig broker;
    IdleOptions idle;
};

class LiveBoard {
public:
    LiveBoard(const Config& first, uint32_t shard_count) : taken_(shard_count) {
        for (auto& taken : taken_) taken.store(away, std::memory_order_relaxed);
        post(first);
    }

    // Acquire, as the release of post(): whoever sees the pointer sees the values.
    const LiveSettings& newest() const { return *newest_.load(std::memory_order_acquire); }

    // Before the shards' threads start: what is the newest now stays until they've taken one.
    void seat_shards() {
        for (auto& taken : taken_) taken.store(newest().number, std::memory_order_release);
    }
    // The shard refers to no object but this. Release: what it did with the one before is done.
    void took(uint32_t shard, const LiveSettings& settings) {
        taken_[shard].store(settings.number, std::memory_order_release);
    }
    // The shard refers to none any more.
    void left(uint32_t shard) { taken_[shard].store(away, std::memory_order_release); }

    void post(const Config& config) {
        kept_.push_back(std::make_unique<const LiveSettings>(LiveSettings{
            ++last_number_, live_config_of(config), idle_options_of(config.shards)}));
        newest_.store(kept_.back().get(), std::memory_order_release);
        free_unused();
    }
    // Whether every shard that runs works with the newest. Frees what nobody uses.
    bool is_taken_by_all() {
        free_unused();
        return kept_.size() == 1;
    }
    size_t kept_count() const { return kept_.size(); }

private:
    static constexpr uint64_t away = UINT64_MAX;

    void free_unused() {
        uint64_t oldest = last_number_;
        for (const auto& taken : taken_) {
            oldest = std::min(oldest, taken.load(std::memory_order_acquire));
        }
        while (kept_.front()->number < oldest) kept_.pop_front();
    }

    std::deque<std::unique_ptr<const LiveSettings>> kept_;  // by number; the last is the newest
    uint64_t last_number_ = 0;
    std::vector<std::atomic<uint64_t>> taken_;  // by shard; written by it, read by the host
    std::atomic<const LiveSettings*> newest_{nullptr};  // written by the host, read by every shard
};

}  // namespace millrace
