// The TCP engine: segments and times in, state and segments out (RFC 9293, section 3.10).
// Owned by: a stack; one for all its connections. It keeps no connection: each call names one.
// Holds:    it reads no clock, owns no socket and draws no randomness. Calls note what is to be
//           sent; depart() makes it, one segment a call, when the stack's turn ends.
// Not here: listening, handshakes of accepted connections (half_open.h), TIME-WAIT (time_wait.h),
//           addresses, checksums.
//
//   arrive.cc   a segment came           depart.cc   what to send now
//   acknowledge.cc   what an ACK does    timers.cc   what a deadline does
#pragma once

#include <optional>

#include "base/time.h"
#include "runtime/block.h"
#include "runtime/ledger.h"
#include "runtime/timer_wheel.h"
#include "tcp/handshake.h"
#include "tcp/rtt.h"
#include "tcp/segment.h"
#include "tcp/tcp_connection.h"

namespace millrace {

struct TcpSettings {
    CongestionAlgorithm congestion = CongestionAlgorithm::cubic;
    uint32_t receive_window_bytes = 256 * 1024;   // at most 1 GiB
    RttBounds rtt{};
    Duration ack_delay = Duration::ms(40);        // RFC 9293 3.8.6.3: at most 500 ms
    uint8_t syn_retries_max = 6;
    // A connection whose output makes no progress that long is given up (R2 of RFC 9293 3.8.3;
    // the user timeout of RFC 5482).
    Duration send_timeout = Duration::s(120);
    // RFC 9293 3.8.4. Zero: none are sent.
    Duration keepalive_idle = Duration::s(0);
    Duration keepalive_interval = Duration::s(75);
    uint8_t keepalive_probes_max = 9;
    // FIN-WAIT-2 ends after that without a FIN of the peer.
    Duration fin_wait_2 = Duration::s(2);
    // Tail loss probes (RFC 8985, 7): the last segment goes again after two round trips without an
    // acknowledgement, long before the retransmission timeout. With SACK only.
    bool tail_loss_probe = true;
    uint16_t mss_min = 536;                       // where path MTU black holes end the search
};

// Totals since the start: every reason for which a segment was dropped or answered, by name.
struct TcpCounters {
    Counter segments_in, segments_out, bytes_in_order, bytes_out;
    Counter out_of_order, duplicates, dropped_paws, dropped_outside_window, dropped_bad_ack,
        dropped_no_ack, dropped_no_memory, dropped_reset_bad_sequence, dropped_syn_in_window,
        dropped_state, resets_received, challenge_acks, challenge_acks_suppressed;
    Counter retransmissions, retransmitted_bytes, timeouts, fast_recoveries, tail_probes, probes,
        keepalives, keepalive_failures, send_timeouts, mtu_reductions, black_holes;
};

// What a call has led to, for the stack to act on.
struct TcpOutcome {
    Bytes in_order;                // deliver: new bytes of this segment, borrowed from it
    bool ready_chunks = false;     // deliver: take_ready() has more, after in_order
    bool connected = false;        // syn_sent or syn_received has become established
    uint32_t acknowledged_bytes = 0;  // the send ring got shorter by that
    bool peer_finished = false;    // FIN: nothing comes after the bytes above
    bool fin_acknowledged = false; // ours
    bool time_wait = false;        // hand it over to a TimeWait now
    bool output = false;           // depart() may have something
    bool answer_reset = false;     // the segment gets the RST of reset_for(); nothing else changed
    CloseReason ended = CloseReason::none;  // the connection is closed, for that reason
};

class Tcp {
public:
    Tcp(const TcpSettings& settings, Heap& heap, BlockPool& blocks, TimerWheel& wheel,
        TcpCounters& counters);

    // Active open (RFC 9293 3.10.1). `mss` is what fits the path without IP and TCP options.
    void open(TcpConnection& connection, SeqNumber iss, uint16_t mss, uint32_t timestamp_offset,
              Instant now);
    // An accepted connection. `window` is the last ACK's, as on the wire. That ACK is then handed
    // to arrive(), since it may carry data.
    void accept(TcpConnection& connection, const Handshake& handshake, uint16_t window,
                uint16_t mss, Instant now);

    TcpOutcome arrive(TcpConnection& connection, const Segment& segment, Instant now);
    // Makes the next segment that is due; false when there's none. `burst_bytes` is how much
    // payload one may carry: 0 means one MSS, more is for segmentation offload.
    // `slices_max` bounds how many parts of the ring a payload is made of.
    bool depart(TcpConnection& connection, OutSegment& out, Instant now, uint32_t burst_bytes = 0,
                uint32_t slices_max = 8);
    // The connection's entry in the wheel has fired.
    TcpOutcome on_timer(TcpConnection& connection, Instant now);

    // The layer above has queued output, or has resumed receiving: says whether depart() has
    // something.
    bool on_output(TcpConnection& connection, Instant now);
    // FIN after what is queued (3.10.4).
    void close(TcpConnection& connection, Instant now);
    // The RST that tells the peer (3.10.5); false when there's nobody to tell. The connection is
    // closed, its memory given back.
    bool abort(TcpConnection& connection, OutSegment& reset, Instant now);
    // The layer above takes no more (or takes again): the window closes as it fills.
    void set_paused(TcpConnection& connection, bool paused, Instant now);
    // Bytes that were received before, in order; the caller frees the chunk
    // (Reassembly::free_chunk). Null when there's none.
    ReassemblyChunk* take_ready(TcpConnection& connection);
    // An ICMP error said that datagrams of `mtu_payload` bytes behind the IP header are the most
    // (RFC 5927: only when its sequence number is in flight).
    void on_path_mtu(TcpConnection& connection, SeqNumber quoted, uint32_t mtu_payload,
                     Instant now);
    // Takes everything back that the connection borrowed. The state is `closed` afterwards.
    void release(TcpConnection& connection);

