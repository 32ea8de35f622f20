// When the next connection of a shard is told to go, at a rate that all shards keep together.
// Owned by: the shard's Broker, while it drains.
// Holds:    of the whole server's places in time, 1/rate apart, every shard has each
//           shard_count-th. So shards need not speak to each other, nothing is rounded away however
//           long it takes, and the server is never ahead of its rate: who was late catches up.
// Not here: which connection it is (broker_drain.cc).
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/time.h"

namespace millrace {

class ShedPace {
public:
    // `rate` is in connections a second of all shards.
    ShedPace(Instant start, uint32_t rate, uint32_t shard, uint32_t shard_count)
        : start_(start), rate_(rate), shard_(shard), shard_count_(shard_count) {
        MR_ASSERT(rate > 0);
        MR_ASSERT(shard < shard_count);
    }

    // How many more may go by `now`.
    uint64_t due(Instant now) const {
        if (now < start_) return 0;
        const uint64_t places = places_until(now);
        const uint64_t own = places <= shard_ ? 0 : (places - shard_ - 1) / shard_count_ + 1;
        return own - taken_;
    }
    // That many have gone: due() at most.
    void take(uint64_t count) { taken_ += count; }
    // When the next may go; in the past when some are due.
    Instant next_due() const {
        const uint64_t place = shard_ + taken_ * shard_count_;
        const uint64_t whole_s = place / rate_;
        const uint64_t rest_ns = ((place % rate_) * second_ns + rate_ - 1) / rate_;
        return start_ + Duration::ns(static_cast<int64_t>(whole_s * second_ns + rest_ns));
    }

private:
    static constexpr uint64_t second_ns = 1'000'000'000;

    // Places of all shards from the start, which is the first, to `now`. In two parts, because a
    // day's nanoseconds times the rate don't fit in 64 bits.
    uint64_t places_until(Instant now) const {
        const auto passed_ns = static_cast<uint64_t>((now - start_).nanoseconds);
        return passed_ns / second_ns * rate_ + passed_ns % second_ns * rate_ / second_ns + 1;
    }

    Instant start_;
    uint64_t rate_;
    uint64_t shard_;
    uint64_t shard_count_;
    uint64_t taken_ = 0;
};

}  // namespace millrace
