// A small histogram that one thread fills and any other reads meanwhile: four counters a doubling,
// so that a value is off by a fifth at the most.
// Owned by: one shard, which alone adds; any thread reads (relaxed atomics: a reader may see counters
//           of slightly different moments, never torn values).
// Holds:    every value stands in exactly one counter. The sum and the largest value are exact.
// Not here: percentiles: readers have the counters. base/histogram.h is finer, for one thread.
//
// Values are counted in `unit`s, rounded up, so that a counter's upper bound is inclusive:
//   1, 2, .. 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, ...
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "runtime/ledger.h"

namespace millrace {

// What a reader has seen of one, or of several added up. All of one kind have the same bounds.
struct HistogramView {
    struct Bucket {
        uint64_t bound;   // in units, inclusive
        uint64_t count;   // of this one alone
    };
    std::vector<Bucket> buckets;   // ascending; also those with nothing in them
    uint64_t sum = 0;              // in the values' own measure, as the next
    uint64_t max = 0;

    uint64_t count() const {
        uint64_t all = 0;
        for (const Bucket& bucket : buckets) all += bucket.count;
        return all;
    }
    // Those up to `bound` units: exact where a bucket ends.
    uint64_t count_up_to(uint64_t bound) const {
        uint64_t below = 0;
        for (const Bucket& bucket : buckets) {
            if (bucket.bound <= bound) below += bucket.count;
        }
        return below;
    }
    void merge(const HistogramView& other) {
        if (buckets.empty()) buckets.resize(other.buckets.size());
        for (size_t index = 0; index < buckets.size(); ++index) {
            buckets[index].bound = other.buckets[index].bound;
            buckets[index].count += other.buckets[index].count;
        }
        sum += other.sum;
        max = std::max(max, other.max);
    }
};

// `unit_values` values make a unit; values past the last bound count in the last counter.
template <uint64_t unit_values, uint32_t bucket_count>
class CoarseHistogram {
public:
    static_assert(bucket_count > 8 && bucket_count % 4 == 0 && bucket_count <= 200);

    void add(uint64_t value, uint64_t times = 1) {
        buckets_[index_of(value)].add(times);
        sum_.add(value * times);
        if (value > max_.read()) max_.set(value);
    }
    HistogramView view() const {
        HistogramView seen;
        seen.buckets.reserve(bucket_count);
        for (uint32_t index = 0; index < bucket_count; ++index) {
            seen.buckets.push_back({bound_of(index), buckets_[index].read()});
        }
        seen.sum = sum_.read();
        seen.max = max_.read();
        return seen;
    }
    uint64_t sum() const { return sum_.read(); }
    uint64_t max() const { return max_.read(); }

    // The largest number of units that the counter at `index` takes, but the last takes all.
    static constexpr uint64_t bound_of(uint32_t index) {
        const uint32_t shift = index < 8 ? 0 : index / 4 - 1;
        return uint64_t{index + 1 - shift * 4} << shift;
    }
    // Units begun, less one, so that bounds are inclusive; its three highest bits choose.
    static constexpr uint32_t index_of(uint64_t value) {
        const uint64_t units = (value - (value != 0 ? 1 : 0)) / unit_values;
        const uint32_t shift = static_cast<uint32_t>(std::bit_width(units | 4)) - 3;
        return std::min(shift * 4 + static_cast<uint32_t>(units >> shift), bucket_count - 1);
    }

private:
    std::array<Counter, bucket_count> buckets_;
    Counter sum_;
    Counter max_;
};

// Nanoseconds, in microseconds: up to 33 s apart.
using DurationHistogram = CoarseHistogram<1'000, 96>;
// How many: up to 131,072 apart.
using CountHistogram = CoarseHistogram<1, 64>;

}  // namespace millrace
