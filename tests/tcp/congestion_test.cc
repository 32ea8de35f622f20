#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/prng.h"
#include "tcp/congestion.h"

using namespace millrace;

namespace {

constexpr uint32_t mss = 1'000;
constexpr auto cubic = CongestionAlgorithm::cubic;
constexpr auto reno = CongestionAlgorithm::reno;

// A sender that always has more to send, over a path that loses nothing: a window is acknowledged
// each round trip, segment by segment and evenly spread.
struct Flow {
    explicit Flow(CongestionAlgorithm which, Duration round_trip)
        : algorithm(which), rtt(round_trip) {
        window.start(mss);
    }

    void ack(uint32_t bytes) { window.on_ack(algorithm, mss, bytes, true, rtt, now); }
    void slow_start_to(uint32_t bytes) {
        while (window.cwnd() < bytes) ack(std::min(2 * mss, bytes - window.cwnd()));
        REQUIRE(window.cwnd() == bytes);
    }
    void lose() { window.on_loss(algorithm, mss, window.cwnd()); }
    void round() {
        const Instant begin = now;
        const uint32_t segments = window.cwnd() / mss;
        for (uint32_t index = 1; index <= segments; ++index) {
            now = begin + rtt * index / segments;
            ack(mss);
        }
    }
    void rounds(uint32_t count) {
        while (count-- > 0) round();
    }
    double segments() const { return static_cast<double>(window.cwnd()) / mss; }

