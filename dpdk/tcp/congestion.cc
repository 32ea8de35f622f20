#include "tcp/congestion.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace {

namespace {

// L of RFC 3465, 2.2 and 2.3: how many segments an ACK may add in slow start; one after a timeout,
// where an ACK can cover what had arrived long before.
constexpr uint32_t slow_start_segments_max = 2;
constexpr uint32_t slow_start_segments_max_after_timeout = 1;
// RFC 5681, (4): the least slow start threshold.
constexpr uint32_t threshold_segments_min = 2;
// RFC 5681, 3.1: the loss window.
constexpr uint32_t loss_window_segments = 1;

// RFC 6928, section 2: min(10 * MSS, max(2 * MSS, 14600)).
uint32_t initial_window(uint32_t mss) {
    return std::min(10 * mss, std::max<uint32_t>(2 * mss, 14'600));
}

}  // namespace

void Congestion::start(uint32_t mss) {
    MR_ASSERT(mss > 0);
    *this = {};
    cwnd_ = initial_window(mss);
}

void Congestion::set_cwnd(uint64_t bytes) {
    cwnd_ = static_cast<uint32_t>(std::min<uint64_t>(bytes, cwnd_max));
}

void Congestion::on_ack(CongestionAlgorithm algorithm, uint32_t mss, uint32_t acked_bytes,
                        bool was_limited, Duration smoothed_rtt, Instant now) {
    if (!was_limited) {
        pause_epoch(now);
        return;
    }
    if (in_slow_start()) grow_slow_start(mss, acked_bytes);
    if (in_slow_start() || acked_bytes == 0) return;
    switch (algorithm) {
    case CongestionAlgorithm::cubic:
        grow_cubic(mss, acked_bytes, smoothed_rtt, now);
        return;
    case CongestionAlgorithm::reno:
        grow_reno(mss, acked_bytes);
        return;
    }
    MR_UNREACHABLE();
}

// RFC 5681, (2), by bytes (RFC 3465, 2.2). What is left over when ssthresh was reached counts for
// congestion avoidance.
void Congestion::grow_slow_start(uint32_t mss, uint32_t& acked_bytes) {
    const uint32_t counted = std::min(acked_bytes, slow_start_segments_max * mss);
    const uint32_t growth = std::min(counted, ssthresh_ - cwnd_);
    set_cwnd(uint64_t{cwnd_} + growth);
    acked_bytes = counted - growth;
}

void Congestion::lower_threshold(CongestionAlgorithm algorithm, uint32_t mss,
                                 uint32_t flight_bytes) {
    // More than cwnd can be in flight, by limited transmit (RFC 5681, 3.2, step 2, leaves it out)
    // or when cwnd was cut in between. It doesn't make the threshold larger.
    const uint32_t flight = std::min(flight_bytes, cwnd_);
    const uint32_t threshold = algorithm == CongestionAlgorithm::cubic ? cubic_threshold(flight)
                                                                       : reno_threshold(flight);
    ssthresh_ = std::max(threshold, threshold_segments_min * mss);
}

void Congestion::on_loss(CongestionAlgorithm algorithm, uint32_t mss, uint32_t flight_bytes) {
    note_reduction();
    lower_threshold(algorithm, mss, flight_bytes);
    cwnd_ = ssthresh_;
}

void Congestion::on_timeout(CongestionAlgorithm algorithm, uint32_t mss, uint32_t flight_bytes,
                            bool is_first) {
    note_reduction();
    if (is_first) lower_threshold(algorithm, mss, flight_bytes);
    // RFC 9438, 4.8: the next congestion avoidance starts with K = 0 and W_max = cwnd.
    w_max_ = 0;
    cwnd_ = loss_window_segments * mss;
}

void Congestion::on_recovery_ack(uint32_t mss, uint32_t acked_bytes) {
    if (!in_slow_start()) return;
    const uint32_t counted = std::min(acked_bytes, slow_start_segments_max_after_timeout * mss);
    set_cwnd(std::min(uint64_t{cwnd_} + counted, uint64_t{ssthresh_}));
}

void Congestion::on_idle(uint32_t mss) {
    // RFC 5681, 4.1: RW = min(IW, cwnd).
    cwnd_ = std::min(cwnd_, initial_window(mss));
    end_epoch();
}

void Congestion::on_mss(uint32_t mss) {
    MR_ASSERT(mss > 0);
    const bool had_loss = ssthresh_ != UINT32_MAX;
    if (had_loss) {
        ssthresh_ = std::max(ssthresh_, threshold_segments_min * mss);
    } else {
        cwnd_ = std::min(cwnd_, initial_window(mss));
    }
    cwnd_ = std::max(cwnd_, mss);
    end_epoch();
}

}  // namespace millrace
