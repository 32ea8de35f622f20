#include <optional>

#include <doctest/doctest.h>

#include "base/prng.h"
#include "flow_keys.h"
#include "tcp/syn_cookie.h"

using namespace millrace;
using millrace::test::flow_from_port;

namespace {

constexpr SipKey cookie_secret{.low = 0x0123456789abcdefu, .high = 0xfedcba9876543210u};
constexpr Instant minute_start = Instant::at_ms(777 * 60'000);
constexpr uint32_t offset = 0xfff00123u;  // so that the 4-tuple's clock wraps

FlowKey cookie_flow() { return flow_from_port(40'000); }

uint32_t timestamp_at(Instant now) { return static_cast<uint32_t>(now.to_ms()) + offset; }

Segment syn_with(const TcpOptions& options) {
    Segment syn;
    syn.seq = {0xfffffff0u};
    syn.flags = tcp_flag::syn;
    syn.options = options;
    return syn;
}

Segment syn_of_mss(uint16_t mss) {
    TcpOptions options;
    options.mss = mss;
    return syn_with(options);
}

Segment modern_syn() {
    TcpOptions options;
    options.mss = 1460;
    options.has_window_scale = true;
    options.window_scale = 7;
    options.sack_permitted = true;
    options.has_timestamps = true;
    options.timestamp_value = 5'000;
    return syn_with(options);
}

// The ACK with which a well-behaved peer completes the handshake.
Segment ack_for(const Segment& syn, const SynCookies::Cookie& cookie) {
    Segment ack;
    ack.seq = syn.seq + 1;
    ack.ack = cookie.iss + 1;
    ack.flags = tcp_flag::ack;
    ack.options.has_timestamps = syn.options.has_timestamps;
    ack.options.timestamp_value = syn.options.timestamp_value + 10;
    ack.options.timestamp_echo = cookie.timestamp_value;
    return ack;
}

SynCookies::Cookie make(const Segment& syn, Instant now) {
    return SynCookies(cookie_secret).make(cookie_flow(), syn, now, timestamp_at(now));
}

std::optional<Handshake> check(const Segment& ack, Instant now) {
    return SynCookies(cookie_secret).check(cookie_flow(), ack, now, offset);
}

}  // namespace

TEST_CASE("syn cookie: with timestamps everything that was agreed comes back") {
    const Segment syn = modern_syn();
    const SynCookies::Cookie cookie = make(syn, minute_start);
    const auto handshake = check(ack_for(syn, cookie), minute_start + Duration::ms(30));
    REQUIRE(handshake.has_value());
    CHECK(handshake->iss == cookie.iss);
    CHECK(handshake->irs == syn.seq);
    CHECK(handshake->peer_mss == 1460);
    CHECK(handshake->has_window_scale);
    CHECK(handshake->send_scale == 7);
    CHECK(handshake->has_sack);
    CHECK(handshake->has_timestamps);
    CHECK(handshake->timestamp_recent == 5'010);
    CHECK(handshake->timestamp_offset == offset);
}

TEST_CASE("syn cookie: without timestamps the MSS alone comes back") {
    Segment syn = modern_syn();
    syn.options.has_timestamps = false;
    const auto handshake = check(ack_for(syn, make(syn, minute_start)), minute_start);
    REQUIRE(handshake.has_value());
    CHECK(handshake->peer_mss == 1460);
    CHECK(!handshake->has_window_scale);
    CHECK(handshake->send_scale == 0);
    CHECK(!handshake->has_sack);
    CHECK(!handshake->has_timestamps);
}

TEST_CASE("syn cookie: every window scale and none of them, with SACK and without") {
    for (uint32_t scale = 0; scale <= 15; ++scale) {
        for (const bool sack : {false, true}) {
            CAPTURE(scale);
            CAPTURE(sack);
            Segment syn = modern_syn();
            syn.options.has_window_scale = scale != 15;
            syn.options.window_scale = static_cast<uint8_t>(scale % 15);
            syn.options.sack_permitted = sack;
            const auto handshake = check(ack_for(syn, make(syn, minute_start)), minute_start);
            REQUIRE(handshake.has_value());
            CHECK(handshake->has_window_scale == (scale != 15));
            CHECK(handshake->send_scale == scale % 15);
            CHECK(handshake->has_sack == sack);
        }
    }
}

TEST_CASE("syn cookie: the MSS is the largest class that isn't above the peer's") {
    struct Row {
        uint16_t offered;
        uint16_t taken;
    };
    for (const Row row : {Row{0, 536}, Row{100, 536}, Row{536, 536}, Row{1219, 536},
                          Row{1220, 1220}, Row{1399, 1300}, Row{1439, 1400}, Row{1459, 1440},
                          Row{1460, 1460}, Row{4311, 1460}, Row{8959, 4312}, Row{8960, 8960},
                          Row{65'535, 8960}}) {
        CAPTURE(row.offered);
        const Segment syn = syn_of_mss(row.offered);
        const auto handshake = check(ack_for(syn, make(syn, minute_start)), minute_start);
        REQUIRE(handshake.has_value());
        CHECK(handshake->peer_mss == row.taken);
    }
}

TEST_CASE("syn cookie: the timestamp is at most 63 ms before now and never after it") {
    const Segment syn = modern_syn();
    for (int64_t step = 0; step < 200; ++step) {
        const Instant now = minute_start + Duration::ms(step);
        const uint32_t age = timestamp_at(now) - make(syn, now).timestamp_value;
        CHECK(age <= 63);
    }
}

TEST_CASE("syn cookie: it's good until the next minute has ended") {
    const Segment syn = modern_syn();
    const Segment ack = ack_for(syn, make(syn, minute_start));
    CHECK(check(ack, minute_start + Duration::ms(119'999)).has_value());
    CHECK(!check(ack, minute_start + Duration::ms(120'000)).has_value());
}

TEST_CASE("syn cookie: a cookie of the minute's turn 32 minutes ago is not good again") {
    const Segment syn = syn_of_mss(1460);  // no timestamps: the hash alone has to tell
    const Segment ack = ack_for(syn, make(syn, minute_start));
    REQUIRE(check(ack, minute_start).has_value());
    CHECK(!check(ack, minute_start + Duration::s(32 * 60)).has_value());
}

TEST_CASE("syn cookie: a cookie from the future is not good") {
    const Segment syn = syn_of_mss(1460);
    const Segment ack = ack_for(syn, make(syn, minute_start));
    CHECK(!check(ack, minute_start - Duration::ms(1)).has_value());
}

TEST_CASE("syn cookie: another number, 4-tuple or secret is not good") {
    const Segment syn = syn_of_mss(1460);
    const Segment good = ack_for(syn, make(syn, minute_start));
    REQUIRE(check(good, minute_start).has_value());

    Segment other_irs = good;
    other_irs.seq += 1;
    CHECK(!check(other_irs, minute_start).has_value());
    FlowKey other_flow = cookie_flow();
    other_flow.remote_port += 1;
    CHECK(!SynCookies(cookie_secret).check(other_flow, good, minute_start, offset).has_value());
    const SynCookies other_secret({.low = cookie_secret.low ^ 1, .high = cookie_secret.high});
    CHECK(!other_secret.check(cookie_flow(), good, minute_start, offset).has_value());
    // Any one bit of the cookie.
    for (uint32_t bit = 0; bit < 32; ++bit) {
        CAPTURE(bit);
        Segment flipped = good;
        flipped.ack = SeqNumber{(good.ack - 1).value ^ (1u << bit)} + 1;
        CHECK(!check(flipped, minute_start).has_value());
    }
}

TEST_CASE("syn cookie: a segment without ACK, or with SYN or RST, is not good") {
    const Segment syn = syn_of_mss(1460);
    const Segment good = ack_for(syn, make(syn, minute_start));
    for (const uint8_t flags : {uint8_t{0}, uint8_t(tcp_flag::ack | tcp_flag::syn),
                                uint8_t(tcp_flag::ack | tcp_flag::rst)}) {
        Segment bad = good;
        bad.flags = flags;
        CHECK(!check(bad, minute_start).has_value());
    }
    Segment with_fin = good;
    with_fin.flags |= tcp_flag::fin | tcp_flag::psh;
    CHECK(check(with_fin, minute_start).has_value());
}

TEST_CASE("syn cookie: an echo that can't be ours is not good") {
    const Segment syn = modern_syn();
    Segment ack = ack_for(syn, make(syn, minute_start));
    ack.options.timestamp_echo = timestamp_at(minute_start) + 64;
    CHECK(!check(ack, minute_start).has_value());
    ack.options.timestamp_echo = timestamp_at(minute_start) - 121'000;
    CHECK(!check(ack, minute_start).has_value());
}

TEST_CASE("syn cookie: guesses are right no more often than 24 bits let them") {
    Prng random(5);
    uint32_t accepted = 0;
    for (uint32_t guess = 0; guess < 1'000'000; ++guess) {
        Segment ack;
        ack.flags = tcp_flag::ack;
        ack.seq = {static_cast<uint32_t>(random.next())};
        ack.ack = {static_cast<uint32_t>(random.next())};
        accepted += check(ack, minute_start).has_value() ? 1 : 0;
    }
    // Expected are 1,000,000 * 2/32 / 2^24: one in 270 such runs.
    CHECK(accepted <= 1);
}
