// The shard loop's figures: a network, an application and clocks by script.
#include "runtime/shard_loop.h"

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <thread>
#include <vector>

using namespace millrace;

namespace {

// Time that the script moves. Ticks go on with it, three a nanosecond, from anywhere.
struct FakeClock {
    static inline Instant time;
    static Instant now() { return time; }
    static uint64_t ticks() { return static_cast<uint64_t>(time.nanoseconds) * 3 - 1'000; }
    static void pass(Duration span) { time = time + span; }
};

struct FakeEvent {
    uint8_t kind;
};

// A turn of the script: what poll does and gives, and how long each part takes.
struct Turn {
    Duration poll{};          // that poll works
    Duration wait{};          // and waits afterwards
    uint32_t events = 0;
    Duration event{};         // each
    Duration end{};           // end_turn
    Duration flush{};
    Duration admin{};         // that begin_turn works for the admin side
};

struct Script {
    std::deque<Turn> turns;
    Turn at_hand;
};

struct FakeNet {
    Script& script;
    std::vector<FakeEvent> events;
    Instant waited = Instant::never();
    std::vector<Instant> waits_until{};

    std::span<const FakeEvent> poll(Instant wait_until) {
        waits_until.push_back(wait_until);
        if (!script.turns.empty()) {
            script.at_hand = script.turns.front();
            script.turns.pop_front();
        }
        FakeClock::pass(script.at_hand.poll);
        waited = script.at_hand.wait > Duration{} ? FakeClock::time : Instant::never();
        FakeClock::pass(script.at_hand.wait);
        events.assign(script.at_hand.events, FakeEvent{2});
        return events;
    }
    Instant waited_since() const { return waited; }
    void flush(Instant) { FakeClock::pass(script.at_hand.flush); }
};

struct FakeApp {
    Script& script;
    Duration mail{};       // each
    Duration timer{};      // each
    std::vector<Instant> ends;

