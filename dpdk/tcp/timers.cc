// What a deadline does. One entry of the wheel serves them all: it fires at the earliest, or before
// it, and moves itself on.
#include <algorithm>

#include "tcp/clock.h"
#include "tcp/tcp.h"

namespace millrace {

namespace {

// Three timeouts in a row of long segments, and then five, speak of a path that drops what is
// long without saying so (RFC 2923 2.1, RFC 8899): the sizes tried then.
constexpr uint8_t black_hole_first = 3;
constexpr uint8_t black_hole_second = 5;
constexpr uint16_t mss_probably_safe = 1'220;  // fits IPv6's smallest MTU
// Clocks tick in milliseconds, and a busy peer has its turns.
constexpr Duration tail_delay_min = Duration::ms(10);
// RFC 8985 7.2 allows for 200 ms; kernels answer within 40.
constexpr Duration peer_ack_delay = Duration::ms(50);

}  // namespace

// RFC 6298 5.1 and 5.3
void Tcp::arm_rto(TcpConnection& connection, Instant now) {
    connection.rto_armed = true;
    connection.probing = false;
    Duration wait = connection.rtt.rto_backed_off(settings_.rtt, connection.backoff);
    connection.tail_armed = may_probe_tail(connection) && tail_delay(connection) < wait;
    if (connection.tail_armed) wait = tail_delay(connection);
    connection.rto_at_ms = clock_ms(now) + to_ms32(wait);
}

bool Tcp::may_probe_tail(const TcpConnection& connection) const {
    return settings_.tail_loss_probe && connection.has_sack && connection.rtt.has_sample() &&
           connection.is_synchronized() && connection.recovery == TcpRecovery::none &&
           connection.backoff == 0 && !connection.tail_probed && connection.in_flight() > 0;
}

// RFC 8985 7.2: two round trips; for a single segment the peer's delayed ACK comes on top.
Duration Tcp::tail_delay(const TcpConnection& connection) const {
    Duration delay = std::max(connection.rtt.smoothed() * 2, tail_delay_min);
    if (connection.in_flight() <= connection.mss) delay = delay + peer_ack_delay;
    return delay;
}

// RFC 9293 3.8.6.1: the first probe after a retransmission timeout, then backed off.
void Tcp::arm_probe(TcpConnection& connection, Instant now) {
    if (connection.probing) return;
    connection.backoff = 0;
    arm_rto(connection, now);
    connection.probing = true;
}

void Tcp::disarm_rto(TcpConnection& connection) {
    connection.rto_armed = false;
    connection.tail_armed = false;
    connection.probing = false;
}

void Tcp::delay_ack(TcpConnection& connection, Instant now) {
    if (connection.ack_delayed) return;
    connection.ack_delayed = true;
    connection.ack_at_ms = clock_ms(now) + to_ms32(settings_.ack_delay);
}

void Tcp::schedule(TcpConnection& connection, Instant now) {
    const uint32_t now_ms = clock_ms(now);
    bool wanted = false;
    int32_t soonest_ms = 0;
    const auto want = [&](uint32_t at_ms) {
        const auto in_ms = static_cast<int32_t>(at_ms - now_ms);
        soonest_ms = wanted ? std::min(soonest_ms, in_ms) : in_ms;
        wanted = true;
    };
    if (connection.ack_delayed) want(connection.ack_at_ms);
    if (connection.rto_armed) want(connection.rto_at_ms);
    else if (settings_.keepalive_idle > Duration{} && connection.is_synchronized()) {
        want(keepalive_at_ms(connection));
    }
    if (!wanted) return;
    const Instant at = Instant::at_ms(now.to_ms() + soonest_ms);
    if (connection.timer.started() &&
        connection.timer.deadline_ms <= static_cast<uint64_t>(at.to_ms())) {
        return;
    }
    wheel_.start(connection.timer, at);
}

TcpOutcome Tcp::on_timer(TcpConnection& connection, Instant now) {
    TcpOutcome outcome;
    const uint32_t now_ms = clock_ms(now);
    if (connection.ack_delayed && is_due(connection.ack_at_ms, now_ms)) {
        connection.ack_delayed = false;
        connection.ack_now = true;
        outcome.output = true;
    }
    if (connection.rto_armed) {
        if (is_due(connection.rto_at_ms, now_ms)) on_timeout(connection, now, outcome);
    } else if (connection.is_synchronized() && on_keepalive(connection, now, outcome)) {
        outcome.output = true;
    }
    if (connection.state() != TcpState::closed) schedule(connection, now);
    return outcome;
}

void Tcp::on_timeout(TcpConnection& connection, Instant now, TcpOutcome& outcome) {
    if (connection.state() == TcpState::fin_wait_2) {
        return end(connection, CloseReason::local, outcome);
    }
    outcome.output = true;
    if (connection.probing) return on_probe_timeout(connection, now, outcome);
    if (connection.tail_armed) return on_tail_timeout(connection, now);
    counters_.timeouts.add();
    if (!connection.is_synchronized()) {
        if (connection.backoff >= settings_.syn_retries_max) {  // R2 of SYNs (RFC 9293 3.8.3)
            return end(connection, CloseReason::connect_failed, outcome);
        }
        ++connection.backoff;
        connection.rtt_timed = false;
        connection.syn_now = true;
        arm_rto(connection, now);
        return;
    }
    if (clock_ms(now) - connection.send_progress_ms >= to_ms32(settings_.send_timeout)) {
        counters_.send_timeouts.add();
        return end(connection, CloseReason::peer_reset, outcome);
    }
    on_retransmission_timeout(connection, now);
}

// RFC 8985 7.3, always with the last segment. Its acknowledgement tells what else was lost; what the
// peer says that it holds tells so already.
void Tcp::on_tail_timeout(TcpConnection& connection, Instant now) {
    counters_.tail_probes.add();
    connection.tail_probed = true;
    arm_rto(connection, now);
    if (connection.scoreboard != nullptr && !connection.scoreboard->empty()) {
        detect_loss(connection, false, now);
    } else {
        connection.resend_now = true;
    }
}

// RFC 6298 5.4 to 5.7, RFC 5681 3.1 (4), RFC 6675 5.1
void Tcp::on_retransmission_timeout(TcpConnection& connection, Instant now) {
    const bool is_first = connection.backoff == 0;
    if (connection.backoff < UINT8_MAX) ++connection.backoff;
    shrink_after_black_hole(connection);
    connection.congestion.on_timeout(settings_.congestion, connection.mss, connection.in_flight(),
                                     is_first);
    // RFC 2018 8: the peer may have given up what it had selectively acknowledged.
    if (connection.scoreboard != nullptr) connection.scoreboard->clear();
    enter_recovery(connection, TcpRecovery::loss);
    connection.duplicate_acks = 0;
    connection.tail_probed = false;
    connection.rtt_timed = false;
    arm_rto(connection, now);
}

// A peer that answers probes may keep its window closed for as long as it likes (RFC 9293
// 3.8.6.1); one that is silent is given up.
void Tcp::on_probe_timeout(TcpConnection& connection, Instant now, TcpOutcome& outcome) {
    if (clock_ms(now) - connection.last_received_ms >= to_ms32(settings_.send_timeout)) {
        counters_.send_timeouts.add();
        return end(connection, CloseReason::peer_reset, outcome);
    }
    if (connection.backoff < UINT8_MAX) ++connection.backoff;
    connection.probe_now = true;
    arm_rto(connection, now);
    connection.tail_armed = false;
    connection.probing = true;
}

uint32_t Tcp::keepalive_at_ms(const TcpConnection& connection) const {
    return connection.last_received_ms + to_ms32(settings_.keepalive_idle) +
           connection.backoff * to_ms32(settings_.keepalive_interval);
}

// True when a keep-alive is to go out. The connection may have ended.
bool Tcp::on_keepalive(TcpConnection& connection, Instant now, TcpOutcome& outcome) {
    if (settings_.keepalive_idle <= Duration{}) return false;
    if (!is_due(keepalive_at_ms(connection), clock_ms(now))) return false;
    if (connection.backoff >= settings_.keepalive_probes_max) {
        counters_.keepalive_failures.add();
        end(connection, CloseReason::peer_reset, outcome);
        return false;
    }
    ++connection.backoff;
    connection.keepalive_now = true;
    return true;
}

void Tcp::shrink_after_black_hole(TcpConnection& connection) {
    uint16_t mss = connection.mss;
    if (connection.backoff == black_hole_first) {
        mss = static_cast<uint16_t>(mss_probably_safe - connection.option_bytes());
    } else if (connection.backoff == black_hole_second) {
        mss = static_cast<uint16_t>(settings_.mss_min - connection.option_bytes());
    }
    // What is short enough already isn't kept by a path.
    if (mss >= connection.mss || connection.in_flight() <= mss) return;
    counters_.black_holes.add();
    reduce_mss(connection, mss);
}

void Tcp::reduce_mss(TcpConnection& connection, uint16_t mss) {
    connection.mss = mss;
    connection.mss_ceiling = static_cast<uint16_t>(mss + connection.option_bytes());
    connection.congestion.on_mss(mss);
}

// RFC 1191, RFC 8201; what was too long is sent again at once, and no congestion is assumed.
void Tcp::on_path_mtu(TcpConnection& connection, SeqNumber quoted, uint32_t mtu_payload,
                      Instant now) {
    if (!connection.is_synchronized()) return;
    // RFC 5927 4.1: about a segment that can be in flight, or somebody guesses.
    if (quoted < connection.snd_una || quoted >= connection.snd_nxt) return;
    constexpr uint32_t header_bytes = 20;
    const uint32_t options = connection.option_bytes();
    const uint32_t fits = mtu_payload > header_bytes + options
                              ? mtu_payload - header_bytes - options
                              : 0;
    // RFC 5927 7.2, RFC 1191 3: not below what every path carries.
    const uint32_t mss = std::max<uint32_t>(fits, settings_.mss_min - options);
    if (mss >= connection.mss) return;
    counters_.mtu_reductions.add();
    reduce_mss(connection, static_cast<uint16_t>(mss));
    if (connection.probing || connection.recovery == TcpRecovery::loss) return;
    enter_recovery(connection, TcpRecovery::loss);
    connection.rtt_timed = false;
    if (connection.tail_armed) arm_rto(connection, now);
    schedule(connection, now);
}

}  // namespace millrace
