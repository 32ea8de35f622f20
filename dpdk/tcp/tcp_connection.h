// A connection's control block (RFC 9293, 3.3.1), laid out by who touches it when.
// Owned by: the stack's transport, from accept or connect() until the turn that delivered `closed`
//           has ended and the engine has no more to say. On its own shard only.
// Holds:    the send ring of the base is the retransmission queue: its oldest byte is SND.UNA
//           (SYN and FIN have no byte there), and bytes leave it when they're acknowledged.
// Not here: what happens to it (tcp.h). Listening and TIME-WAIT have smaller stand-ins.
//
//   lines 0, 1   Connection: ring, flags, the layer above's room; the timer
//   line 2       every segment, in and out
//   line 3       round trips, congestion, recovery
//   line 4       the 4-tuple: for the flow table and the headers
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "net/connection.h"
#include "runtime/timer_wheel.h"
#include "tcp/clock.h"
#include "tcp/congestion.h"
#include "tcp/flow_key.h"
#include "tcp/reassembly.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/seq.h"

namespace millrace {

enum class TcpState : uint8_t {
    closed,        // new, or over: nothing is sent and nothing is accepted
    syn_sent,
    syn_received,  // of a simultaneous open; a passive one waits in half_open.h
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,     // reached, and left at once for a TimeWait
};

constexpr bool may_follow(TcpState from, TcpState to) {
    using enum TcpState;
    if (to == closed) return true;
    switch (from) {
    case closed: return to == syn_sent || to == established;
    case syn_sent: return to == syn_received || to == established;
    case syn_received: return to == established || to == fin_wait_1 || to == close_wait;
    case established: return to == fin_wait_1 || to == close_wait;
    case fin_wait_1: return to == fin_wait_2 || to == closing || to == time_wait;
    case fin_wait_2: return to == time_wait;
    case close_wait: return to == last_ack;
    case closing: return to == time_wait;
    case last_ack: return false;
    case time_wait: return false;
    }
    MR_UNREACHABLE();
}

enum class TcpRecovery : uint8_t {
    none,
    fast,   // entered by duplicate ACKs or SACK (RFC 6582, 6675)
    loss,   // entered by a timeout: everything unacknowledged is taken for lost
};

struct TcpConnection : Connection {
    static constexpr uint8_t duplicate_acks_max = 31;

    TimerEntry timer;              // started while any deadline below is set; may be early

    // Line 2.
    SeqNumber snd_una;
    SeqNumber snd_nxt;             // one past the highest byte ever sent
    uint32_t snd_wnd = 0;          // the peer's, scaled
    SeqNumber snd_wl1;
    SeqNumber snd_wl2;
    SeqNumber rcv_nxt;
    SeqNumber rcv_edge;            // one past the last byte that we've announced room for
    SeqNumber ack_sent;            // RCV.NXT as of our last segment
    uint32_t ts_recent = 0;
    uint32_t ts_offset = 0;
    uint32_t ack_at_ms = 0;        // valid with ack_delayed
    uint32_t rto_at_ms = 0;        // valid with rto_armed: retransmission or zero-window probe
    uint16_t mss = 0;              // of what we send, options deducted
    TcpState state_ = TcpState::closed;
    uint8_t snd_scale : 4 = 0;
    uint8_t rcv_scale : 4 = 0;
    TcpRecovery recovery : 2 = TcpRecovery::none;
    uint8_t duplicate_acks : 5 = 0;  // counts no further than duplicate_acks_max
    bool tail_probed : 1 = false;  // a tail loss probe was sent: SND.UNA hasn't moved since
    uint8_t backoff = 0;           // timeouts, zero-window probes or keep-alives in a row
    bool has_timestamps : 1 = false;
    bool has_sack : 1 = false;
    bool ack_now : 1 = false;      // a segment has to go out even without data
    bool ack_delayed : 1 = false;
    bool rto_armed : 1 = false;
    bool probing : 1 = false;      // rto_at_ms is the persist timer's
    bool probe_now : 1 = false;    // one zero-window probe is to go out
    bool fin_wanted : 1 = false;   // FIN after everything in the ring
    bool fin_sent : 1 = false;     // its number is snd_nxt - 1
    bool syn_now : 1 = false;      // SYN or SYN-ACK has to go out (again)
    bool rtt_timed : 1 = false;
    bool cwnd_limited : 1 = false;
    bool keepalive_now : 1 = false;
    bool resend_now : 1 = false;   // the oldest hole, or the probed tail, goes at once, cwnd or not
    bool discard_received : 1 = false;   // the layer above is gone: acknowledge and forget
    bool tail_armed : 1 = false;   // rto_at_ms is a tail loss probe's

    // Line 3.
    RttEstimator rtt;
    Congestion congestion;
    uint32_t snd_wnd_max = 0;
    SeqNumber recovery_end;        // RecoveryPoint; valid while recovery isn't `none`
    SeqNumber high_rxt;            // [snd_una, high_rxt) was retransmitted in this recovery
    SeqNumber rtt_seq;             // valid with rtt_timed: an ACK beyond it ends the sample
    uint32_t rtt_sent_us = 0;
    uint32_t last_received_ms = 0;
    uint16_t mss_ceiling = 0;      // what path and peer allow, options not deducted
    uint16_t challenge_ms = 0;     // when the last challenge ACK left (RFC 5961, 7); wraps

    // Line 4.
    FlowNode flow;                 // of_flow() finds the way back
    Scoreboard* scoreboard = nullptr;  // in recovery with SACK; borrowed from the heap
    Reassembly reassembly;

    TcpState state() const { return state_; }
    void set_state(TcpState to) {
        MR_ASSERT(may_follow(state_, to));
        state_ = to;
    }
    // Our clock as this connection tells it (RFC 7323, 5.4).
    uint32_t timestamp_at(Instant now) const { return clock_ms(now) + ts_offset; }
    // What the options of an ordinary segment take of the MSS: timestamps, padded (RFC 7323,
    // appendix A).
    uint16_t option_bytes() const { return has_timestamps ? uint16_t{12} : uint16_t{0}; }
    // The window field of what is sent now.
    uint16_t window_field() const {
        const uint32_t window = rcv_nxt < rcv_edge ? rcv_edge - rcv_nxt : 0;
        return static_cast<uint16_t>(std::min<uint32_t>(window >> rcv_scale, UINT16_MAX));
    }
    // Bytes of the sequence space in flight.
    uint32_t in_flight() const { return snd_nxt - snd_una; }
    bool is_synchronized() const { return state_ >= TcpState::established; }

    static TcpConnection& of(Connection& connection) {
        return static_cast<TcpConnection&>(connection);
    }
    static TcpConnection& of_timer(TimerEntry& timer) {
        return *reinterpret_cast<TcpConnection*>(reinterpret_cast<std::byte*>(&timer) -
                                                 offset_of_timer());
    }
    static TcpConnection& of_flow(FlowNode& flow) {
        return *reinterpret_cast<TcpConnection*>(reinterpret_cast<std::byte*>(&flow) -
                                                 offset_of_flow());
    }
    static constexpr size_t offset_of_timer();
    static constexpr size_t offset_of_flow();
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr size_t TcpConnection::offset_of_timer() { return offsetof(TcpConnection, timer); }
constexpr size_t TcpConnection::offset_of_flow() { return offsetof(TcpConnection, flow); }
#pragma GCC diagnostic pop

static_assert(sizeof(TcpConnection) == 320);  // five cache lines

}  // namespace millrace
