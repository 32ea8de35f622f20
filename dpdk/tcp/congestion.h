// How much may be in flight: slow start and congestion avoidance by CUBIC (RFC 9438) or NewReno
// (RFC 5681), chosen for all connections of a stack.
// Owned by: its connection. Bytes everywhere; `mss` is the sender's, options deducted.
// Holds:    cwnd is never below one mss, nor above what a window can be (RFC 7323, 2.3).
// Not here: detecting loss (arrive.cc, scoreboard.h), what is in flight.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

enum class CongestionAlgorithm : uint8_t { cubic, reno };

class Congestion {
public:
    static constexpr uint32_t cwnd_max = (1u << 30) - 1;

    // Initial window of 10 segments, bounded as RFC 6928 says.
    void start(uint32_t mss);
    // `acked_bytes` of new data were acknowledged outside of recovery. `was_limited`: cwnd kept the
    // sender from sending (RFC 9438 5.8, RFC 7661 in spirit): else the window doesn't grow.
    void on_ack(CongestionAlgorithm algorithm, uint32_t mss, uint32_t acked_bytes,
                bool was_limited, Duration smoothed_rtt, Instant now);
    // Loss was found by duplicate ACKs or SACK: a new ssthresh, cwnd = ssthresh.
    void on_loss(CongestionAlgorithm algorithm, uint32_t mss, uint32_t flight_bytes);
    // A retransmission timeout (RFC 5681 3.1 (4), RFC 9438 4.8): cwnd = 1 mss. `is_first`: the
    // segment hadn't been sent again before, so ssthresh is lowered too.
    void on_timeout(CongestionAlgorithm algorithm, uint32_t mss, uint32_t flight_bytes,
                    bool is_first);
    // Grows in slow start during loss recovery after a timeout.
    void on_recovery_ack(uint32_t mss, uint32_t acked_bytes);
    // Idle for longer than an RTO (RFC 5681, 4.1): at most the restart window.
    void on_idle(uint32_t mss);
    // The segment size has changed (path MTU). Before the first loss, a window of smaller segments
    // is at most the initial one (RFC 5681, 3.1).
    void on_mss(uint32_t mss);

    uint32_t cwnd() const { return cwnd_; }
    uint32_t ssthresh() const { return ssthresh_; }
    bool in_slow_start() const { return cwnd_ < ssthresh_; }

private:
    void grow_slow_start(uint32_t mss, uint32_t& acked_bytes);
    void lower_threshold(CongestionAlgorithm algorithm, uint32_t mss, uint32_t flight_bytes);
    void set_cwnd(uint64_t bytes);

    // reno.cc
    static uint32_t reno_threshold(uint32_t flight_bytes) { return flight_bytes / 2; }
    void grow_reno(uint32_t mss, uint32_t acked_bytes);

    // cubic.cc
    static uint32_t cubic_threshold(uint32_t flight_bytes);
    void note_reduction();
    void grow_cubic(uint32_t mss, uint32_t acked_bytes, Duration smoothed_rtt, Instant now);
    void begin_epoch(uint32_t mss, Instant now);
    void pause_epoch(Instant now);
    void end_epoch();
    void grow_estimate(uint32_t mss, uint32_t acked_bytes);
    uint32_t w_cubic(uint32_t mss, int64_t t_ms) const;

    uint32_t cwnd_ = 0;
    uint32_t ssthresh_ = UINT32_MAX;
    // CUBIC: windows in bytes. Reno uses acked_ alone.
    uint32_t w_max_ = 0;         // 0: none is known, or a timeout has made it worthless
    uint32_t w_est_ = 0;         // valid with has_epoch_
    uint32_t cwnd_prior_ = 0;    // cwnd when ssthresh was last lowered
    uint32_t k_ms_ = 0;          // valid with has_epoch_
    uint32_t epoch_ms_ = 0;      // valid with has_epoch_: its begin by the shard's clock, wraps;
                                 // while paused: how long it had gone on
    uint32_t acked_ : 30 = 0;    // bytes not yet turned into growth
    bool has_epoch_ : 1 = false;
    bool is_paused_ : 1 = false;
};
static_assert(sizeof(Congestion) == 32);

}  // namespace millrace
