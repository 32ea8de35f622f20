// The timer wheel with up to ten million started timers, as a shard with that many keep-alives.
#include <benchmark/benchmark.h>

#include <memory>

#include "base/prng.h"
#include "runtime/timer_wheel.h"

namespace millrace::perf {
namespace {

constexpr Instant start = Instant::at_ms(1'000'000);
constexpr uint32_t keep_alive_ms_max = 600'000;

Instant drawn_deadline(Prng& random, Instant now) {
    return now + Duration::ms(1 + random.below(keep_alive_ms_max));
}

// Timers due over the next ten minutes.
struct Timers {
    explicit Timers(uint32_t timer_count)
        : wheel(start), entries(std::make_unique<TimerEntry[]>(timer_count)), count(timer_count) {
        for (uint32_t index = 0; index < count; ++index) {
            wheel.start(entries[index], drawn_deadline(random, start));
        }
    }
    TimerEntry& any() { return entries[random.below(count)]; }

    TimerWheel wheel;
    std::unique_ptr<TimerEntry[]> entries;
    uint32_t count;
    Prng random{42};
};

void timer_restart(benchmark::State& state) {
    Timers timers(static_cast<uint32_t>(state.range(0)));
    for (auto _ : state) timers.wheel.start(timers.any(), drawn_deadline(timers.random, start));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_restart)->Arg(100'000)->Arg(10'000'000);

void timer_stop_start(benchmark::State& state) {
    Timers timers(static_cast<uint32_t>(state.range(0)));
    for (auto _ : state) {
        TimerEntry& entry = timers.any();
        timers.wheel.stop(entry);
        timers.wheel.start(entry, drawn_deadline(timers.random, start));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_stop_start)->Arg(100'000)->Arg(10'000'000);

// A second of time in steps of a millisecond; what expires starts again. `items` are expiries,
// the cascades of all others included.
void timer_advance_second(benchmark::State& state) {
    Timers timers(static_cast<uint32_t>(state.range(0)));
    Instant now = start;
    int64_t fired = 0;
    for (auto _ : state) {
        for (uint32_t step = 0; step < 1'000; ++step) {
            now = now + Duration::ms(1);
            timers.wheel.advance(now, [&](TimerEntry& entry) {
                ++fired;
                timers.wheel.start(entry, drawn_deadline(timers.random, now));
            });
        }
    }
    state.SetItemsProcessed(fired);
    state.counters["checksum"] = static_cast<double>(timers.wheel.started_count());
}
BENCHMARK(timer_advance_second)->Arg(100'000)->Arg(10'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace millrace::perf
