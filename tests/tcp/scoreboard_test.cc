#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "base/prng.h"
#include "seq_ranges.h"
#include "tcp/scoreboard.h"

using namespace millrace;
using millrace::test::range;

namespace {

constexpr uint32_t board_mss = 100;

// SND.UNA is 1000 and SND.NXT 3000 where nothing else is said.
constexpr SeqNumber una{1'000};
constexpr SeqNumber nxt{3'000};

std::vector<SeqRange> ranges_of(const Scoreboard& board) {
    std::vector<SeqRange> ranges;
    for (uint32_t index = 0; index < board.range_count(); ++index) {
        ranges.push_back(board.range(index));
    }
    return ranges;
}

Scoreboard board_of(const std::vector<SeqRange>& ranges) {
    Scoreboard board;
    for (const SeqRange& each : ranges) REQUIRE(board.add(each, una, nxt) == each.bytes());
    return board;
}

}  // namespace

TEST_CASE("scoreboard: blocks are kept in order, whatever the order in which they come") {
    const Scoreboard board = board_of({range(2'000, 2'100), range(1'200, 1'300),
                                       range(1'500, 1'600)});
    CHECK(ranges_of(board) == std::vector{range(1'200, 1'300), range(1'500, 1'600),
                                          range(2'000, 2'100)});
    CHECK(board.sacked_bytes() == 300);
    CHECK(board.highest() == SeqNumber{2'100});
}

TEST_CASE("scoreboard: a block joins those that it overlaps or touches") {
    Scoreboard board = board_of({range(1'200, 1'300), range(1'400, 1'500), range(1'700, 1'800)});
    CHECK(board.add(range(1'300, 1'450), una, nxt) == 100);
    CHECK(ranges_of(board) == std::vector{range(1'200, 1'500), range(1'700, 1'800)});
    CHECK(board.add(range(1'100, 1'900), una, nxt) == 400);
    CHECK(ranges_of(board) == std::vector{range(1'100, 1'900)});
}

TEST_CASE("scoreboard: a block that says nothing new counts nothing") {
    Scoreboard board = board_of({range(1'200, 1'500)});
    CHECK(board.add(range(1'200, 1'500), una, nxt) == 0);
    CHECK(board.add(range(1'300, 1'400), una, nxt) == 0);
    CHECK(board.range_count() == 1);
}

TEST_CASE("scoreboard: a duplicate reported below the acknowledgement is ignored") {
    Scoreboard board;
    CHECK(board.add(range(500, 600), una, nxt) == 0);
    CHECK(board.add(range(900, 1'000), una, nxt) == 0);
    CHECK(board.empty());
}

TEST_CASE("scoreboard: blocks that can't be true are ignored") {
    Scoreboard board;
    CHECK(board.add(range(1'000, 1'100), una, nxt) == 0);   // the acknowledgement denies it
    CHECK(board.add(range(900, 1'100), una, nxt) == 0);
    CHECK(board.add(range(2'900, 3'001), una, nxt) == 0);   // never sent
    CHECK(board.add(range(4'000, 4'100), una, nxt) == 0);
    CHECK(board.add(range(1'500, 1'500), una, nxt) == 0);   // empty
    CHECK(board.add(range(1'600, 1'500), una, nxt) == 0);   // inverted
    CHECK(board.add(range(1'500, 1'500 + (1u << 31)), una, nxt) == 0);
    CHECK(board.add(range(1'000 + (1u << 31), 1'500), una, nxt) == 0);
    CHECK(board.empty());
    CHECK(board.add(range(2'900, 3'000), una, nxt) == 100);  // up to SND.NXT is true
}

TEST_CASE("scoreboard: an acknowledgement that advances drops what it covers") {
    Scoreboard board = board_of({range(1'200, 1'300), range(1'500, 1'600)});
    board.advance({1'300});
    CHECK(ranges_of(board) == std::vector{range(1'500, 1'600)});
    board.advance({1'600});
    CHECK(board.empty());
}

TEST_CASE("scoreboard: a range that the acknowledgement contradicts is dropped whole") {
    Scoreboard board = board_of({range(1'200, 1'300), range(1'500, 1'600)});
    board.advance({1'250});
    CHECK(ranges_of(board) == std::vector{range(1'500, 1'600)});
    board.advance({1'500});
    CHECK(board.empty());
}

TEST_CASE("scoreboard: when there's no room, the highest range is forgotten") {
    Scoreboard board;
    for (uint32_t index = 0; index < Scoreboard::ranges_max; ++index) {
        REQUIRE(board.add(range(1'100 + 20 * index, 1'110 + 20 * index), una, nxt) == 10);
    }
    CHECK(board.add(range(2'500, 2'510), una, nxt) == 0);
    CHECK(board.range_count() == Scoreboard::ranges_max);
    CHECK(board.add(range(1'050, 1'060), una, nxt) == 10);
    CHECK(board.range_count() == Scoreboard::ranges_max);
    CHECK(board.range(0) == range(1'050, 1'060));
    CHECK(board.highest() == SeqNumber{1'110 + 20 * (Scoreboard::ranges_max - 2)});
}

TEST_CASE("scoreboard: three separate ranges above a byte make it lost") {
    Scoreboard board = board_of({range(1'200, 1'201), range(1'300, 1'301)});
    CHECK_FALSE(board.is_lost(una, board_mss));
    board.add(range(1'400, 1'401), una, nxt);
    CHECK(board.is_lost(una, board_mss));
    CHECK_FALSE(board.is_lost({1'250}, board_mss));  // only two are above that one
}

TEST_CASE("scoreboard: more than two segments' bytes above a byte make it lost") {
    Scoreboard board = board_of({range(1'200, 1'400)});
    CHECK_FALSE(board.is_lost(una, board_mss));  // exactly two
    board.add(range(1'400, 1'401), una, nxt);
    CHECK(board.is_lost(una, board_mss));
    CHECK_FALSE(board.is_lost({1'401}, board_mss));  // nothing is above
}

TEST_CASE("scoreboard: the next hole is what lies between the ranges") {
    const Scoreboard board = board_of({range(1'200, 1'300), range(1'500, 1'600)});
    CHECK(board.next_hole(una, nxt) == range(1'000, 1'200));
    CHECK(board.next_hole({1'100}, nxt) == range(1'100, 1'200));
    CHECK(board.next_hole({1'200}, nxt) == range(1'300, 1'500));
    CHECK(board.next_hole({1'599}, nxt) == range(1'600, 3'000));
    CHECK(board.next_hole({1'350}, {1'400}) == range(1'350, 1'400));
}

TEST_CASE("scoreboard: there's no hole where everything was acknowledged") {
    const Scoreboard board = board_of({range(1'200, 1'300)});
    CHECK_FALSE(board.next_hole({1'200}, {1'300}).has_value());
    CHECK_FALSE(board.next_hole({1'250}, {1'280}).has_value());
    CHECK_FALSE(board.next_hole({1'400}, {1'400}).has_value());
    CHECK_FALSE(board.next_hole({1'500}, {1'400}).has_value());
}

TEST_CASE("scoreboard: without blocks everything in flight is in the pipe") {
    const Scoreboard board;
    CHECK(board.pipe(una, nxt, una, board_mss) == 2'000);
    CHECK(board.pipe(una, nxt, {1'500}, board_mss) == 2'500);
}

TEST_CASE("scoreboard: what is lost leaves the pipe, and what is sent again comes back") {
    // [1000, 1100) is lost: 300 bytes are above it. [1400, 3000) is still under way.
    const Scoreboard board = board_of({range(1'100, 1'400)});
    CHECK(board.pipe(una, nxt, una, board_mss) == 1'600);
    CHECK(board.pipe(una, nxt, {1'050}, board_mss) == 1'650);
    CHECK(board.pipe(una, nxt, {1'100}, board_mss) == 1'700);
    CHECK(board.pipe(una, nxt, {1'400}, board_mss) == 1'700);  // acknowledged bytes don't count
}

TEST_CASE("scoreboard: it works across the wrap of the sequence numbers") {
    const SeqNumber before{0xffffff00};
    const SeqNumber after{0x00000400};
    Scoreboard board;
    CHECK(board.add({{0xffffff80}, {0x80}}, before, after) == 0x100);
    CHECK(board.add({{0x200}, {0x300}}, before, after) == 0x100);
    CHECK(board.sacked_bytes() == 0x200);
    CHECK(board.next_hole(before, after) == SeqRange{before, {0xffffff80}});
    CHECK(board.next_hole({0xfffffff0}, after) == SeqRange{{0x80}, {0x200}});
    CHECK(board.is_lost(before, board_mss));
    board.advance({0x80});
    CHECK(ranges_of(board) == std::vector{SeqRange{{0x200}, {0x300}}});
}

namespace {

// One flag a byte of the sequence space, and the definitions of RFC 6675, section 4 word for word.
// Offsets count from where the run began.
class ScoreboardModel {
public:
    ScoreboardModel(SeqNumber origin, uint32_t length) : origin_(origin), held_(length, false) {}

    uint32_t add(uint32_t begin, uint32_t end) {
        if (begin <= una_ || begin >= end || end > nxt_) return 0;
        uint32_t news = 0;
        for (uint32_t at = begin; at < end; ++at) news += held_[at] ? 0 : 1;
        std::fill(held_.begin() + begin, held_.begin() + end, true);
        return forget_highest(begin) ? news : 0;
    }
    void advance(uint32_t una) {
        una_ = una;
        std::fill(held_.begin(), held_.begin() + una, false);
        for (uint32_t at = una; at < nxt_ && held_[at]; ++at) held_[at] = false;
    }
    bool is_lost(uint32_t at) const {
        uint32_t bytes = 0;
        uint32_t runs = 0;
        for (uint32_t above = at; above < nxt_; ++above) {
            if (!held_[above]) continue;
            ++bytes;
            if (above == at || !held_[above - 1]) ++runs;
        }
        return runs >= 3 || bytes > 2 * board_mss;
    }
    uint32_t pipe(uint32_t high_rxt) const {
        uint32_t bytes = 0;
        for (uint32_t at = una_; at < nxt_; ++at) {
            if (held_[at]) continue;
            if (!is_lost(at)) ++bytes;
            if (at < high_rxt) ++bytes;
        }
        return bytes;
    }
    std::vector<SeqRange> runs() const {
        std::vector<SeqRange> found;
        for (uint32_t at = 0; at < nxt_; ++at) {
            if (!held_[at]) continue;
            if (at == 0 || !held_[at - 1]) found.push_back({origin_ + at, origin_ + at});
            found.back().end = origin_ + (at + 1);
        }
        return found;
    }
    std::optional<SeqRange> next_hole(uint32_t from, uint32_t limit) const {
        while (from < limit && held_[from]) ++from;
        if (from >= limit) return std::nullopt;
        uint32_t end = from;
        while (end < limit && !held_[end]) ++end;
        return SeqRange{origin_ + from, origin_ + end};
    }

    SeqNumber origin_;
    uint32_t una_ = 0;
    uint32_t nxt_ = 0;

private:
    // False when it was the block just added, at `begin`, that had to go.
    bool forget_highest(uint32_t begin) {
        const std::vector<SeqRange> found = runs();
        if (found.size() <= Scoreboard::ranges_max) return true;
        const uint32_t first = found.back().begin - origin_;
        std::fill(held_.begin() + first, held_.begin() + nxt_, false);
        return first != begin;
    }

    std::vector<bool> held_;
};

void compare(const Scoreboard& board, const ScoreboardModel& model, Prng& prng) {
    const std::vector<SeqRange> expected = model.runs();
    REQUIRE(ranges_of(board) == expected);
    uint32_t bytes = 0;
    for (const SeqRange& each : expected) bytes += each.bytes();
    REQUIRE(board.sacked_bytes() == bytes);
    if (!expected.empty()) REQUIRE(board.highest() == expected.back().end);
    const uint32_t flight = model.nxt_ - model.una_;
    const uint32_t from = model.una_ + prng.below(flight + 1);
    const uint32_t limit = model.una_ + prng.below(flight + 1);
    const SeqNumber origin = model.origin_;
    REQUIRE(board.next_hole(origin + from, origin + limit) == model.next_hole(from, limit));
    REQUIRE(board.is_lost(origin + from, board_mss) == model.is_lost(from));
    REQUIRE(board.pipe(origin + model.una_, origin + model.nxt_, origin + from, board_mss) ==
            model.pipe(from));
}

void run_scoreboard_model(uint64_t seed) {
    Prng prng(seed);
    constexpr uint32_t length = 1'500;
    const uint32_t longest = 1 + prng.below(80);
    // Half of the runs wrap.
    const SeqNumber origin{prng.chance(0.5) ? 0u - prng.below(length)
                                            : static_cast<uint32_t>(prng.next())};
    Scoreboard board;
    ScoreboardModel model(origin, length);
    for (uint32_t step = 0; step < 150; ++step) {
        model.nxt_ = std::min(length, model.nxt_ + prng.below(40));
        if (prng.chance(0.05)) {
            const uint32_t una = model.una_ + prng.below((model.nxt_ - model.una_) / 4 + 1);
            board.advance(origin + una);
            model.advance(una);
        }
        // Now and then beyond the bounds, or inverted.
        const uint32_t begin = prng.below(model.nxt_ + 5);
        const uint32_t end = prng.chance(0.05) ? prng.below(length)
                                               : begin + prng.below(longest);
        const uint32_t news = board.add({origin + begin, origin + end}, origin + model.una_,
                                        origin + model.nxt_);
        REQUIRE(news == model.add(begin, end));
        compare(board, model, prng);
    }
}

}  // namespace

TEST_CASE("scoreboard: random blocks leave what a flag for each byte says") {
    for (uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        run_scoreboard_model(seed);
    }
}
