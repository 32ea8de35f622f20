#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "runtime/timer_wheel.h"

using namespace millrace;

namespace {

using Fired = std::vector<uint64_t>;

// Advances to `now` and returns the kinds of what fired, in order.
Fired advance(TimerWheel& wheel, Instant now) {
    Fired fired;
    wheel.advance(now, [&](TimerEntry& entry) { fired.push_back(entry.kind); });
    return fired;
}

Fired advance_ms(TimerWheel& wheel, int64_t now_ms) {
    return advance(wheel, Instant::at_ms(now_ms));
}

TimerEntry entry_of_kind(uint8_t kind) {
    TimerEntry entry;
    entry.kind = kind;
    return entry;
}

}  // namespace

TEST_CASE("timer wheel: an entry fires at its deadline and not before") {
    TimerWheel wheel(Instant::at_ms(1000));
    TimerEntry entry = entry_of_kind(7);
    wheel.start(entry, Instant::at_ms(1010));
    CHECK(entry.started());
    CHECK(wheel.started_count() == 1);
    CHECK(advance_ms(wheel, 1009).empty());
    CHECK(advance_ms(wheel, 1010) == Fired{7});
    CHECK(!entry.started());
    CHECK(wheel.started_count() == 0);
}

TEST_CASE("timer wheel: a deadline between two ticks waits for the later one") {
    TimerWheel wheel(Instant{0});
    TimerEntry entry = entry_of_kind(1);
    wheel.start(entry, Instant{5'000'001});
    CHECK(advance(wheel, Instant{5'999'999}).empty());
    CHECK(advance(wheel, Instant{6'000'000}) == Fired{1});
}

TEST_CASE("timer wheel: a deadline at or before now fires at the next advance") {
    TimerWheel wheel(Instant::at_ms(50));
    TimerEntry past = entry_of_kind(1);
    TimerEntry present = entry_of_kind(2);
    wheel.start(past, Instant::at_ms(10));
    wheel.start(present, Instant::at_ms(50));
    CHECK(wheel.next_deadline() <= Instant::at_ms(50));
    CHECK(advance_ms(wheel, 50) == Fired{1, 2});
    wheel.start(present, Instant::at_ms(50));  // its tick has been handed out already
    CHECK(advance_ms(wheel, 50) == Fired{2});
    wheel.start(past, Instant{-5});
    CHECK(advance_ms(wheel, 50) == Fired{1});
}

TEST_CASE("timer wheel: an entry that restarts itself in the past waits for the next advance") {
    TimerWheel wheel(Instant::at_ms(0));
    TimerEntry entry;
    wheel.start(entry, Instant::at_ms(5));
    for (int round = 0; round < 3; ++round) {
        int fired = 0;
        wheel.advance(Instant::at_ms(10), [&](TimerEntry& due) {
            ++fired;
            wheel.start(due, Instant::at_ms(1));
        });
        CHECK(fired == 1);
        CHECK(wheel.next_deadline() <= Instant::at_ms(10));
    }
    wheel.stop(entry);
    CHECK(wheel.next_deadline() == Instant::never());
}

TEST_CASE("timer wheel: a stopped entry doesn't fire, and stopping twice is fine") {
    TimerWheel wheel(Instant::at_ms(0));
    TimerEntry entry;
    wheel.stop(entry);
    wheel.start(entry, Instant::at_ms(100));
    wheel.stop(entry);
    wheel.stop(entry);
    CHECK(!entry.started());
    CHECK(wheel.started_count() == 0);
    CHECK(wheel.next_deadline() == Instant::never());
    CHECK(advance_ms(wheel, 1000).empty());
}

