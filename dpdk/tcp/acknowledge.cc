// What an acknowledgement does: the send ring gets shorter, the round trip is known, the window
// moves, loss is found and recovered from.
#include <algorithm>

#include "tcp/clock.h"
#include "tcp/tcp.h"

namespace millrace {

// `segment` has passed the checks: its ACK lies in [snd_una - snd_wnd_max, snd_nxt].
void Tcp::acknowledge(TcpConnection& connection, const Segment& segment, Instant now,
                      TcpOutcome& outcome) {
    if (segment.ack < connection.snd_una) return;  // older than what we know; never its window
    const uint32_t sack_news = learn_sack(connection, segment);
    const bool is_news = connection.snd_una < segment.ack;
    const bool had_data_in_flight = connection.in_flight() > 0;
    if (is_news) advance(connection, segment, now, outcome);
    if (connection.state() == TcpState::closed || connection.state() == TcpState::time_wait) return;
    const bool window_changed = update_window(connection, segment);
    if (!had_data_in_flight || connection.in_flight() == 0) return;
    // RFC 5681, section 2: what a duplicate ACK is; with SACK, one that brings news (RFC 6675, 2).
    const bool repeats = connection.has_sack
                             ? sack_news > 0
                             : segment.sequence_bytes() == 0 && !window_changed;
    detect_loss(connection, repeats && !is_news, now);
}

uint32_t Tcp::learn_sack(TcpConnection& connection, const Segment& segment) {
    if (!connection.has_sack || segment.options.sack_count == 0) return 0;
    if (connection.scoreboard == nullptr) {
        void* memory = heap_.try_allocate(sizeof(Scoreboard));
        if (memory == nullptr) return 0;  // recovers by timeout then
        connection.scoreboard = new (memory) Scoreboard;
    }
    uint32_t news = 0;
    const SeqNumber una = later(connection.snd_una, segment.ack);
    for (uint32_t index = 0; index < segment.options.sack_count; ++index) {
        news += connection.scoreboard->add(segment.options.sack[index], una, connection.snd_nxt);
    }
    return news;
}

void Tcp::advance(TcpConnection& connection, const Segment& segment, Instant now,
                  TcpOutcome& outcome) {
    sample_rtt(connection, segment, now);
    uint32_t bytes = segment.ack - connection.snd_una;
    connection.snd_una = segment.ack;
    const bool acks_fin = connection.fin_sent && segment.ack == connection.snd_nxt;
    if (acks_fin) --bytes;
    if (bytes > 0) {
        connection.out.consume(heap_, blocks_, bytes);
        outcome.acknowledged_bytes = bytes;
    }
    // Karn: what was sent again tells no round trip, so a longer timeout stays until new data has
    // been timed; not more than twice as long, since much may have been lost.
    const uint8_t kept = connection.recovery == TcpRecovery::loss ? 1 : 0;
    connection.backoff = std::min(connection.backoff, kept);
    connection.send_progress_ms = clock_ms(now);
    connection.high_rxt = later(connection.high_rxt, connection.snd_una);
    if (connection.scoreboard != nullptr) connection.scoreboard->advance(connection.snd_una);
    if (connection.probing) {
        connection.probing = false;
        connection.rto_armed = false;
        connection.backoff = 0;
    }
    if (connection.recovery == TcpRecovery::none) {
        connection.duplicate_acks = 0;
        connection.tail_probed = false;
        connection.congestion.on_ack(settings_.congestion, connection.mss, bytes,
                                     connection.cwnd_limited, connection.rtt.smoothed(), now);
        connection.cwnd_limited = false;
        if (connection.scoreboard != nullptr && connection.scoreboard->empty()) {
            leave_recovery(connection);
        }
    } else {
        advance_recovery(connection, bytes, now);
    }
    // RFC 6298 5.2, 5.3
    if (connection.in_flight() == 0) disarm_rto(connection);
    else arm_rto(connection, now);
    if (acks_fin) on_fin_acknowledged(connection, now, outcome);
}

void Tcp::advance_recovery(TcpConnection& connection, uint32_t acked_bytes, Instant now) {
    const bool is_over = connection.recovery_end <= connection.snd_una;
    if (connection.recovery == TcpRecovery::loss) {
        connection.congestion.on_recovery_ack(connection.mss, acked_bytes);
        if (is_over) leave_recovery(connection);
        return;
    }
    if (is_over) {  // cwnd is ssthresh since the loss was found (RFC 6582 3.2 step 3, RFC 6675 5)
        leave_recovery(connection);
        return;
    }
    if (connection.has_sack) return;  // the scoreboard says what to send
    // Partial ACK (RFC 6582 3.2 step 4): the next segment was lost too. What was acknowledged had
    // left the network, all but the one that was sent again.
    connection.resend_now = true;
    const uint32_t left = acked_bytes / connection.mss;
    const uint32_t was_counted = left > 0 ? left - 1 : 0;
    connection.duplicate_acks = static_cast<uint8_t>(
        connection.duplicate_acks - std::min<uint32_t>(connection.duplicate_acks, was_counted));
    arm_rto(connection, now);
}

// From the oldest byte on, up to what has been sent by now.
void Tcp::enter_recovery(TcpConnection& connection, TcpRecovery recovery) {
    connection.recovery = recovery;
    connection.recovery_end = connection.snd_nxt;
    connection.high_rxt = connection.snd_una;
    connection.resend_now = true;
}

void Tcp::leave_recovery(TcpConnection& connection) {
    connection.recovery = TcpRecovery::none;
    connection.duplicate_acks = 0;
    connection.tail_probed = false;
    if (connection.scoreboard == nullptr) return;
    heap_.free(connection.scoreboard, sizeof(Scoreboard));
    connection.scoreboard = nullptr;
}

// One timed segment a round trip, never one that was sent again (Karn; RFC 6298, 3); after a
// retransmission the timestamp's echo goes on to tell (RFC 7323, 4).
void Tcp::sample_rtt(TcpConnection& connection, const Segment& segment, Instant now) {
    if (connection.rtt_timed) {
        if (segment.ack < connection.rtt_seq) return;
        connection.rtt_timed = false;
        const auto elapsed_us = static_cast<int32_t>(clock_us(now) - connection.rtt_sent_us);
        add_sample(connection, Duration::us(std::max(elapsed_us, 1)));
        return;
    }
    if (!segment.options.has_timestamps || segment.options.timestamp_echo == 0) return;
    // The answer to a segment that was there already echoes what came long before it. After two
    // timeouts the estimate is too short, so even that is better.
    if (connection.recovery != TcpRecovery::none && connection.backoff < 2) return;
    const auto elapsed_ms =
        static_cast<int32_t>(connection.timestamp_at(now) - segment.options.timestamp_echo);
    // Anything else is a lie, or from another life.
    if (elapsed_ms < 0 || elapsed_ms > settings_.rtt.rto_max.to_ms()) return;
    add_sample(connection, Duration::ms(std::max(elapsed_ms, 1)));
}

// After many timeouts the old estimate is likely wrong (RFC 6298, last of section 5): the new
// sample stands alone. Until it comes, the backed-off timeout goes on.
void Tcp::add_sample(TcpConnection& connection, Duration round_trip) {
    constexpr uint8_t timeouts_to_doubt = 4;
    if (connection.backoff >= timeouts_to_doubt) connection.rtt.forget();
    connection.rtt.add_sample(round_trip, settings_.rtt);
}

void Tcp::on_fin_acknowledged(TcpConnection& connection, Instant now, TcpOutcome& outcome) {
    outcome.fin_acknowledged = true;
    switch (connection.state()) {
    case TcpState::fin_wait_1:
        connection.set_state(TcpState::fin_wait_2);
        // Nothing is in flight any more: the timer now bounds the wait for the peer's FIN.
        connection.rto_armed = true;
        connection.rto_at_ms = clock_ms(now) + to_ms32(settings_.fin_wait_2);
        return;
    case TcpState::closing:
        connection.set_state(TcpState::time_wait);
        outcome.time_wait = true;
        return;
    case TcpState::last_ack:
        return end(connection, CloseReason::peer_closed, outcome);
    case TcpState::closed:
    case TcpState::syn_sent:
    case TcpState::syn_received:
    case TcpState::established:
    case TcpState::fin_wait_2:
    case TcpState::close_wait:
    case TcpState::time_wait:
        MR_UNREACHABLE();
    }
}

// RFC 9293 3.10.7.4, fifth step; true when it's another window than before.
bool Tcp::update_window(TcpConnection& connection, const Segment& segment) {
    const bool is_newer = connection.snd_wl1 < segment.seq ||
                          (connection.snd_wl1 == segment.seq && connection.snd_wl2 <= segment.ack);
    if (!is_newer) return false;
    const uint32_t window = uint32_t{segment.window} << connection.snd_scale;
    const bool changed = window != connection.snd_wnd;
    connection.snd_wnd = window;
    connection.snd_wnd_max = std::max(connection.snd_wnd_max, window);
    connection.snd_wl1 = segment.seq;
    connection.snd_wl2 = segment.ack;
    if (connection.probing && window > 0) {
        // The probe's byte wasn't taken: as if it had never been sent, so that it goes with what
        // follows it.
        connection.snd_nxt = connection.snd_una;
        connection.rtt_timed = false;
        disarm_rto(connection);
        connection.backoff = 0;
    }
    return changed;
}

void Tcp::detect_loss(TcpConnection& connection, bool is_duplicate, Instant now) {
    if (is_duplicate && connection.duplicate_acks < TcpConnection::duplicate_acks_max) {
        ++connection.duplicate_acks;
    }
    if (connection.recovery != TcpRecovery::none || connection.probing) return;
    const Scoreboard* scoreboard = connection.scoreboard;
    // After a tail loss probe anything acknowledged above SND.UNA is proof enough.
    const bool by_sack =
        scoreboard != nullptr &&
        (scoreboard->is_lost(connection.snd_una, connection.mss) ||
         (connection.tail_probed && !scoreboard->empty()));
    if (!by_sack && connection.duplicate_acks < Scoreboard::dup_threshold) return;
    // RFC 6582 3.2 step 2: without SACK, what a timeout has sent twice looks like loss again.
    if (!connection.has_sack && connection.snd_una == connection.recovery_end) return;
    counters_.fast_recoveries.add();
    connection.congestion.on_loss(settings_.congestion, connection.mss, connection.in_flight());
    enter_recovery(connection, TcpRecovery::fast);
    if (connection.tail_armed) arm_rto(connection, now);
}

}  // namespace millrace