    // The answer to a segment that belongs to no connection (3.10.7.1); false when it gets none.
    static bool reset_for(const Segment& segment, OutSegment& reset);
    // The window scale that our receive window needs.
    uint8_t receive_scale() const;
    // The window in a segment with SYN, which isn't scaled (RFC 7323, 2.2).
    uint16_t syn_window() const;
    const TcpSettings& settings() const { return settings_; }
    // Holds for every connection from its next timer on.
    void set_send_timeout(Duration timeout) { settings_.send_timeout = timeout; }
    // Checks what always holds; asserts. Slow.
    void verify(const TcpConnection& connection) const;

private:
    // arrive.cc
    void arrive_syn_sent(TcpConnection& connection, const Segment& segment, Instant now,
                         TcpOutcome& outcome);
    void arrive_synchronized(TcpConnection& connection, Segment segment, Instant now,
                             TcpOutcome& outcome);
    bool timestamps_allow(TcpConnection& connection, const Segment& segment, Instant now);
    bool is_acceptable(TcpConnection& connection, const Segment& segment, Instant now);
    bool reset_or_syn_ends(TcpConnection& connection, const Segment& segment, Instant now,
                           TcpOutcome& outcome);
    bool check_ack(TcpConnection& connection, const Segment& segment, Instant now,
                   TcpOutcome& outcome);
    void arrive_text(TcpConnection& connection, const Segment& segment, Instant now,
                     TcpOutcome& outcome);
    void arrive_in_order(TcpConnection& connection, Bytes bytes, Instant now,
                         TcpOutcome& outcome);
    void drop_ready(TcpConnection& connection);
    void arrive_fin(TcpConnection& connection, const Segment& segment, TcpOutcome& outcome);
    void learn_options(TcpConnection& connection, const TcpOptions& options);
    void challenge(TcpConnection& connection, Instant now);

    // acknowledge.cc
    void acknowledge(TcpConnection& connection, const Segment& segment, Instant now,
                     TcpOutcome& outcome);
    uint32_t learn_sack(TcpConnection& connection, const Segment& segment);
    void advance(TcpConnection& connection, const Segment& segment, Instant now,
                 TcpOutcome& outcome);
    void advance_recovery(TcpConnection& connection, uint32_t acked_bytes, Instant now);
    void sample_rtt(TcpConnection& connection, const Segment& segment, Instant now);
    void add_sample(TcpConnection& connection, Duration round_trip);
    void on_fin_acknowledged(TcpConnection& connection, Instant now, TcpOutcome& outcome);
    bool update_window(TcpConnection& connection, const Segment& segment);
    void detect_loss(TcpConnection& connection, bool is_duplicate, Instant now);
    static void enter_recovery(TcpConnection& connection, TcpRecovery recovery);
    void leave_recovery(TcpConnection& connection);

    // depart.cc
    bool depart_syn(TcpConnection& connection, OutSegment& out, Instant now);
    bool depart_probe(TcpConnection& connection, OutSegment& out, Instant now,
                      uint32_t slices_max);
    bool depart_again(TcpConnection& connection, OutSegment& out, Instant now,
                      uint32_t slices_max);
    bool depart_new(TcpConnection& connection, OutSegment& out, Instant now,
                    uint32_t burst_bytes, uint32_t slices_max);
    uint32_t new_bytes_allowed(TcpConnection& connection, uint32_t waiting, uint32_t burst_bytes,
                               Instant now);
    void fill(TcpConnection& connection, OutSegment& out, SeqNumber seq, uint32_t payload_bytes,
              Instant now);
    void fill_sack(const TcpConnection& connection, OutSegment& out) const;
    uint32_t window_most(const TcpConnection& connection) const;
    void widen_window(TcpConnection& connection) const;
    void note_sent(TcpConnection& connection, uint32_t sequence_bytes, Instant now);
    std::optional<SeqRange> next_again(const TcpConnection& connection) const;
    uint32_t pipe(const TcpConnection& connection) const;

    // timers.cc
    void arm_rto(TcpConnection& connection, Instant now);
    void arm_probe(TcpConnection& connection, Instant now);
    void disarm_rto(TcpConnection& connection);
    void delay_ack(TcpConnection& connection, Instant now);
    void schedule(TcpConnection& connection, Instant now);
    void on_timeout(TcpConnection& connection, Instant now, TcpOutcome& outcome);
    void on_retransmission_timeout(TcpConnection& connection, Instant now);
    void on_tail_timeout(TcpConnection& connection, Instant now);
    bool may_probe_tail(const TcpConnection& connection) const;
    Duration tail_delay(const TcpConnection& connection) const;
    void on_probe_timeout(TcpConnection& connection, Instant now, TcpOutcome& outcome);
    bool on_keepalive(TcpConnection& connection, Instant now, TcpOutcome& outcome);
    uint32_t keepalive_at_ms(const TcpConnection& connection) const;
    void shrink_after_black_hole(TcpConnection& connection);
    void reduce_mss(TcpConnection& connection, uint16_t mss);

    void end(TcpConnection& connection, CloseReason reason, TcpOutcome& outcome);

    TcpSettings settings_;
    Heap& heap_;
    BlockPool& blocks_;
    TimerWheel& wheel_;
    TcpCounters& counters_;
};

}  // namespace millrace
