// Back pressure between shards: a shard whose mail piles up raises its flag, and every shard stops
// reading from publishers until it is lowered. Mail itself is always drained, so nobody can wait
// for each other.
// Owned by: the server; one flag a shard, written by that shard alone, read by all (relaxed: it's
//           a hint, and late by a turn at most).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace millrace {

class Pressure {
public:
    static constexpr uint32_t shards_max = 64;

    void set(uint32_t shard, bool raised) {
        if (flags_[shard].raised.load(std::memory_order_relaxed) != raised) {
            flags_[shard].raised.store(raised, std::memory_order_relaxed);
        }
    }
    bool any(uint32_t shard_count) const {
        for (uint32_t shard = 0; shard < shard_count; ++shard) {
            if (flags_[shard].raised.load(std::memory_order_relaxed)) return true;
        }
        return false;
    }

private:
    struct alignas(64) Flag {
        std::atomic<bool> raised{false};
    };
    std::array<Flag, shards_max> flags_;
};

}  // namespace millrace