    bool begin_turn(Instant) {
        FakeClock::pass(script.at_hand.admin);
        return script.at_hand.admin > Duration{};
    }
    void on_event(const FakeEvent&) { FakeClock::pass(script.at_hand.event); }
    void on_mail(uint32_t, Bytes) { FakeClock::pass(mail); }
    void on_timer(TimerEntry&) { FakeClock::pass(timer); }
    void end_turn(Instant) { FakeClock::pass(script.at_hand.end); }
    void turn_ended(Instant end) { ends.push_back(end); }
    bool finished() const { return script.turns.empty(); }
};

constexpr Instant start = Instant::at_ms(1'000'000);

struct LoopFixture {
    LoopFixture() : mesh(make_mesh()), mailbox(*mesh, 0), other(*mesh, 1), wheel(start) {
        FakeClock::time = start;
    }
    static std::unique_ptr<MailMesh> make_mesh() {
        auto mesh = MailMesh::create(2, 65'536);
        REQUIRE(mesh.has_value());
        return std::move(*mesh);
    }
    // Ends with a turn that does nothing, so that the one before is counted.
    void run(std::deque<Turn> turns) {
        script.turns = std::move(turns);
        script.turns.push_back({});
        run_shard<FakeClock>(net, app, mailbox, wheel, IdleOptions{},
                             LoopWatch(figures, FakeClock::now(), FakeClock::ticks()));
    }
    void post_mail(uint8_t kind) {
        other.reserve(0, 8)[0] = kind;
        other.post();
        other.flush(FakeClock::time);
    }

    Script script;
    FakeNet net{script, {}, Instant::never(), {}};
    FakeApp app{script, {}, {}, {}};
    std::unique_ptr<MailMesh> mesh;
    Mailbox mailbox;
    Mailbox other;
    TimerWheel wheel;
    LoopFigures figures;
};

}  // namespace

TEST_CASE("after mail that had waited left, the loop looks again before it sleeps") {
    LoopFixture fixture;
    while (fixture.mailbox.overflow_bytes_total() == 0) {
        fixture.mailbox.reserve(1, 1'000)[0] = 1;
        fixture.mailbox.post();
    }
    fixture.mailbox.flush(start);
    REQUIRE(fixture.mailbox.overflow_bytes_total() > 0);
    while (fixture.other.has_mail()) fixture.other.drain(start, 65'536, [](uint32_t, Bytes) {});
    fixture.run({{}, {}});
    REQUIRE(fixture.net.waits_until.size() == 3);
    CHECK(fixture.mailbox.overflow_bytes_total() == 0);
    CHECK(fixture.net.waits_until[0] == start);  // there was room for it
    CHECK(fixture.net.waits_until[1] == start);
    CHECK(fixture.net.waits_until[2] > start);
}

TEST_CASE("loop figures: a turn lasts until the network waits, its own work included") {
    LoopFixture fixture;
    fixture.run({{.wait = Duration::ms(5), .events = 4, .event = Duration::us(10),
                  .end = Duration::us(3), .flush = Duration::us(7)},
                 {.poll = Duration::us(50), .wait = Duration::ms(900)}});
    const HistogramView turn = fixture.figures.turn.view();
    CHECK(turn.count() == 1);
    CHECK(turn.sum == 100'000);
    CHECK(turn.max == 100'000);
    CHECK(fixture.figures.turns.read() == 3);
    CHECK(fixture.figures.sleeps.read() == 2);
    const HistogramView events = fixture.figures.events.view();
    CHECK(events.count() == 1);
    CHECK(events.sum == 4);
    CHECK(fixture.figures.mails.view().count() == 0);
}

TEST_CASE("loop figures: without a wait a turn lasts until poll has returned") {
    LoopFixture fixture;
    fixture.run({{.events = 1, .event = Duration::us(10)},
                 {.poll = Duration::us(20), .events = 1, .event = Duration::us(5)},
                 {.poll = Duration::us(30)}});
    CHECK(fixture.figures.turn.view().sum == 65'000);
    CHECK(fixture.figures.turn.view().max == 35'000);
    CHECK(fixture.figures.sleeps.read() == 0);
    // Of the moment before the first turn, and of those after.
    REQUIRE(fixture.app.ends.size() == 4);
    CHECK(fixture.app.ends[1] == start + Duration::us(30));
    CHECK(fixture.app.ends[2] == start + Duration::us(65));
}

TEST_CASE("loop figures: turns that only look for work aren't busy") {
    LoopFixture fixture;
    fixture.run(std::deque<Turn>(20, {.poll = Duration::us(1)}));
    CHECK(fixture.figures.turns.read() == 21);
    CHECK(fixture.figures.turn.view().count() == 0);
}

TEST_CASE("loop figures: the longest stall says which phase took it, and what ran") {
    LoopFixture fixture;
    fixture.app.mail = Duration::us(400);
    fixture.app.timer = Duration::us(1);
    TimerEntry timer;
    timer.kind = 3;
    fixture.wheel.start(timer, start);
    fixture.post_mail(9);
    fixture.post_mail(5);
    fixture.run({{.events = 3, .event = Duration::us(100), .end = Duration::us(50),
                  .flush = Duration::us(200)},
                 {.poll = Duration::us(10)}});
    const auto stall = fixture.figures.longest.read();
    REQUIRE(stall.has_value());
    CHECK(*stall == Stall{.length = Duration::us(1'361), .ended = start + Duration::us(1'361),
                          .phase = LoopPhase::mail, .event_kind = 2, .mail_kind = 5,
                          .timer_kind = 3, .events = 3, .mails = 2, .timers = 1});
    CHECK(fixture.figures.longest_current.read() == stall);
    CHECK_FALSE(fixture.figures.longest_previous.read().has_value());
    CHECK(fixture.figures.mails.view().sum == 2);
}

TEST_CASE("loop figures: each phase can be the longest") {
    const auto phase_of = [](const Turn& turn, Duration timer_span) {
        LoopFixture fixture;
        fixture.app.timer = timer_span;
        TimerEntry timer;
        if (timer_span > Duration{}) fixture.wheel.start(timer, start);
        fixture.run({turn, {.poll = Duration::us(1)}});
        return fixture.figures.longest.read()->phase;
    };
    const Duration one = Duration::us(10);
    CHECK(phase_of({.events = 1, .event = one}, {}) == LoopPhase::events);
    CHECK(phase_of({.events = 1, .event = one}, one * 2) == LoopPhase::timers);
    CHECK(phase_of({.events = 1, .event = one, .flush = one * 2}, {}) == LoopPhase::flush);
    CHECK(phase_of({.events = 1, .event = one, .end = one * 2}, {}) == LoopPhase::flush);
    CHECK(phase_of({.events = 1, .event = one, .admin = one * 2}, {}) == LoopPhase::admin);
    CHECK(phase_of({.events = 1, .event = one * 3, .admin = one * 2}, {}) == LoopPhase::events);
    CHECK(phase_of({.admin = one}, {}) == LoopPhase::admin);
}

TEST_CASE("loop figures: a longer wait after a stall doesn't change which phase it was") {
    LoopFixture fixture;
    fixture.run({{.events = 1, .event = Duration::ms(30)},
                 {.poll = Duration::ms(1), .wait = Duration::ms(800)}});
    const auto stall = fixture.figures.longest.read();
    REQUIRE(stall.has_value());
    CHECK(stall->length == Duration::ms(31));
    CHECK(stall->phase == LoopPhase::events);
}

TEST_CASE("loop figures: the longest of these ten minutes, of those before, and of all") {
    LoopFixture fixture;
    const auto busy = [](int64_t ms) {
        return Turn{.wait = Duration::ms(1), .events = 1, .event = Duration::ms(ms)};
    };
    const Turn pause{.wait = LoopWatch::window};
    fixture.run({busy(50), busy(20), pause, busy(30), busy(10), pause});
    CHECK(fixture.figures.longest.read()->length == Duration::ms(50));
    CHECK(fixture.figures.longest_previous.read()->length == Duration::ms(30));
    CHECK_FALSE(fixture.figures.longest_current.read().has_value());
}

TEST_CASE("stall: whoever reads while it's written gets one stall whole") {
    StallBox box;
    std::atomic<bool> done{false};
    std::thread writer([&] {
        for (uint32_t number = 1; number <= 200'000; ++number) {
            box.put({.length = Duration::ns(number), .ended = {number}, .phase = LoopPhase::timers,
                     .timer_kind = static_cast<uint8_t>(number), .events = number, .mails = number,
                     .timers = number});
        }
        done = true;
    });
    while (!done) {
        const auto stall = box.read();
        if (!stall) continue;
        const uint32_t number = stall->events;
        REQUIRE(stall->length == Duration::ns(number));
        REQUIRE(stall->ended == Instant{number});
        REQUIRE(stall->mails == number);
        REQUIRE(stall->timers == number);
        REQUIRE(stall->timer_kind == static_cast<uint8_t>(number));
    }
    writer.join();
    CHECK(box.read()->events == 200'000);
    box.clear();
    CHECK_FALSE(box.read().has_value());
}