    CongestionAlgorithm algorithm;
    Duration rtt;
    Congestion window;
    Instant now = Instant::at_ms(5'000);
};

// RFC 9438, Figures 1 and 2, in segments and seconds, with cwnd_epoch = 0.7 * W_max.
double k_of(double w_max) { return std::cbrt(w_max * 0.3 / 0.4); }
double w_cubic(double w_max, double t) { return 0.4 * std::pow(t - k_of(w_max), 3) + w_max; }

}  // namespace

TEST_CASE("congestion: the initial window is the one of RFC 6928") {
    Congestion window;
    window.start(1'460);
    CHECK(window.cwnd() == 14'600);
    window.start(1'000);
    CHECK(window.cwnd() == 10'000);
    window.start(4'000);
    CHECK(window.cwnd() == 14'600);
    window.start(8'960);
    CHECK(window.cwnd() == 17'920);
    CHECK(window.in_slow_start());
}

TEST_CASE("congestion: starting again forgets everything") {
    Flow flow(cubic, Duration::ms(100));
    flow.slow_start_to(50'000);
    flow.lose();
    flow.rounds(5);
    flow.window.start(mss);
    CHECK(flow.window.cwnd() == 10'000);
    CHECK(flow.window.ssthresh() == UINT32_MAX);
}

TEST_CASE("congestion: slow start doubles the window each round trip") {
    for (const auto algorithm : {cubic, reno}) {
        Flow flow(algorithm, Duration::ms(100));
        flow.round();
        CHECK(flow.window.cwnd() == 20'000);
        flow.round();
        CHECK(flow.window.cwnd() == 40'000);
    }
}

TEST_CASE("congestion: slow start counts two segments of an acknowledgement at most") {
    Flow flow(reno, Duration::ms(100));
    flow.ack(8 * mss);
    CHECK(flow.window.cwnd() == 12'000);
    flow.ack(300);
    CHECK(flow.window.cwnd() == 12'300);
}

TEST_CASE("congestion: a window that didn't limit the sender doesn't grow") {
    for (const auto algorithm : {cubic, reno}) {
        Flow flow(algorithm, Duration::ms(100));
        const auto idle_acks = [&] {
            const uint32_t before = flow.window.cwnd();
            for (int index = 0; index < 1'000; ++index) {
                flow.now = flow.now + Duration::ms(10);
                flow.window.on_ack(algorithm, mss, mss, false, flow.rtt, flow.now);
            }
            CHECK(flow.window.cwnd() == before);
        };
        idle_acks();
        flow.slow_start_to(40'000);
        flow.lose();
        flow.round();
        idle_acks();
    }
}

TEST_CASE("congestion: slow start ends at the threshold and the rest counts for avoidance") {
    Flow flow(reno, Duration::ms(100));
    flow.window.on_timeout(reno, mss, 10'000, true);
    REQUIRE(flow.window.ssthresh() == 5'000);
    for (int index = 0; index < 2; ++index) flow.ack(1'900);
    REQUIRE(flow.window.cwnd() == 4'800);
    flow.ack(1'900);  // 200 to the threshold, 1700 for avoidance
    CHECK(flow.window.cwnd() == 5'000);
    flow.ack(3'299);
    CHECK(flow.window.cwnd() == 5'000);
    flow.ack(1);
    CHECK(flow.window.cwnd() == 6'000);
}

TEST_CASE("congestion: the window never passes what TCP can announce") {
    for (const auto algorithm : {cubic, reno}) {
        Congestion window;
        window.start(65'000);
        for (int index = 0; index < 20'000; ++index) {
            window.on_ack(algorithm, 65'000, 130'000, true, Duration::ms(1), Instant::at_ms(1));
        }
        CHECK(window.cwnd() == Congestion::cwnd_max);
        window.on_loss(algorithm, 65'000, UINT32_MAX);
        CHECK(window.cwnd() < Congestion::cwnd_max);
        for (int round = 0; round < 40; ++round) {
            window.on_ack(algorithm, 65'000, UINT32_MAX / 2, true, Duration::ms(1),
                          Instant::at_ms(1 + round * 10'000));
        }
        CHECK(window.cwnd() <= Congestion::cwnd_max);
    }
}

TEST_CASE("congestion: the restart after idleness has at most the initial window") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(80'000);
    flow.lose();
    flow.window.on_idle(mss);
    CHECK(flow.window.cwnd() == 10'000);
    CHECK(flow.window.ssthresh() == 40'000);
    CHECK(flow.window.in_slow_start());

    flow.window.on_timeout(reno, mss, 10'000, true);
    flow.window.on_idle(mss);
    CHECK(flow.window.cwnd() == mss);
}

TEST_CASE("congestion: smaller segments before the first loss begin with their initial window") {
    Congestion window;
    window.start(8'960);
    REQUIRE(window.cwnd() == 17'920);
    window.on_mss(536);
    CHECK(window.cwnd() == 5'360);
    CHECK(window.ssthresh() == UINT32_MAX);
}

TEST_CASE("congestion: longer segments never leave less than one in the window") {
    Congestion window;
    window.start(536);
    window.on_timeout(reno, 536, 5'360, true);
    REQUIRE(window.cwnd() == 536);
    window.on_mss(8'960);
    CHECK(window.cwnd() == 8'960);
    CHECK(window.ssthresh() == 17'920);
}

TEST_CASE("congestion: a timeout leaves one segment and lowers the threshold") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(40'000);
    flow.window.on_timeout(reno, mss, 30'000, true);
    CHECK(flow.window.cwnd() == mss);
    CHECK(flow.window.ssthresh() == 15'000);

    Flow other(cubic, Duration::ms(100));
    other.slow_start_to(40'000);
    other.window.on_timeout(cubic, mss, 30'000, true);
    CHECK(other.window.cwnd() == mss);
    CHECK(other.window.ssthresh() == 21'000);
}

TEST_CASE("congestion: the same segment's next timeout leaves the threshold") {
    for (const auto algorithm : {cubic, reno}) {
        Flow flow(algorithm, Duration::ms(100));
        flow.slow_start_to(40'000);
        flow.window.on_timeout(algorithm, mss, 40'000, true);
        const uint32_t threshold = flow.window.ssthresh();
        flow.window.on_timeout(algorithm, mss, 40'000, false);
        flow.window.on_timeout(algorithm, mss, 40'000, false);
        CHECK(flow.window.ssthresh() == threshold);
        CHECK(flow.window.cwnd() == mss);
    }
}

TEST_CASE("congestion: the threshold is never below two segments") {
    for (const auto algorithm : {cubic, reno}) {
        Flow flow(algorithm, Duration::ms(100));
        flow.window.on_loss(algorithm, mss, 500);
        CHECK(flow.window.ssthresh() == 2 * mss);
        CHECK(flow.window.cwnd() == 2 * mss);
        flow.window.on_timeout(algorithm, mss, 0, true);
        CHECK(flow.window.ssthresh() == 2 * mss);
    }
}

TEST_CASE("congestion: more in flight than the window doesn't raise the threshold") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(20'000);
    flow.window.on_loss(reno, mss, 22'000);
    CHECK(flow.window.ssthresh() == 10'000);
}

TEST_CASE("congestion: after a timeout an acknowledgement adds one segment, up to the threshold") {
    Flow flow(reno, Duration::ms(100));
    flow.window.on_timeout(reno, mss, 8'000, true);
    flow.window.on_recovery_ack(mss, 7 * mss);
    CHECK(flow.window.cwnd() == 2'000);
    flow.window.on_recovery_ack(mss, 400);
    CHECK(flow.window.cwnd() == 2'400);
    for (int index = 0; index < 10; ++index) flow.window.on_recovery_ack(mss, mss);
    CHECK(flow.window.cwnd() == 4'000);
}

TEST_CASE("congestion: an acknowledgement in fast recovery doesn't grow the window") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(20'000);
    flow.lose();
    flow.window.on_recovery_ack(mss, 5 * mss);
    CHECK(flow.window.cwnd() == 10'000);
}

TEST_CASE("reno: a loss halves the window, and each round trip adds a segment: a sawtooth") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(20'000);
    for (int tooth = 0; tooth < 3; ++tooth) {
        flow.lose();
        CHECK(flow.window.cwnd() == 10'000);
        for (uint32_t round = 1; round <= 10; ++round) {
            flow.round();
            CHECK(flow.window.cwnd() == 10'000 + round * mss);
        }
    }
}

TEST_CASE("reno: a peer that divides its acknowledgements gains nothing") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(20'000);
    flow.lose();
    for (int byte = 0; byte < 9'999; ++byte) flow.ack(1);
    CHECK(flow.window.cwnd() == 10'000);
    flow.ack(1);
    CHECK(flow.window.cwnd() == 11'000);
}

TEST_CASE("reno: one acknowledgement of several windows adds a single segment") {
    Flow flow(reno, Duration::ms(100));
    flow.slow_start_to(20'000);
    flow.lose();
    flow.ack(95'000);
    CHECK(flow.window.cwnd() == 11'000);
}

TEST_CASE("cubic: a loss leaves seven tenths of the window") {
    Flow flow(cubic, Duration::ms(100));
    flow.slow_start_to(100'000);
    flow.lose();
    CHECK(flow.window.ssthresh() == 70'000);
    CHECK(flow.window.cwnd() == 70'000);
}

TEST_CASE("cubic: the window follows the closed formula, before and after K") {
    Flow flow(cubic, Duration::ms(100));
    flow.slow_start_to(200'000);
    flow.lose();
    const Instant begin = flow.now;
    while (flow.now - begin < Duration::s(9)) {
        flow.round();
        const double t = (flow.now - begin).seconds();
        CAPTURE(t);
        // The target is a round trip ahead; how much of the way a round trip goes lies between
        // nothing and all of it.
        REQUIRE(flow.segments() >= w_cubic(200, t - 0.2) - 0.5);
        REQUIRE(flow.segments() <= w_cubic(200, t + 0.1) + 0.5);
    }
    CHECK(w_cubic(200, 9) > 220);  // so the convex part was seen
}

TEST_CASE("cubic: at K the window is back where the loss was") {
    for (const uint32_t segments : {100u, 400u, 1'000u}) {
        CAPTURE(segments);
        Flow flow(cubic, Duration::ms(200));
        flow.slow_start_to(segments * mss);
        flow.lose();
        const double k = k_of(segments);
        const Instant begin = flow.now;
        while ((flow.now - begin).seconds() < k / 2) flow.round();
        CHECK(flow.segments() == doctest::Approx(w_cubic(segments, k / 2)).epsilon(0.02));
        while ((flow.now - begin).seconds() < k) flow.round();
        CHECK(flow.segments() == doctest::Approx(segments).epsilon(0.005));
    }
}

TEST_CASE("cubic: a round trip grows the window by a half at most") {
    Flow flow(cubic, Duration::ms(100));
    flow.slow_start_to(20'000);
    flow.lose();
    flow.ack(1);  // the epoch begins
    flow.now = flow.now + Duration::s(60);
    const uint32_t before = flow.window.cwnd();
    flow.ack(before);
    CHECK(flow.window.cwnd() == before + before / 2);
}

TEST_CASE("cubic: on a short path it grows as fast as Reno would on average") {
    Flow flow(cubic, Duration::ms(2));
    flow.slow_start_to(40'000);
    flow.lose();
    REQUIRE(flow.window.cwnd() == 28'000);
    // Nine seventeenths of a segment a round trip until the old window is reached, which is
    // 12 * 17 / 9 = 22.7 of them; then a whole one. K is 3.1 s, so the curve itself stands still.
    flow.rounds(17);
    CHECK(flow.segments() == doctest::Approx(37).epsilon(0.01));
    flow.rounds(6);
    const double reached = flow.segments();
    CHECK(reached == doctest::Approx(40).epsilon(0.01));
    flow.rounds(10);
    CHECK(flow.segments() - reached == doctest::Approx(10).epsilon(0.05));
}

TEST_CASE("cubic: a huge window grows as Reno does though no acknowledgement makes a byte of it") {
    Flow flow(cubic, Duration::ms(1));
    flow.slow_start_to(100'000'000);
    flow.window.on_timeout(cubic, mss, 100'000'000, true);
    flow.slow_start_to(70'000'000);
    flow.rounds(20);  // K = 0, so the curve itself stands still
    CHECK(flow.segments() - 70'000 == doctest::Approx(20 * 9.0 / 17).epsilon(0.05));
}

TEST_CASE("cubic: growth of less than a byte an acknowledgement isn't lost") {
    Flow flow(cubic, Duration::ms(1));
    flow.slow_start_to(100'000'000);
    flow.lose();
    flow.rounds(20);  // 2.1 segments a round trip, of 70,000 acknowledgements
    CHECK(flow.segments() >= w_cubic(100'000, 0.02 - 0.002));
}

TEST_CASE("cubic: a huge window follows the closed formula") {
    Flow flow(cubic, Duration::ms(20));
    flow.slow_start_to(100'000'000);
    flow.lose();
    flow.rounds(50);
    CHECK(flow.segments() >= w_cubic(100'000, 1 - 0.02));
    CHECK(flow.segments() <= w_cubic(100'000, 1 + 0.02));
}

TEST_CASE("cubic: a second loss below the last maximum makes room for others") {
    Flow flow(cubic, Duration::ms(300));
    flow.slow_start_to(100'000);
    flow.lose();
    flow.lose();  // at 70, below 100: W_max is 70 * 0.85 = 59.5, cwnd 49
    REQUIRE(flow.window.cwnd() == 49'000);
    const double k = std::cbrt((59.5 - 49) / 0.4);
    const Instant begin = flow.now;
    while ((flow.now - begin).seconds() < k) flow.round();
    CHECK(flow.segments() == doctest::Approx(59.5).epsilon(0.02));
}

TEST_CASE("cubic: after a timeout the curve begins where slow start has ended") {
    Flow flow(cubic, Duration::ms(200));
    flow.slow_start_to(100'000);
    flow.window.on_timeout(cubic, mss, 100'000, true);
    flow.slow_start_to(70'000);
    const Instant begin = flow.now;
    while ((flow.now - begin).seconds() < 5) flow.round();
    // K = 0 and W_max = 70: 70 + 0.4 * t^3.
    const double t = (flow.now - begin).seconds();
    CHECK(flow.segments() >= 70 + 0.4 * std::pow(t - 0.4, 3));
    CHECK(flow.segments() <= 70 + 0.4 * std::pow(t + 0.2, 3));
}

TEST_CASE("cubic: time in which the application was the limit doesn't count") {
    Flow busy(cubic, Duration::ms(100));
    Flow pausing(cubic, Duration::ms(100));
    for (Flow* flow : {&busy, &pausing}) {
        flow->slow_start_to(100'000);
        flow->lose();
        flow->rounds(10);
    }
    for (int second = 0; second < 50; ++second) {
        pausing.window.on_ack(cubic, mss, mss, false, pausing.rtt, pausing.now);
        pausing.now = pausing.now + Duration::s(1);
    }
    for (int index = 0; index < 40; ++index) {
        busy.round();
        pausing.round();
        // The first acknowledgement resumes at once rather than a fiftieth of a round trip later.
        REQUIRE(pausing.segments() == doctest::Approx(busy.segments()).epsilon(0.002));
    }
}

TEST_CASE("cubic: an idle time begins a new epoch") {
    Flow flow(cubic, Duration::ms(100));
    flow.slow_start_to(100'000);
    flow.lose();
    flow.rounds(5);
    flow.window.on_idle(mss);
    flow.now = flow.now + Duration::s(600);
    REQUIRE(flow.window.cwnd() == 10'000);
    flow.slow_start_to(70'000);
    const double k = k_of(100);
    const Instant begin = flow.now;
    while ((flow.now - begin).seconds() < k) flow.round();
    CHECK(flow.segments() == doctest::Approx(100).epsilon(0.01));
}

TEST_CASE("cubic: the shard's clock may wrap within an epoch") {
    Flow plain(cubic, Duration::ms(100));
    Flow wrapping(cubic, Duration::ms(100));
    wrapping.now = Instant::at_ms((int64_t{1} << 32) - 3'000);
    for (Flow* flow : {&plain, &wrapping}) {
        flow->slow_start_to(100'000);
        flow->lose();
        flow->rounds(60);
    }
    CHECK(plain.window.cwnd() == wrapping.window.cwnd());
}

TEST_CASE("congestion: no series of events takes the window out of its bounds") {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        Prng prng(seed);
        const auto algorithm = seed % 2 == 0 ? cubic : reno;
        uint32_t segment = 64 + prng.below(9'000);
        Congestion window;
        window.start(segment);
        int64_t now_ms = static_cast<int64_t>(prng.next() >> 24);
        for (int step = 0; step < 3'000; ++step) {
            now_ms += prng.chance(0.01) ? prng.below(100'000'000) : prng.below(50);
            const Instant now = Instant::at_ms(now_ms);
            const uint32_t bytes = prng.chance(0.1) ? static_cast<uint32_t>(prng.next() >> 32)
                                                    : prng.below(4 * segment);
            const uint32_t pick = prng.below(100);
            if (pick < 1) window.on_loss(algorithm, segment, bytes);
            else if (pick < 2) window.on_timeout(algorithm, segment, bytes, bytes % 2 == 0);
            else if (pick < 3) window.on_idle(segment);
            else if (pick < 4) window.on_mss(segment = 64 + prng.below(9'000));
            else if (pick < 10) window.on_recovery_ack(segment, bytes);
            else window.on_ack(algorithm, segment, bytes, pick < 80, Duration::ms(bytes % 900),
                               now);
            REQUIRE(window.cwnd() >= segment);
            REQUIRE(window.cwnd() <= Congestion::cwnd_max);
            REQUIRE(window.ssthresh() >= 2 * segment);
        }
    }
}
