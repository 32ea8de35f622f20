// What a peer has said that it holds beyond the cumulative acknowledgement (RFC 2018), and what
// follows from it about loss (RFC 6675).
// Owned by: a connection in recovery, from its shard's heap; a connection without loss has none.
// Holds:    ranges are sorted, disjoint, not adjacent, and lie above SND.UNA. When there are more
//           than ranges_max, the highest are forgotten: they'd be sent again, which costs only
//           bandwidth.
// Not here: congestion control, timers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "tcp/seq.h"

namespace millrace {

class Scoreboard {
public:
    static constexpr uint32_t ranges_max = 30;
    static constexpr uint32_t dup_threshold = 3;  // DupThresh

    // [range) was selectively acknowledged; `una` and `nxt` bound what can be true, anything else
    // is ignored. Returns how many bytes are news.
    uint32_t add(SeqRange range, SeqNumber una, SeqNumber nxt);
    // SND.UNA has moved.
    void advance(SeqNumber una);
    void clear() { count_ = 0; }
    bool empty() const { return count_ == 0; }
    uint32_t range_count() const { return count_; }
    const SeqRange& range(uint32_t index) const { return ranges_[index]; }

    uint32_t sacked_bytes() const;
    // One past the highest byte that was selectively acknowledged; not when empty().
    SeqNumber highest() const;
    // IsLost (RFC 6675, 4): enough was acknowledged above `seq`.
    bool is_lost(SeqNumber seq, uint32_t mss) const;
    // The first bytes at or after `from` and before `limit` that weren't acknowledged; nothing
    // when all were.
    std::optional<SeqRange> next_hole(SeqNumber from, SeqNumber limit) const;
    // SetPipe (RFC 6675, 4): bytes in [una, nxt) thought to be in the network, when
    // [una, high_rxt) has been retransmitted.
    uint32_t pipe(SeqNumber una, SeqNumber nxt, SeqNumber high_rxt, uint32_t mss) const;

private:
    bool replace(uint32_t first, uint32_t last, SeqRange joined);
    static bool proves_loss(uint32_t ranges_above, uint32_t bytes_above, uint32_t mss);

    std::array<SeqRange, ranges_max> ranges_{};
    uint32_t count_ = 0;
};

}  // namespace millrace
