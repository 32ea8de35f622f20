#include "tcp/scoreboard.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace {

uint32_t Scoreboard::add(SeqRange range, SeqNumber una, SeqNumber nxt) {
    // Distances from `una` can be compared whatever the peer has sent. Below `una` stand the
    // duplicates that RFC 2883, 4.1 reports. A block at `una` contradicts the cumulative
    // acknowledgement, which would have included it, so nothing is believed of it.
    const uint32_t begin = range.begin - una;
    const uint32_t end = range.end - una;
    const bool is_possible = 0 < begin && begin < end && end <= nxt - una;
    if (!is_possible) return 0;

    uint32_t first = 0;  // the first range that the new one touches, or that follows it
    while (first < count_ && ranges_[first].end < range.begin) ++first;
    uint32_t last = first;  // one past the last that it touches
    uint32_t known_bytes = 0;
    SeqRange joined = range;
    while (last < count_ && ranges_[last].begin <= range.end) {
        const SeqNumber from = later(ranges_[last].begin, range.begin);
        const SeqNumber to = earlier(ranges_[last].end, range.end);
        known_bytes += to - from;
        joined.begin = earlier(joined.begin, ranges_[last].begin);
        joined.end = later(joined.end, ranges_[last].end);
        ++last;
    }
    if (!replace(first, last, joined)) return 0;
    return range.bytes() - known_bytes;
}

// Puts `joined` where [first, last) stood. False when it is the highest and there's no room.
bool Scoreboard::replace(uint32_t first, uint32_t last, SeqRange joined) {
    if (first == last) {
        if (first == ranges_max) return false;
        if (count_ == ranges_max) --count_;
        std::copy_backward(ranges_.begin() + first, ranges_.begin() + count_,
                           ranges_.begin() + count_ + 1);
        ++count_;
    } else {
        std::copy(ranges_.begin() + last, ranges_.begin() + count_, ranges_.begin() + first + 1);
        count_ -= last - first - 1;
    }
    ranges_[first] = joined;
    return true;
}

void Scoreboard::advance(SeqNumber una) {
    // A range that holds `una` itself is no longer held by the peer: it has thrown it away
    // (RFC 2018, section 8), or it would have acknowledged it.
    uint32_t gone = 0;
    while (gone < count_ && ranges_[gone].begin <= una) ++gone;
    if (gone == 0) return;
    std::copy(ranges_.begin() + gone, ranges_.begin() + count_, ranges_.begin());
    count_ -= gone;
}

uint32_t Scoreboard::sacked_bytes() const {
    uint32_t bytes = 0;
    for (uint32_t index = 0; index < count_; ++index) bytes += ranges_[index].bytes();
    return bytes;
}

SeqNumber Scoreboard::highest() const {
    MR_ASSERT(!empty());
    return ranges_[count_ - 1].end;
}

// RFC 6675, section 4, IsLost: DupThresh discontiguous runs above, or more bytes than DupThresh - 1
// segments have.
bool Scoreboard::proves_loss(uint32_t ranges_above, uint32_t bytes_above, uint32_t mss) {
    return ranges_above >= dup_threshold || bytes_above > (dup_threshold - 1) * mss;
}

bool Scoreboard::is_lost(SeqNumber seq, uint32_t mss) const {
    uint32_t bytes_above = 0;
    uint32_t ranges_above = 0;
    for (uint32_t index = count_; index > 0 && ranges_[index - 1].end > seq; --index) {
        const SeqRange& range = ranges_[index - 1];
        ++ranges_above;
        bytes_above += range.end - later(range.begin, seq);
        if (proves_loss(ranges_above, bytes_above, mss)) return true;
    }
    return false;
}

std::optional<SeqRange> Scoreboard::next_hole(SeqNumber from, SeqNumber limit) const {
    for (uint32_t index = 0; index < count_ && from < limit; ++index) {
        const SeqRange& range = ranges_[index];
        if (range.end <= from) continue;
        if (from < range.begin) return SeqRange{from, earlier(range.begin, limit)};
        from = range.end;
    }
    if (from >= limit) return std::nullopt;
    return SeqRange{from, limit};
}

// RFC 6675, section 4, SetPipe, hole by hole from the highest down: all bytes of a hole have the
// same above them, so they're lost together.
uint32_t Scoreboard::pipe(SeqNumber una, SeqNumber nxt, SeqNumber high_rxt, uint32_t mss) const {
    uint32_t pipe_bytes = 0;
    uint32_t bytes_above = 0;
    uint32_t ranges_above = 0;
    SeqNumber hole_end = nxt;
    for (uint32_t index = count_ + 1; index > 0; --index) {
        const SeqNumber hole_begin = index == 1 ? una : ranges_[index - 2].end;
        // (a): sent, and not thought lost.
        if (!proves_loss(ranges_above, bytes_above, mss)) pipe_bytes += hole_end - hole_begin;
        // (b): sent again.
        if (hole_begin < high_rxt) pipe_bytes += earlier(hole_end, high_rxt) - hole_begin;
        if (index == 1) break;
        const SeqRange& range = ranges_[index - 2];
        ++ranges_above;
        bytes_above += range.bytes();
        hole_end = range.begin;
    }
    return pipe_bytes;
}

}  // namespace millrace
