// What a connection sends now: at most one segment a call, in the order SYN, probe, what was lost,
// what is new, FIN, a bare ACK.
#include <algorithm>

#include "tcp/clock.h"
#include "tcp/tcp.h"

namespace millrace {

namespace {

// Acknowledged or not, sent or not: how many of the ring's bytes from `offset` on stand in at most
// `slices_max` of its slots; never more than `bytes_max`.
uint32_t bytes_in_slices(const SendRing& ring, uint32_t offset, uint32_t bytes_max,
                         uint32_t slices_max) {
    uint32_t index = 0;
    while (offset >= ring.at(index).length) offset -= ring.at(index++).length;
    uint32_t bytes = ring.at(index).length - offset;
    for (uint32_t slices = 1; bytes < bytes_max && slices < slices_max; ++slices) {
        if (++index == ring.slot_count()) break;
        bytes += ring.at(index).length;
    }
    return std::min(bytes, bytes_max);
}

// What was sent in [begin, end) and not selectively acknowledged.
uint32_t unsacked_bytes(const Scoreboard* scoreboard, SeqNumber begin, SeqNumber end) {
    if (scoreboard == nullptr) return begin < end ? end - begin : 0;
    uint32_t bytes = 0;
    while (begin < end) {
        const std::optional<SeqRange> hole = scoreboard->next_hole(begin, end);
        if (!hole) break;
        bytes += hole->bytes();
        begin = hole->end;
    }
    return bytes;
}

std::optional<SeqRange> first_hole(const Scoreboard* scoreboard, SeqNumber begin, SeqNumber end) {
    if (begin >= end) return std::nullopt;
    if (scoreboard == nullptr) return SeqRange{begin, end};
    return scoreboard->next_hole(begin, end);
}

}  // namespace

bool Tcp::depart(TcpConnection& connection, OutSegment& out, Instant now, uint32_t burst_bytes,
                 uint32_t slices_max) {
    out = {};
    bool made = false;
    if (connection.state() == TcpState::closed || connection.state() == TcpState::time_wait) {
        return false;
    }
    if (connection.syn_now) {
        made = depart_syn(connection, out, now);
    } else if (connection.is_synchronized()) {
        made = depart_probe(connection, out, now, slices_max) ||
               depart_again(connection, out, now, slices_max) ||
               depart_new(connection, out, now, burst_bytes, slices_max);
    }
    if (!made && connection.keepalive_now) {
        // RFC 9293 3.8.4: a number that the peer has, so that it must answer.
        connection.keepalive_now = false;
        counters_.keepalives.add();
        fill(connection, out, connection.snd_nxt - 1, 0, now);
        made = true;
    }
    if (!made && connection.ack_now && connection.state() != TcpState::syn_sent) {
        fill(connection, out, connection.snd_nxt, 0, now);
        made = true;
    }
    schedule(connection, now);
    if (made) counters_.segments_out.add();
    return made;
}

bool Tcp::depart_syn(TcpConnection& connection, OutSegment& out, Instant now) {
    connection.syn_now = false;
    const bool answers = connection.state() == TcpState::syn_received;
    out.seq = connection.snd_una;
    out.flags = tcp_flag::syn;
    out.window = syn_window();
    out.options.mss = connection.mss_ceiling;
    out.options.has_window_scale = !answers || connection.rcv_scale != 0 ||
                                   connection.snd_scale != 0;
    out.options.window_scale = connection.rcv_scale;
    out.options.sack_permitted = !answers || connection.has_sack;
    out.options.has_timestamps = !answers || connection.has_timestamps;
    out.options.timestamp_value = connection.timestamp_at(now);
    if (answers) {
        out.flags |= tcp_flag::ack;
        out.ack = connection.rcv_nxt;
        out.options.timestamp_echo = connection.ts_recent;
        connection.ack_now = false;
    }
    if (connection.snd_nxt == connection.snd_una) note_sent(connection, 1, now);
    else if (!connection.rto_armed) arm_rto(connection, now);
    return true;
}

// One byte into a closed window (RFC 9293 3.8.6.1); what fits into one that is merely small.
bool Tcp::depart_probe(TcpConnection& connection, OutSegment& out, Instant now,
                       uint32_t slices_max) {
    if (!connection.probe_now) return false;
    connection.probe_now = false;
    const uint32_t queued = connection.out.bytes_queued();
    if (queued == 0 || !connection.probing) return false;
    counters_.probes.add();
    const uint32_t room = std::min({queued, connection.snd_wnd, uint32_t{connection.mss}});
    const uint32_t bytes = bytes_in_slices(connection.out, 0, std::max(room, 1u), slices_max);
    fill(connection, out, connection.snd_una, bytes, now);
    if (connection.snd_wnd > 0) {  // RFC 9293 3.8.6.2.1, the override timeout: ordinary data
        disarm_rto(connection);
        connection.snd_nxt = connection.snd_una;
        note_sent(connection, bytes, now);
        return true;
    }
    connection.snd_nxt = connection.snd_una + bytes;
    connection.rtt_timed = false;
    return true;
}

// The oldest bytes that are to be sent again; nothing when there are none.
std::optional<SeqRange> Tcp::next_again(const TcpConnection& connection) const {
    const Scoreboard* scoreboard = connection.scoreboard;
    const SeqNumber from = later(connection.high_rxt, connection.snd_una);
    if (connection.resend_now) {
        const bool is_tail = connection.recovery == TcpRecovery::none && connection.tail_probed;
        if (!is_tail) return first_hole(scoreboard, connection.snd_una, connection.snd_nxt);
        const uint32_t bytes = std::min<uint32_t>(connection.in_flight(), connection.mss);
        return SeqRange{connection.snd_nxt - bytes, connection.snd_nxt};
    }
    if (connection.recovery == TcpRecovery::loss) {
        return first_hole(scoreboard, from, connection.recovery_end);
    }
    if (scoreboard == nullptr || scoreboard->empty()) return std::nullopt;
    const std::optional<SeqRange> hole = scoreboard->next_hole(from, scoreboard->highest());
    if (hole && !connection.tail_probed && !scoreboard->is_lost(hole->begin, connection.mss)) {
        return std::nullopt;
    }
    return hole;
}

// What was lost, or must be taken for it (RFC 6675 section 5, RFC 6582, RFC 5681 3.2).
bool Tcp::depart_again(TcpConnection& connection, OutSegment& out, Instant now,
                       uint32_t slices_max) {
    if (connection.in_flight() == 0) connection.resend_now = false;
    if (!connection.resend_now && connection.recovery == TcpRecovery::none) return false;
    const std::optional<SeqRange> hole = next_again(connection);
    if (!hole) return false;
    const SeqNumber data_end = connection.snd_una + connection.out.bytes_queued();
    uint32_t bytes = std::min<uint32_t>(hole->bytes(), connection.mss);
    if (!connection.resend_now && pipe(connection) + bytes > connection.congestion.cwnd()) {
        return false;
    }
    const bool reaches_fin = connection.fin_sent && data_end < hole->begin + bytes;
    const uint32_t payload_bytes = reaches_fin ? bytes - 1 : bytes;
    bytes = payload_bytes;
    if (bytes > 0) {
        bytes = bytes_in_slices(connection.out, hole->begin - connection.snd_una, bytes,
                                slices_max);
    }
    const bool has_fin = reaches_fin && bytes == payload_bytes;
    connection.resend_now = false;
    fill(connection, out, hole->begin, bytes, now);
    if (has_fin) out.flags |= tcp_flag::fin;
    const SeqNumber end = hole->begin + bytes + (has_fin ? 1 : 0);
    if (connection.recovery != TcpRecovery::none) {
        connection.high_rxt = later(connection.high_rxt, end);
    }
    connection.rtt_timed = false;  // Karn
    if (!connection.rto_armed) arm_rto(connection, now);
    counters_.retransmissions.add();
    counters_.retransmitted_bytes.add(bytes);
    return true;
}

bool Tcp::depart_new(TcpConnection& connection, OutSegment& out, Instant now,
                     uint32_t burst_bytes, uint32_t slices_max) {
    if (connection.fin_sent) return false;
    const uint32_t flight = connection.in_flight();
    const uint32_t waiting = connection.out.bytes_queued() - flight;
    if (waiting == 0 && !connection.fin_wanted) return false;
    uint32_t bytes = 0;
    if (waiting > 0) {
        // RFC 5681 4.1. The last segment of the peer stands for our last one: it acknowledged it.
        if (flight == 0 && !connection.probing &&
            clock_ms(now) - connection.last_received_ms >
                to_ms32(connection.rtt.rto(settings_.rtt))) {
            connection.congestion.on_idle(connection.mss);
        }
        bytes = new_bytes_allowed(connection, waiting, burst_bytes, now);
        if (bytes == 0) return false;
        bytes = bytes_in_slices(connection.out, flight, bytes, slices_max);
    }
    const bool is_last = bytes == waiting;
    fill(connection, out, connection.snd_nxt, bytes, now);
    if (is_last && bytes > 0) out.flags |= tcp_flag::psh;
    if (is_last && connection.fin_wanted) {
        out.flags |= tcp_flag::fin;
        connection.fin_sent = true;
    }
    note_sent(connection, bytes + (connection.fin_sent ? 1 : 0), now);
    counters_.bytes_out.add(bytes);
    return true;
}

// How much of `waiting` may go now, by the peer's window, by congestion, and by the sender's side
// of silly-window avoidance (RFC 9293 3.8.6.2.1; there's no Nagle: all that waits may go).
uint32_t Tcp::new_bytes_allowed(TcpConnection& connection, uint32_t waiting, uint32_t burst_bytes,
                                Instant now) {
    const uint32_t mss = connection.mss;
    const uint32_t flight = connection.in_flight();
    const uint32_t window = connection.snd_wnd > flight ? connection.snd_wnd - flight : 0;
    const uint32_t cwnd = connection.congestion.cwnd();
    const uint32_t in_pipe = pipe(connection);
    const uint32_t congestion = cwnd > in_pipe ? cwnd - in_pipe : 0;
    if (congestion < std::min(waiting, window)) connection.cwnd_limited = true;
    const uint32_t most = std::max(mss, burst_bytes / mss * mss);
    const uint32_t bytes = std::min({waiting, window, congestion, most});
    if (bytes == waiting) return bytes;
    if (bytes >= mss) return bytes / mss * mss;
    if (congestion < mss && congestion <= window) return 0;  // an ACK will come
    if (bytes > 0 && bytes >= connection.snd_wnd_max / 2) return bytes;
    if (flight == 0) arm_probe(connection, now);
    return 0;
}

void Tcp::fill(TcpConnection& connection, OutSegment& out, SeqNumber seq, uint32_t payload_bytes,
               Instant now) {
    out.seq = seq;
    out.ack = connection.rcv_nxt;
    out.flags = tcp_flag::ack;
    out.payload_bytes = payload_bytes;
    out.ring_offset = payload_bytes > 0 ? seq - connection.snd_una : 0;
    if (connection.has_timestamps) {
        out.options.set_timestamps(connection.timestamp_at(now), connection.ts_recent);
    }
    widen_window(connection);
    out.window = connection.window_field();
    const bool wants_sack = connection.has_sack && !connection.reassembly.empty();
    // A full segment has no room for SACK blocks: a bare ACK follows, which has.
    if (!wants_sack || payload_bytes == 0) connection.ack_now = false;
    if (wants_sack && payload_bytes == 0) fill_sack(connection, out);
    connection.ack_delayed = false;
    connection.ack_sent = connection.rcv_nxt;
}

void Tcp::fill_sack(const TcpConnection& connection, OutSegment& out) const {
    const uint32_t room = connection.has_timestamps ? 3 : TcpOptions::sack_blocks_max;
    out.options.sack_count = static_cast<uint8_t>(connection.reassembly.sack_blocks(
        connection.rcv_nxt, std::span(out.options.sack).first(room)));
}

// The widest window that can be announced.
uint32_t Tcp::window_most(const TcpConnection& connection) const {
    return connection.rcv_scale == 0
               ? std::min<uint32_t>(settings_.receive_window_bytes, UINT16_MAX)
               : settings_.receive_window_bytes;
}

// The receiver's side of silly-window avoidance (RFC 9293 3.8.6.2.2): the edge moves by a segment
// or half the window at least. A paused receiver's edge stands still, and never goes back.
void Tcp::widen_window(TcpConnection& connection) const {
    if (connection.receive_paused && !connection.discard_received) return;
    const uint32_t most = window_most(connection);
    const SeqNumber wanted = connection.rcv_nxt + most;
    if (wanted <= connection.rcv_edge) return;
    if (wanted - connection.rcv_edge < std::min<uint32_t>(most / 2, connection.mss)) return;
    connection.rcv_edge = wanted;
}

void Tcp::note_sent(TcpConnection& connection, uint32_t sequence_bytes, Instant now) {
    if (connection.in_flight() == 0) connection.backoff = 0;  // of keep-alives
    connection.snd_nxt += sequence_bytes;
    if (!connection.rtt_timed && connection.recovery == TcpRecovery::none) {
        connection.rtt_timed = true;
        connection.rtt_seq = connection.snd_nxt;
        connection.rtt_sent_us = clock_us(now);
    }
    // The tail's probe waits from the last transmission on (RFC 8985, 7.2).
    if (!connection.rto_armed || connection.tail_armed) arm_rto(connection, now);
}

// Bytes that are thought to be in the network.
uint32_t Tcp::pipe(const TcpConnection& connection) const {
    const uint32_t flight = connection.in_flight();
    const uint32_t left = uint32_t{connection.duplicate_acks} * connection.mss;
    // What is taken for lost as a whole: only what went again, or is new since, is on its way.
    const auto sent_again = [&connection] {
        return unsacked_bytes(connection.scoreboard, connection.snd_una,
                              later(connection.high_rxt, connection.snd_una)) +
               (connection.recovery_end < connection.snd_nxt
                    ? connection.snd_nxt - connection.recovery_end
                    : 0);
    };
    switch (connection.recovery) {
    case TcpRecovery::none: {
        // Limited transmit (RFC 3042): two duplicate ACKs let one new segment go each.
        const uint32_t limited = std::min(left, 2u * connection.mss);
        return flight - std::min(flight, limited);
    }
    case TcpRecovery::fast:
        if (connection.scoreboard != nullptr && connection.tail_probed) return sent_again();
        if (connection.scoreboard != nullptr) {
            return connection.scoreboard->pipe(connection.snd_una, connection.snd_nxt,
                                               later(connection.high_rxt, connection.snd_una),
                                               connection.mss);
        }
        return flight - std::min(flight, left);
    case TcpRecovery::loss:
        return sent_again();
    }
    MR_UNREACHABLE();
}

}  // namespace millrace
