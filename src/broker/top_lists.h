// What this shard knows of the hottest topics and the slowest receivers.
// Owned by: the shard's Broker; changed and copied on its thread. 44 KB a list, from the ordinary heap
//           at the start.
// Holds:    topics: publishes whose home is here, one in `sampled_one_of` at random, each counted
//           that often. Receivers: messages dropped for a slow or full receiver, or made to wait for
//           it: each of them up to `exact_a_second`, beyond that one in `sampled_one_of` at random,
//           so that a flood of them costs no more than a few instructions each.
// Not here: putting shards together (base/top_list.h), what a topic's receivers are.
#pragma once

#include <memory>
#include <string_view>

#include "base/prng.h"
#include "base/recent_top.h"

namespace millrace {

constexpr uint32_t sampled_one_of = 64;

// When the next sample is due: after 1 to 127 steps, 64 on average, so that no rhythm of a stream
// meets the samples' own.
inline uint32_t draw_sample(Prng& random) { return 1 + random.below(2 * sampled_one_of - 1); }

class TopLists {
public:
    static constexpr uint32_t entries_max = 128;
    static constexpr uint32_t exact_a_second = 1'000;
    static constexpr Duration span = Duration::s(300);
    using Recent = RecentTop<entries_max>;

    TopLists(Instant now, uint64_t seed)
        : topics_(std::make_unique<Recent>(now, span)),
          receivers_(std::make_unique<Recent>(now, span)),
          random_(seed) {}

    // A publish that was drawn as a sample.
    void on_sampled_publish(Instant now, uint64_t topic_hash, std::string_view topic) {
        topics_->add(now, topic_hash, topic, sampled_one_of);
    }
    enum class Trouble : uint8_t { dropped, waits };
    void on_trouble(Instant now, uint64_t client_hash, std::string_view client_id, Trouble what) {
        if (now >= allowance_until_) {
            allowance_ = exact_a_second;
            allowance_until_ = now + Duration::s(1);
        }
        uint64_t weight = 1;
        if (allowance_ > 0) {
            --allowance_;
        } else {
            if (--until_sample_ > 0) return;
            until_sample_ = draw_sample(random_);
            weight = sampled_one_of;
        }
        receivers_->add(now, client_hash, client_id, weight, what == Trouble::dropped ? weight : 0);
    }

    // To be copied, in one step of about 90 KB.
    const Recent& topics(Instant now) {
        topics_->forget_old(now);
        return *topics_;
    }
    const Recent& receivers(Instant now) {
        receivers_->forget_old(now);
        return *receivers_;
    }

private:
    std::unique_ptr<Recent> topics_;
    std::unique_ptr<Recent> receivers_;
    Prng random_;
    Instant allowance_until_{};
    uint32_t allowance_ = 0;
    uint32_t until_sample_ = 1;
};

}  // namespace millrace
