// A histogram of latencies in nanoseconds: 64 counters a doubling, so that a value is off by less
// than 1/64 (1.6 %), from 0 to over an hour; in the manner of HdrHistogram (G. Tene).
// Owned by: values, 19 KB each; one thread at a time. No allocation, and nothing to set up.
// Holds:    the counters' sum is count(); min(), max() and mean() are exact; a value past the range
//           counts in the last counter.
// Not here: reading a clock, printing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "base/assert.h"

namespace millrace {

class Histogram {
public:
    static constexpr uint32_t value_bits = 42;
    static constexpr int64_t value_max = (int64_t{1} << value_bits) - 1;  // 73 minutes

    // A negative value counts as 0.
    void add(int64_t value, uint64_t count = 1) {
        if (count == 0) return;
        value = std::max<int64_t>(value, 0);
        add_run(value, value, count);
    }

    // For a load generator that waits for an answer before it sends again: a request that took
    // longer than `expected_interval` kept others from being sent ("coordinated omission"). Adds
    // the latencies that those would have seen as well: value - interval, value - 2 * interval and
    // so on down to the interval, as HdrHistogram's recordValueWithExpectedInterval does. A
    // generator that sends on schedule whatever happens, and measures from the scheduled time,
    // uses add(). The cost is bounded by the number of counters, not by that of the values.
    void add_corrected(int64_t value, int64_t expected_interval) {
        add(value);
        if (expected_interval <= 0) return;
        int64_t missing = value - expected_interval;
        while (missing >= expected_interval) {
            // All that fall into the counter of `missing`, at once.
            const int64_t lowest = std::max(lowest_of(index_of(missing)), expected_interval);
            const int64_t more = (missing - lowest) / expected_interval;
            add_run(missing, missing - more * expected_interval, static_cast<uint64_t>(more) + 1);
            missing -= (more + 1) * expected_interval;
        }
    }

    void merge(const Histogram& other) {
        for (uint32_t index = 0; index < counter_count; ++index) {
            counters_[index] += other.counters_[index];
        }
        count_ += other.count_;
        sum_ += other.sum_;
        min_ = std::min(min_, other.min_);
        max_ = std::max(max_, other.max_);
    }

    uint64_t count() const { return count_; }
    int64_t min() const { return count_ == 0 ? 0 : min_; }
    int64_t max() const { return max_; }
    double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

    // The value that `percent` of all values don't exceed (0 to 100), rounded up to the end of its
    // counter but not past max(); 0 when there are no values.
    int64_t percentile(double percent) const {
        if (count_ == 0) return 0;
        const double part = std::clamp(percent, 0.0, 100.0) / 100.0;
        const double rank = std::ceil(part * static_cast<double>(count_) - 1e-9);
        const uint64_t wanted = std::clamp<uint64_t>(static_cast<uint64_t>(rank), 1, count_);
        uint64_t seen = 0;
        for (uint32_t index = 0; index + 1 < counter_count; ++index) {
            seen += counters_[index];
            if (seen >= wanted) return std::min(highest_of(index), max_);
        }
        return max_;
    }

    // Calls visit(highest value, count) for every counter that isn't 0, in ascending order.
    template <class Visit>
    void for_each(Visit&& visit) const {
        for (uint32_t index = 0; index < counter_count; ++index) {
            if (counters_[index] > 0) visit(std::min(highest_of(index), max_), counters_[index]);
        }
    }

private:
    static constexpr uint32_t counter_count = 128 + (value_bits - 7) * 64;

    // Below 128 every value has a counter. Then a doubling 2^n .. 2^(n+1) - 1 has 64 counters of
    // 2^(n-6) values: the value's seven highest bits select it, the first of them being set.
    static constexpr uint32_t index_of(int64_t value) {
        const uint64_t within = static_cast<uint64_t>(std::min(value, value_max));
        const uint32_t shift = static_cast<uint32_t>(std::bit_width(within | 127)) - 7;
        return shift * 64 + static_cast<uint32_t>(within >> shift);
    }
    static constexpr int64_t lowest_of(uint32_t index) {
        const uint32_t shift = index < 128 ? 0 : index / 64 - 1;
        return static_cast<int64_t>(uint64_t{index - shift * 64} << shift);
    }
    static constexpr int64_t highest_of(uint32_t index) { return lowest_of(index + 1) - 1; }

    // `count` values of one counter, from `highest` down to `lowest` in equal steps.
    void add_run(int64_t highest, int64_t lowest, uint64_t count) {
        MR_ASSERT(index_of(highest) == index_of(lowest));
        counters_[index_of(highest)] += count;
        count_ += count;
        sum_ += (static_cast<double>(highest) + static_cast<double>(lowest)) / 2 *
                static_cast<double>(count);
        min_ = std::min(min_, lowest);
        max_ = std::max(max_, highest);
    }

    std::array<uint64_t, counter_count> counters_{};
    uint64_t count_ = 0;
    double sum_ = 0;
    int64_t min_ = INT64_MAX;
    int64_t max_ = 0;
};

}  // namespace millrace
