// A shard's loop as JSON.
#include "admin/loop_json.h"

#include <doctest/doctest.h>

#include "broker/mail.h"
#include "broker/mqtt_connection.h"
#include "net/transport.h"

using namespace millrace;

namespace {

constexpr WallTime loop_noon{Instant::at_ms(60'000), 1'764'500'000.5};

}  // namespace

TEST_CASE("loop as JSON: a histogram has the counters that aren't empty, with inclusive bounds") {
    DurationHistogram histogram;
    CHECK(delivery_json(histogram) == R"({"count":0,"sum":0,"max":0,"buckets":[]})");
    histogram.add(1'500);
    histogram.add(2'000, 3);
    histogram.add(100'100);
    CHECK(delivery_json(histogram) ==
          R"({"count":5,"sum":107,"max":101,"buckets":[[2,4],[112,1]]})");
    CountHistogram counts;
    counts.add(1'000'000);
    CHECK(histogram_json(counts.view(), 1) ==
          R"({"count":1,"sum":1000000,"max":1000000,"buckets":[[1000000,1]]})");
}

TEST_CASE("loop as JSON: before the first turn there's no stall") {
    const LoopFigures loop;
    CHECK(loop_json(loop, loop_noon) ==
          R"({"turns":0,"busy_turns":0,"sleeps":0,"busy_seconds":0.000000,)"
          R"("turn_us":{"count":0,"sum":0,"max":0,"buckets":[]},)"
          R"("events_per_turn":{"count":0,"sum":0,"max":0,"buckets":[]},)"
          R"("mails_per_turn":{"count":0,"sum":0,"max":0,"buckets":[]},)"
          R"("longest_stall":null,"longest_stall_recent":null})");
}

TEST_CASE("loop as JSON: stalls say when, how long, where and what") {
    LoopFigures loop;
    loop.turns.add(7);
    loop.sleeps.add(3);
    loop.turn.add(12'345'678);
    loop.longest.put({.length = Duration::us(12'345), .ended = Instant::at_ms(59'000),
                      .phase = LoopPhase::events,
                      .event_kind = static_cast<uint8_t>(Event::Kind::received), .events = 3});
    loop.longest_previous.put({.length = Duration::us(200), .ended = Instant::at_ms(50'000),
                               .phase = LoopPhase::flush});
    loop.longest_current.put({.length = Duration::us(100), .ended = Instant::at_ms(59'500),
                              .phase = LoopPhase::mail});
    const std::string text = loop_json(loop, loop_noon);
    CHECK(text.starts_with(R"({"turns":7,"busy_turns":1,"sleeps":3,"busy_seconds":0.012346,)"));
    CHECK(text.ends_with(R"("longest_stall":{"us":12345,"time":1764499999.500,"phase":"events",)"
                         R"("what":"3 events, the last: received"},)"
                         R"("longest_stall_recent":{"us":200,"time":1764499990.500,)"
                         R"("phase":"flush","what":"no event, mail or timer"}})"));
    loop.longest_current.put({.length = Duration::us(300), .ended = Instant::at_ms(59'500),
                              .phase = LoopPhase::mail});
    CHECK(recent_stall(loop)->phase == LoopPhase::mail);
    loop.longest_current.clear();
    CHECK(recent_stall(loop)->phase == LoopPhase::flush);
}

TEST_CASE("loop as JSON: every kind of event, mail and timer has a word") {
    Stall stall{.length = Duration::us(1), .ended = {}, .phase = LoopPhase::mail};
    stall.events = 1;
    stall.mails = 2;
    stall.timers = 1;
    stall.mail_kind = static_cast<uint8_t>(MailKind::deliver);
    stall.timer_kind = static_cast<uint8_t>(TimerKind::session);
    CHECK(stall_text(stall) ==
          "1 event, the last: accepted; 2 mails, the last: deliver; 1 timer, the last: session");
    stall.events = 0;
    stall.timers = 0;
    for (uint8_t kind = 0; kind <= static_cast<uint8_t>(MailKind::drain_mark); ++kind) {
        stall.mail_kind = kind;
        CHECK(stall_text(stall).find("unknown") == std::string::npos);
    }
    stall.mail_kind = 250;
    CHECK(stall_text(stall) == "2 mails, the last: unknown");
}