TEST_CASE("timer wheel: starting a started entry moves it") {
    TimerWheel wheel(Instant::at_ms(0));
    TimerEntry entry = entry_of_kind(1);
    wheel.start(entry, Instant::at_ms(10));
    wheel.start(entry, Instant::at_ms(100'000));
    CHECK(wheel.started_count() == 1);
    CHECK(advance_ms(wheel, 99'999).empty());
    CHECK(advance_ms(wheel, 100'000) == Fired{1});
}

TEST_CASE("timer wheel: one jump fires everything due, in tick order") {
    TimerWheel wheel(Instant::at_ms(0));
    std::vector<TimerEntry> entries(6);
    const int64_t deadlines_ms[] = {20'000'000'000, 70, 5, 300'000, 63, 64};
    for (uint8_t index = 0; index < 6; ++index) {
        entries[index].kind = index;
        wheel.start(entries[index], Instant::at_ms(deadlines_ms[index]));
    }
    CHECK(advance_ms(wheel, 30'000'000'000) == Fired{2, 4, 5, 1, 3, 0});
}

TEST_CASE("timer wheel: firing may stop others that are due, and start new ones") {
    TimerWheel wheel(Instant::at_ms(0));
    TimerEntry first = entry_of_kind(1);
    TimerEntry second = entry_of_kind(2);
    TimerEntry late = entry_of_kind(3);
    TimerEntry started_while_firing = entry_of_kind(4);
    wheel.start(first, Instant::at_ms(10));
    wheel.start(second, Instant::at_ms(10));
    wheel.start(late, Instant::at_ms(20));
    Fired fired;
    wheel.advance(Instant::at_ms(100), [&](TimerEntry& entry) {
        fired.push_back(entry.kind);
        if (entry.kind == 1) {
            wheel.stop(second);
            wheel.start(started_while_firing, Instant::at_ms(15));
        }
    });
    CHECK(fired == Fired{1, 4, 3});
    CHECK(wheel.started_count() == 0);
}

TEST_CASE("timer wheel: the next deadline is a lower bound that comes close by itself") {
    TimerWheel wheel(Instant::at_ms(12'345));
    TimerEntry entry;
    const Instant deadline = Instant::at_ms(12'345 + 86'400'000);
    wheel.start(entry, deadline);
    int wakes = 0;
    while (true) {
        const Instant next = wheel.next_deadline();
        REQUIRE(next <= deadline);
        int fired = 0;
        wheel.advance(next, [&](TimerEntry&) { ++fired; });
        ++wakes;
        if (fired != 0) {
            CHECK(next == deadline);
            break;
        }
        REQUIRE(wheel.next_deadline() > next);
    }
    CHECK(wakes <= 6);
}

TEST_CASE("timer wheel: a deadline beyond the horizon is clamped to it") {
    TimerWheel wheel(Instant::at_ms(777));
    TimerEntry entry = entry_of_kind(9);
    const int64_t horizon_ms = (int64_t{1} << 36) - 1;
    wheel.start(entry, Instant::never());
    CHECK(advance_ms(wheel, 777 + horizon_ms - 1).empty());
    CHECK(advance_ms(wheel, 777 + horizon_ms) == Fired{9});
}

TEST_CASE("timer wheel: an advance that goes back in time fires nothing early") {
    TimerWheel wheel(Instant::at_ms(100));
    TimerEntry entry = entry_of_kind(1);
    wheel.start(entry, Instant::at_ms(200));
    CHECK(advance_ms(wheel, 150).empty());
    CHECK(advance_ms(wheel, 120).empty());
    CHECK(advance_ms(wheel, 199).empty());
    CHECK(advance_ms(wheel, 200) == Fired{1});
}

namespace {

// The same rules, said slowly.
class Model {
public:
    explicit Model(uint64_t now_ms) : current_(now_ms) {}

    void start(uint32_t index, uint64_t tick) {
        if (ticks_.count(index) != 0) stop(index);
        tick = std::min(tick, current_ + (uint64_t{1} << 36) - 1);
        ticks_[index] = tick;
    }
    void stop(uint32_t index) { ticks_.erase(index); }
    size_t count() const { return ticks_.size(); }
    // UINT64_MAX when empty.
    uint64_t earliest() const {
        uint64_t earliest = UINT64_MAX;
        for (const auto& [index, tick] : ticks_) earliest = std::min(earliest, tick);
        return earliest;
    }
    std::map<uint32_t, uint64_t> take_due(uint64_t now_ms) {
        std::map<uint32_t, uint64_t> due;
        for (const auto& [index, tick] : ticks_) {
            if (tick <= now_ms) due[index] = tick;
        }
        for (const auto& [index, tick] : due) ticks_.erase(index);
        current_ = std::max(current_, now_ms + 1);
        return due;
    }

private:
    uint64_t current_;
    std::map<uint32_t, uint64_t> ticks_;
};

uint64_t random_span(Prng& prng) {
    return prng.next() >> (64 - (1 + prng.below(37)));
}

void compare_with_model(uint64_t seed) {
    Prng prng(seed);
    uint64_t now_ms = random_span(prng) + (uint64_t{1} << 35);
    TimerWheel wheel(Instant::at_ms(static_cast<int64_t>(now_ms)));
    Model model(now_ms);
    std::vector<TimerEntry> entries(100);
    for (int step = 0; step < 3000; ++step) {
        const uint32_t index = prng.below(100);
        const uint32_t action = prng.below(10);
        if (action < 6) {
            const uint64_t tick = prng.chance(0.1) ? now_ms - std::min(now_ms, random_span(prng))
                                                   : now_ms + random_span(prng);
            wheel.start(entries[index], Instant::at_ms(static_cast<int64_t>(tick)));
            model.start(index, tick);
        } else if (action < 8) {
            wheel.stop(entries[index]);
            model.stop(index);
        } else {
            if (!prng.chance(0.1)) now_ms += random_span(prng) >> prng.below(37);
            const Instant now = Instant::at_ms(static_cast<int64_t>(now_ms));
            std::map<uint32_t, uint64_t> due = model.take_due(now_ms);
            wheel.advance(now, [&](TimerEntry& entry) {
                const auto found = due.find(static_cast<uint32_t>(&entry - entries.data()));
                REQUIRE(found != due.end());
                due.erase(found);
            });
            REQUIRE(due.empty());
            REQUIRE(wheel.next_deadline() > now);
        }
        REQUIRE(wheel.started_count() == model.count());
        const uint64_t earliest = model.earliest();
        const Instant next = wheel.next_deadline();
        if (earliest == UINT64_MAX)
            REQUIRE(next == Instant::never());
        else
            REQUIRE(next <= Instant::at_ms(static_cast<int64_t>(std::max(earliest, now_ms))));
    }
}

}  // namespace

TEST_CASE("timer wheel: random starts, stops and jumps agree with a naive model") {
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        compare_with_model(seed);
    }
}

TEST_CASE("timer wheel: random work from inside fire keeps every entry fired once and in order") {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        Prng prng(seed);
        uint64_t now_ms = 1000;
        TimerWheel wheel(Instant::at_ms(1000));
        std::vector<TimerEntry> entries(64);
        std::vector<uint64_t> deadline(64, 0);
        uint64_t last_tick = 0;
        uint64_t fired = 0;
        const auto start = [&](uint32_t index) {
            deadline[index] = last_tick + 1 + random_span(prng) % 100'000;
            wheel.start(entries[index], Instant::at_ms(static_cast<int64_t>(deadline[index])));
        };
        last_tick = now_ms;
        for (uint32_t index = 0; index < 64; ++index) start(index);
        while (fired < 3000) {
            now_ms += 1 + random_span(prng) % 50'000;
            wheel.advance(Instant::at_ms(static_cast<int64_t>(now_ms)), [&](TimerEntry& entry) {
                const auto index = static_cast<uint32_t>(&entry - entries.data());
                REQUIRE(deadline[index] >= last_tick);
                REQUIRE(deadline[index] <= now_ms);
                last_tick = deadline[index];
                ++fired;
                start(index);
                const uint32_t other = prng.below(64);
                if (prng.chance(0.3)) start(other);
            });
            for (uint32_t index = 0; index < 64; ++index) REQUIRE(deadline[index] > now_ms);
            last_tick = now_ms;
        }
        CHECK(wheel.started_count() == 64);
    }
}

TEST_CASE("timer wheel: two million timers fire exactly once each") {
    constexpr uint32_t count = 2'000'000;
    constexpr uint32_t span_ms = 600'000;
    auto entries = std::make_unique<TimerEntry[]>(count);
    TimerWheel wheel(Instant::at_ms(1));
    Prng prng(3);
    for (uint32_t index = 0; index < count; ++index) {
        wheel.start(entries[index], Instant::at_ms(1 + prng.below(span_ms)));
    }
    CHECK(wheel.started_count() == count);
    for (uint32_t index = 0; index < count; index += 4) wheel.stop(entries[index]);
    uint64_t fired = 0;
    uint64_t last_ms = 0;
    bool ordered = true;
    for (int64_t now_ms = 1; now_ms <= 1 + span_ms; now_ms += 250) {
        wheel.advance(Instant::at_ms(now_ms), [&](TimerEntry& entry) {
            ++fired;
            const uint64_t deadline_ms = entry.deadline_ms;
            ordered =
                ordered && deadline_ms >= last_ms && deadline_ms <= static_cast<uint64_t>(now_ms);
            last_ms = deadline_ms;
        });
    }
    CHECK(ordered);
    CHECK(fired == count - count / 4);
    CHECK(wheel.started_count() == 0);
}
