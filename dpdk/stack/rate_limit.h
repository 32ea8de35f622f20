// So many a second, and no more.
// Owned by: a stack, on its shard.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

class RateLimit {
public:
    explicit RateLimit(uint32_t per_second_max) : per_second_max_(per_second_max) {}

    bool try_take(Instant now) {
        if (now - begin_ >= Duration::s(1)) {
            begin_ = now;
            taken_ = 0;
        }
        if (taken_ >= per_second_max_) return false;
        ++taken_;
        return true;
    }

private:
    uint32_t per_second_max_;
    uint32_t taken_ = 0;
    Instant begin_{};
};

}  // namespace millrace
