// Which publishes are looked at more closely: one in 64 for the list of hot topics, all of them
// while a topic is traced. One countdown for both, so that the rest pays two instructions.
// Owned by: the shard's Broker.
#pragma once

#include <utility>

#include "broker/top_lists.h"

namespace millrace {

class PublishWatch {
public:
    bool is_due() { return --left_ == 0; }
    // After is_due(): whether this one is a sample. Sets when the next is due.
    bool take(Prng& random) {
        if (!watches_all_) {
            left_ = draw_sample(random);
            return true;
        }
        left_ = 1;
        if (--sample_left_ > 0) return false;
        sample_left_ = draw_sample(random);
        return true;
    }
    void watch_all(bool all) {
        if (watches_all_ == all) return;
        watches_all_ = all;
        std::swap(left_, sample_left_);
        if (all) left_ = 1;
    }

private:
    uint32_t left_ = 1;
    uint32_t sample_left_ = 1;   // valid while watches_all_
    bool watches_all_ = false;
};

}  // namespace millrace
