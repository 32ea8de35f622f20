// Two samples in, the lines of a screen out.
// Owned by: nobody; pure functions. Thread: any.
// Holds:    never more lines than `rows`, none wider than `columns`, no character that steers a
//           terminal. Counters of another process than before count from its start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/remote/top_sample.h"

namespace millrace::remote {

enum class TopOrder : uint8_t { shard, connected, received, sent, dropped, cpu };
inline constexpr uint32_t top_order_count = 6;

struct TopView {
    uint32_t columns = 80;
    uint32_t rows = 24;
    TopOrder order = TopOrder::shard;
    bool has_keys = false;  // somebody can press some: a line says which
    std::string trouble;   // not empty: why what is shown isn't of now
};

struct ScreenLine {
    std::string text;
    bool stands_out = false;   // titles and trouble

    bool operator==(const ScreenLine&) const = default;
};

// `before`: null with the first sample; rates are unknown then.
std::vector<ScreenLine> top_lines(const TopSample* before, const TopSample& now,
                                  const TopView& view);
// Before there is a sample.
std::vector<ScreenLine> trouble_lines(const TopView& view);

// The smallest upper bound below which so many of a hundred are; nullopt when there's none at all.
std::optional<uint64_t> percentile(const Buckets& buckets, double of_hundred);
// What was counted since; all of `now` when `before` is another server's.
Buckets since(const Buckets& before, const Buckets& now);
// "120us", "1.5ms", "2.0s".
std::string short_time(uint64_t us);

}  // namespace millrace::remote
