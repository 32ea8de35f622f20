// A segment came: RFC 9293, section 3.10.7, one function a step.
#include <algorithm>

#include "tcp/clock.h"
#include "tcp/tcp.h"

namespace millrace {

namespace {

// RFC 7323 5.5: a TS.Recent that old says nothing any more.
constexpr uint32_t timestamp_valid_ms = 24u * 24 * 3600 * 1000;
// One connection sends no more challenge ACKs than that (RFC 5961, 7). A limit of the whole host
// would tell a blind attacker about other connections.
constexpr uint16_t challenge_interval_ms = 100;

bool is_sent_but_unacknowledged(const TcpConnection& connection, SeqNumber ack) {
    return connection.snd_una < ack && ack <= connection.snd_nxt;
}

// What can't lie in the receive window is cut off, at both ends.
void trim(Segment& segment, SeqNumber rcv_nxt, SeqNumber edge) {
    if (segment.seq < rcv_nxt) {
        uint32_t before = rcv_nxt - segment.seq;
        if (segment.has(tcp_flag::syn)) {
            segment.flags &= static_cast<uint8_t>(~tcp_flag::syn);
            segment.seq += 1;
            --before;
        }
        const auto cut = std::min<uint32_t>(before, static_cast<uint32_t>(segment.payload.size()));
        segment.payload = segment.payload.subspan(cut);
        segment.seq += cut;
    }
    const SeqNumber end = segment.seq + static_cast<uint32_t>(segment.payload.size());
    if (edge < end) {
        const auto over = std::min<uint32_t>(end - edge,
                                             static_cast<uint32_t>(segment.payload.size()));
        segment.payload = segment.payload.first(segment.payload.size() - over);
        segment.flags &= static_cast<uint8_t>(~tcp_flag::fin);
    }
}

}  // namespace

TcpOutcome Tcp::arrive(TcpConnection& connection, const Segment& segment, Instant now) {
    counters_.segments_in.add();
    TcpOutcome outcome;
    switch (connection.state()) {
    case TcpState::closed:
    case TcpState::time_wait:
        counters_.dropped_state.add();
        return outcome;
    case TcpState::syn_sent:
        arrive_syn_sent(connection, segment, now, outcome);
        break;
    case TcpState::syn_received:
    case TcpState::established:
    case TcpState::fin_wait_1:
    case TcpState::fin_wait_2:
    case TcpState::close_wait:
    case TcpState::closing:
    case TcpState::last_ack:
        arrive_synchronized(connection, segment, now, outcome);
        break;
    }
    if (connection.state() == TcpState::closed) return outcome;
    outcome.output = connection.ack_now || connection.syn_now || connection.resend_now ||
                     connection.recovery != TcpRecovery::none || connection.fin_wanted ||
                     connection.in_flight() < connection.out.bytes_queued();
    schedule(connection, now);
    return outcome;
}

// 3.10.7.3
void Tcp::arrive_syn_sent(TcpConnection& connection, const Segment& segment, Instant now,
                          TcpOutcome& outcome) {
    const bool acks = segment.has(tcp_flag::ack);
    if (acks && !is_sent_but_unacknowledged(connection, segment.ack)) {
        counters_.dropped_bad_ack.add();
        outcome.answer_reset = !segment.has(tcp_flag::rst);
        return;
    }
    if (segment.has(tcp_flag::rst)) {
        // Without an acceptable ACK anyone could have sent it.
        if (!acks) {
            counters_.dropped_reset_bad_sequence.add();
            return;
        }
        counters_.resets_received.add();
        return end(connection, CloseReason::connect_failed, outcome);
    }
    if (!segment.has(tcp_flag::syn)) {
        counters_.dropped_state.add();
        return;
    }
    connection.rcv_nxt = segment.seq + 1;
    connection.ack_sent = connection.rcv_nxt;
    connection.rcv_edge = connection.rcv_nxt + syn_window();
    connection.last_received_ms = clock_ms(now);
    learn_options(connection, segment.options);
    connection.snd_wnd = segment.window;  // a SYN's window isn't scaled (RFC 7323, 2.2)
    connection.snd_wnd_max = connection.snd_wnd;
    connection.snd_wl1 = segment.seq;
    if (!acks) {  // simultaneous open
        connection.set_state(TcpState::syn_received);
        connection.syn_now = true;
        connection.backoff = 0;
        return;
    }
    connection.snd_wl2 = segment.ack;
    sample_rtt(connection, segment, now);
    connection.snd_una = segment.ack;
    connection.backoff = 0;
    connection.syn_now = false;
    disarm_rto(connection);
    connection.set_state(TcpState::established);
    connection.ack_now = true;
    outcome.connected = true;
    // Data or FIN beside a SYN-ACK is rare enough to be left to the peer's retransmission.
}

// 3.10.7.4
void Tcp::arrive_synchronized(TcpConnection& connection, Segment segment, Instant now,
                              TcpOutcome& outcome) {
    // The other half of a simultaneous open: a SYN that we have seen already, now with an ACK.
    if (connection.state() == TcpState::syn_received && segment.has(tcp_flag::syn) &&
        segment.seq + 1 == connection.rcv_nxt) {
        if (!segment.has(tcp_flag::ack)) {
            connection.syn_now = true;  // ours was lost
            return;
        }
        segment.flags &= static_cast<uint8_t>(~tcp_flag::syn);
        segment.seq += 1;
    }
    if (!timestamps_allow(connection, segment, now)) return;
    if (!is_acceptable(connection, segment, now)) return;
    if (reset_or_syn_ends(connection, segment, now, outcome)) return;
    if (!check_ack(connection, segment, now, outcome)) return;
    // RFC 7323 4.3 (2): only a segment that covers what we acknowledged last is echoed.
    if (connection.has_timestamps && segment.options.has_timestamps &&
        segment.seq <= connection.ack_sent &&
        static_cast<int32_t>(segment.options.timestamp_value - connection.ts_recent) >= 0) {
        connection.ts_recent = segment.options.timestamp_value;
    }
    connection.last_received_ms = clock_ms(now);
    if (connection.keepalive_now || (connection.backoff > 0 && connection.in_flight() == 0 &&
                                     !connection.probing)) {
        connection.keepalive_now = false;
        connection.backoff = 0;
    }
    trim(segment, connection.rcv_nxt, connection.rcv_edge);
    acknowledge(connection, segment, now, outcome);
    if (connection.state() == TcpState::closed || connection.state() == TcpState::time_wait) return;
    arrive_text(connection, segment, now, outcome);
    arrive_fin(connection, segment, outcome);
}

// PAWS (RFC 7323 5.3), before everything else.
bool Tcp::timestamps_allow(TcpConnection& connection, const Segment& segment, Instant now) {
    if (!connection.has_timestamps || segment.has(tcp_flag::rst)) return true;
    if (!segment.options.has_timestamps) {  // RFC 7323 3.2: silently
        counters_.dropped_paws.add();
        return false;
    }
    const auto age = static_cast<int32_t>(segment.options.timestamp_value - connection.ts_recent);
    if (age >= 0) return true;
    if (clock_ms(now) - connection.last_received_ms > timestamp_valid_ms) {
        connection.ts_recent = segment.options.timestamp_value;
        return true;
    }
    counters_.dropped_paws.add();
    if (segment.sequence_bytes() > 0) connection.ack_now = true;
    else challenge(connection, now);
    return false;
}

// First check of 3.10.7.4: does any part lie in the window?
bool Tcp::is_acceptable(TcpConnection& connection, const Segment& segment, Instant now) {
    const uint32_t bytes = segment.sequence_bytes();
    const SeqNumber end = segment.seq + bytes;
    bool acceptable = false;
    if (bytes == 0) {
        // One past the window too: a peer that has filled it, and whose data was lost on the way,
        // sends its ACKs from there.
        acceptable = connection.rcv_nxt <= segment.seq && segment.seq <= connection.rcv_edge;
    } else if (connection.rcv_edge <= connection.rcv_nxt) {
        // A closed window takes no text, but ACKs and RSTs are looked at.
        acceptable = segment.seq == connection.rcv_nxt;
        if (acceptable) connection.ack_now = true;
    } else {
        acceptable = segment.seq < connection.rcv_edge && connection.rcv_nxt < end;
    }
    if (acceptable) return true;
    const bool is_old = segment.seq < connection.rcv_nxt;
    if (is_old && bytes > 0) counters_.duplicates.add();
    else counters_.dropped_outside_window.add();
    if (segment.has(tcp_flag::rst)) return false;
    // Text that came again means that our ACK was lost; what has no text is answered sparingly,
    // since two ends that disagree would answer each other for ever.
    if (bytes > 0) connection.ack_now = true;
    else challenge(connection, now);
    return false;
}

// Second and fourth check, as RFC 5961 3.2 and 4.2 have changed them.
bool Tcp::reset_or_syn_ends(TcpConnection& connection, const Segment& segment, Instant now,
                            TcpOutcome& outcome) {
    if (segment.has(tcp_flag::rst)) {
        if (segment.seq != connection.rcv_nxt) {
            counters_.dropped_reset_bad_sequence.add();
            challenge(connection, now);
            return true;
        }
        counters_.resets_received.add();
        end(connection,
            connection.state() == TcpState::syn_received ? CloseReason::connect_failed
                                                         : CloseReason::peer_reset,
            outcome);
        return true;
    }
    if (segment.has(tcp_flag::syn)) {
        counters_.dropped_syn_in_window.add();
        challenge(connection, now);
        return true;
    }
    return false;
}

// Fifth check: may this acknowledgement be true?
bool Tcp::check_ack(TcpConnection& connection, const Segment& segment, Instant now,
                    TcpOutcome& outcome) {
    if (!segment.has(tcp_flag::ack)) {
        counters_.dropped_no_ack.add();
        return false;
    }
    if (connection.state() == TcpState::syn_received) {
        if (!is_sent_but_unacknowledged(connection, segment.ack)) {
            counters_.dropped_bad_ack.add();
            outcome.answer_reset = true;
            return false;
        }
        sample_rtt(connection, segment, now);
        connection.snd_una += 1;  // the SYN
        connection.backoff = 0;
        connection.syn_now = false;
        disarm_rto(connection);
        connection.set_state(TcpState::established);
        if (connection.fin_wanted) connection.set_state(TcpState::fin_wait_1);
        connection.snd_wnd = uint32_t{segment.window} << connection.snd_scale;
        connection.snd_wnd_max = connection.snd_wnd;
        connection.snd_wl1 = segment.seq;
        connection.snd_wl2 = segment.ack;
        outcome.connected = true;
        return true;
    }
    // RFC 5961 5.2: not older than the largest window ago, and nothing that wasn't sent.
    const SeqNumber oldest = connection.snd_una - connection.snd_wnd_max;
    if (oldest <= segment.ack && segment.ack <= connection.snd_nxt) return true;
    counters_.dropped_bad_ack.add();
    challenge(connection, now);
    return false;
}

// Seventh step. URG is ignored (RFC 6093: new applications should not use it).
void Tcp::arrive_text(TcpConnection& connection, const Segment& segment, Instant now,
                      TcpOutcome& outcome) {
    if (segment.payload.empty()) return;
    const bool receives = connection.state() == TcpState::established ||
                          connection.state() == TcpState::fin_wait_1 ||
                          connection.state() == TcpState::fin_wait_2;
    if (!receives) {
        counters_.dropped_state.add();
        return;
    }
    if (segment.seq == connection.rcv_nxt) {
        return arrive_in_order(connection, segment.payload, now, outcome);
    }
    // A gap: kept, and said at once (RFC 5681, 4.2).
    counters_.out_of_order.add();
    connection.ack_now = true;
    if (!connection.reassembly.insert(heap_, segment.seq, segment.payload)) {
        counters_.dropped_no_memory.add();
    }
}

void Tcp::arrive_in_order(TcpConnection& connection, Bytes bytes, Instant now,
                          TcpOutcome& outcome) {
    auto count = static_cast<uint32_t>(bytes.size());
    Reassembly& held = connection.reassembly;
    if (connection.discard_received) drop_ready(connection);
    const bool fills_gap = !held.empty();
    const bool deliver = !held.has_ready(connection.rcv_nxt) &&
                         (!connection.receive_paused || connection.discard_received);
    if (!deliver) {
        if (!held.insert(heap_, connection.rcv_nxt, bytes)) {
            counters_.dropped_no_memory.add();  // unacknowledged: it comes again
            return;
        }
    } else {
        // What overlaps bytes that are held goes to them, so that nothing is delivered twice; the
        // part for which there's no memory comes again.
        const Bytes direct = held.before_all(connection.rcv_nxt, bytes);
        const auto direct_count = static_cast<uint32_t>(direct.size());
        if (!held.insert(heap_, connection.rcv_nxt + direct_count, bytes.subspan(direct_count))) {
            counters_.dropped_no_memory.add();
            count = direct_count;
        }
        if (!connection.discard_received) outcome.in_order = direct;
    }
    counters_.bytes_in_order.add(count);
    connection.rcv_nxt += count;
    if (fills_gap) {
        connection.rcv_nxt = held.contiguous_from(connection.rcv_nxt);
        if (connection.discard_received) drop_ready(connection);
        outcome.ready_chunks = held.has_ready(connection.rcv_nxt) && !connection.receive_paused;
        connection.ack_now = true;
        return;
    }
    // RFC 9293 3.8.6.3, RFC 5681 4.2: at least every second full-sized segment, or after the delay.
    const bool is_full = count >= std::min<uint32_t>(connection.mss, 536);
    const bool is_much = connection.rcv_nxt - connection.ack_sent >= 2u * connection.mss;
    if ((is_full && connection.ack_delayed) || is_much) connection.ack_now = true;
    else delay_ack(connection, now);
}

void Tcp::drop_ready(TcpConnection& connection) {
    while (ReassemblyChunk* chunk = take_ready(connection)) {
        Reassembly::free_chunk(heap_, chunk);
    }
}

// Eighth step. A FIN behind a gap isn't remembered: the peer sends it again.
void Tcp::arrive_fin(TcpConnection& connection, const Segment& segment, TcpOutcome& outcome) {
    if (!segment.has(tcp_flag::fin)) return;
    const SeqNumber fin = segment.seq + static_cast<uint32_t>(segment.payload.size());
    if (fin != connection.rcv_nxt) {
        connection.ack_now = true;
        return;
    }
    switch (connection.state()) {
    case TcpState::syn_received:
    case TcpState::established:
        connection.set_state(TcpState::close_wait);
        break;
    case TcpState::fin_wait_1:
        // Had it acknowledged our FIN, this would be FIN-WAIT-2 by now.
        connection.set_state(TcpState::closing);
        break;
    case TcpState::fin_wait_2:
        disarm_rto(connection);
        connection.set_state(TcpState::time_wait);
        outcome.time_wait = true;
        break;
    case TcpState::closed:
    case TcpState::syn_sent:
    case TcpState::close_wait:
    case TcpState::closing:
    case TcpState::last_ack:
    case TcpState::time_wait:
        return;  // it was counted before
    }
    connection.rcv_nxt += 1;
    connection.ack_now = true;
    outcome.peer_finished = true;
}

void Tcp::challenge(TcpConnection& connection, Instant now) {
    const auto now_ms = static_cast<uint16_t>(clock_ms(now));
    if (static_cast<uint16_t>(now_ms - connection.challenge_ms) < challenge_interval_ms &&
        connection.challenge_ms != 0) {
        counters_.challenge_acks_suppressed.add();
        return;
    }
    connection.challenge_ms = now_ms == 0 ? uint16_t{1} : now_ms;
    counters_.challenge_acks.add();
    connection.ack_now = true;
}

}  // namespace millrace
