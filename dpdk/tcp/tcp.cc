#include "tcp/tcp.h"

#include <algorithm>
#include <bit>

#include "tcp/clock.h"

namespace millrace {

namespace {

constexpr uint8_t window_scale_max = 14;  // RFC 7323, 2.3

}  // namespace

Tcp::Tcp(const TcpSettings& settings, Heap& heap, BlockPool& blocks, TimerWheel& wheel,
         TcpCounters& counters)
    : settings_(settings), heap_(heap), blocks_(blocks), wheel_(wheel), counters_(counters) {}

uint8_t Tcp::receive_scale() const {
    const uint32_t wide = settings_.receive_window_bytes >> 16;
    return static_cast<uint8_t>(std::min<uint32_t>(std::bit_width(wide), window_scale_max));
}

uint16_t Tcp::syn_window() const {
    return static_cast<uint16_t>(std::min<uint32_t>(settings_.receive_window_bytes, UINT16_MAX));
}

void Tcp::open(TcpConnection& connection, SeqNumber iss, uint16_t mss, uint32_t timestamp_offset,
               Instant now) {
    connection.set_state(TcpState::syn_sent);
    connection.snd_una = iss;
    connection.snd_nxt = iss;
    connection.recovery_end = iss;  // RFC 6582, 3.2 step 1
    connection.mss_ceiling = mss;
    connection.mss = mss;
    connection.ts_offset = timestamp_offset;
    connection.rcv_scale = receive_scale() & 0xf;
    connection.syn_now = true;
    connection.send_progress_ms = clock_ms(now);
    connection.last_received_ms = clock_ms(now);
}

void Tcp::accept(TcpConnection& connection, const Handshake& handshake, uint16_t window,
                 uint16_t mss, Instant now) {
    connection.set_state(TcpState::established);
    connection.snd_una = handshake.iss + 1;
    connection.snd_nxt = handshake.iss + 1;
    connection.recovery_end = handshake.iss;  // RFC 6582, 3.2 step 1
    connection.rcv_nxt = handshake.irs + 1;
    connection.ack_sent = connection.rcv_nxt;
    connection.rcv_edge = connection.rcv_nxt + syn_window();  // what the SYN-ACK announced
    connection.mss_ceiling = mss;
    connection.ts_offset = handshake.timestamp_offset;
    connection.rcv_scale = receive_scale() & 0xf;
    connection.last_received_ms = clock_ms(now);
    TcpOptions options;
    options.mss = handshake.peer_mss;
    options.has_window_scale = handshake.has_window_scale;
    options.window_scale = handshake.send_scale;
    options.sack_permitted = handshake.has_sack;
    options.has_timestamps = handshake.has_timestamps;
    options.timestamp_value = handshake.timestamp_recent;
    learn_options(connection, options);
    connection.snd_wl1 = handshake.irs;
    connection.snd_wl2 = connection.snd_una;
    connection.snd_wnd = uint32_t{window} << connection.snd_scale;
    connection.snd_wnd_max = connection.snd_wnd;
    schedule(connection, now);
}

// What both sides agreed on: an option is in use when both have sent it (RFC 7323 2.5 and 3.2,
// RFC 2018 2); we always offer all of them.
void Tcp::learn_options(TcpConnection& connection, const TcpOptions& options) {
    connection.has_timestamps = options.has_timestamps;
    connection.has_sack = options.sack_permitted;
    connection.snd_scale = options.has_window_scale ? options.window_scale & 0xf : 0;
    if (!options.has_window_scale) connection.rcv_scale = 0;
    if (options.has_timestamps) connection.ts_recent = options.timestamp_value;
    // RFC 9293 3.7.1: without the option, the peer takes 536. Less than 88 leaves no room beside
    // options and is nobody's honest wish (the floor that Linux has).
    const uint16_t offered = options.mss == 0 ? uint16_t{536} : std::max<uint16_t>(options.mss, 88);
    connection.mss_ceiling = std::min(connection.mss_ceiling, offered);
    connection.mss = static_cast<uint16_t>(connection.mss_ceiling - connection.option_bytes());
    connection.congestion.start(connection.mss);
}

bool Tcp::on_output(TcpConnection& connection, Instant now) {
    if (connection.in_flight() == 0 && !connection.probing && !connection.out.empty()) {
        connection.send_progress_ms = clock_ms(now);
    }
    return connection.state() != TcpState::closed;
}

void Tcp::close(TcpConnection& connection, Instant now) {
    switch (connection.state()) {
    case TcpState::syn_received:
        break;  // FIN-WAIT-1 begins when the SYN is acknowledged (arrive.cc)
    case TcpState::established:
        connection.set_state(TcpState::fin_wait_1);
        break;
    case TcpState::close_wait:
        connection.set_state(TcpState::last_ack);
        break;
    case TcpState::syn_sent:
        release(connection);
        return;
    case TcpState::closed:
    case TcpState::fin_wait_1:
    case TcpState::fin_wait_2:
    case TcpState::closing:
    case TcpState::last_ack:
    case TcpState::time_wait:
        return;
    }
    connection.fin_wanted = true;
    if (connection.in_flight() == 0 && !connection.probing) {
        connection.send_progress_ms = clock_ms(now);
    }
}

bool Tcp::abort(TcpConnection& connection, OutSegment& reset, Instant now) {
    const bool tells = connection.state() != TcpState::closed &&
                       connection.state() != TcpState::syn_sent &&
                       connection.state() != TcpState::time_wait;
    if (tells) {
        reset = {};
        reset.seq = connection.snd_nxt;
        reset.ack = connection.rcv_nxt;
        reset.flags = tcp_flag::rst | tcp_flag::ack;
        if (connection.has_timestamps) {
            reset.options.set_timestamps(connection.timestamp_at(now), connection.ts_recent);
        }
        counters_.segments_out.add();
    }
    release(connection);
    return tells;
}

void Tcp::set_paused(TcpConnection& connection, bool paused, Instant now) {
    if (paused || !connection.is_synchronized()) return;
    // The window opens again: worth a segment once it's worth sending into (RFC 9293 3.8.6.2.2).
    const uint32_t most = window_most(connection);
    const uint32_t gain = connection.rcv_nxt + most - connection.rcv_edge;
    if (gain >= std::min<uint32_t>(most / 2, 2u * connection.mss)) {
        connection.ack_now = true;
    }
    schedule(connection, now);
}

ReassemblyChunk* Tcp::take_ready(TcpConnection& connection) {
    return connection.reassembly.take_ready(connection.rcv_nxt);
}

void Tcp::release(TcpConnection& connection) {
    wheel_.stop(connection.timer);
    connection.out.clear(heap_, blocks_);
    connection.reassembly.clear(heap_);
    leave_recovery(connection);
    connection.ack_now = connection.ack_delayed = connection.rto_armed = false;
    connection.syn_now = connection.probe_now = connection.keepalive_now = false;
    connection.resend_now = connection.fin_wanted = connection.probing = false;
    connection.set_state(TcpState::closed);
}

void Tcp::end(TcpConnection& connection, CloseReason reason, TcpOutcome& outcome) {
    outcome.ended = reason;
    release(connection);
}

// RFC 9293 3.10.7.1; the sequence number is one that the peer must accept.
bool Tcp::reset_for(const Segment& segment, OutSegment& reset) {
    if (segment.has(tcp_flag::rst)) return false;
    reset = {};
    if (segment.has(tcp_flag::ack)) {
        reset.seq = segment.ack;
        reset.flags = tcp_flag::rst;
    } else {
        reset.ack = segment.seq + segment.sequence_bytes();
        reset.flags = tcp_flag::rst | tcp_flag::ack;
    }
    return true;
}

void Tcp::verify(const TcpConnection& connection) const {
    if (connection.state() == TcpState::closed) {
        MR_ASSERT(!connection.timer.started());
        MR_ASSERT(connection.scoreboard == nullptr);
        MR_ASSERT(connection.reassembly.empty());
        return;
    }
    MR_ASSERT(connection.snd_una <= connection.snd_nxt);
    const uint32_t data_bytes = connection.out.bytes_queued();
    MR_ASSERT(connection.in_flight() <= uint64_t{data_bytes} + 1);  // SYN or FIN
    if (connection.fin_sent) MR_ASSERT(connection.in_flight() <= data_bytes + 1);
    else if (connection.is_synchronized()) MR_ASSERT(connection.in_flight() <= data_bytes);
    if (connection.rto_armed || connection.ack_delayed) MR_ASSERT(connection.timer.started());
    if (!connection.is_synchronized()) return;
    MR_ASSERT(connection.rcv_nxt <= connection.rcv_edge + 1);  // a FIN may stand on the edge
    MR_ASSERT(connection.ack_sent <= connection.rcv_nxt);
    MR_ASSERT(connection.congestion.cwnd() >= connection.mss);
    if (connection.in_flight() > 0) MR_ASSERT(connection.rto_armed);
    if (connection.recovery != TcpRecovery::none) {
        MR_ASSERT(connection.recovery_end <= connection.snd_nxt);
        MR_ASSERT(connection.snd_una <= connection.recovery_end);
        MR_ASSERT(connection.high_rxt <= connection.snd_nxt);
    } else {
        MR_ASSERT(connection.scoreboard == nullptr || connection.has_sack);
    }
}

}  // namespace millrace
