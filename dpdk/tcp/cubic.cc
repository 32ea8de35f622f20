// Congestion avoidance by CUBIC (RFC 9438). Windows are in bytes, where the RFC counts segments.
#include <algorithm>
#include <cmath>

#include "tcp/clock.h"
#include "tcp/congestion.h"

namespace millrace {

namespace {

// RFC 9438, 4.6: beta_cubic = 0.7.
constexpr uint32_t beta_tenths = 7;
// RFC 9438, 5.1: C = 0.4, in segments a second to the third.
constexpr double c_cubic = 0.4;

struct Ratio {
    uint32_t numerator;
    uint32_t denominator;
};
// RFC 9438, 4.3: alpha_cubic = 3 * (1 - beta) / (1 + beta), which has Reno's average window; and
// once W_est has come back to where the reduction was, Reno's own.
constexpr Ratio alpha_cubic{9, 17};
constexpr Ratio alpha_reno{1, 1};
// RFC 9438, 4.7: fast convergence remembers (1 + beta) / 2 of a window that fell short.
constexpr Ratio fast_convergence{17, 20};
// RFC 9438, 4.2: the target of one round trip is at most 1.5 times cwnd.
constexpr Ratio target_max{3, 2};

uint32_t scaled(uint32_t bytes, Ratio by) {
    return static_cast<uint32_t>(uint64_t{bytes} * by.numerator / by.denominator);
}

}  // namespace

uint32_t Congestion::cubic_threshold(uint32_t flight_bytes) {
    return scaled(flight_bytes, {beta_tenths, 10});
}

// RFC 9438, 4.6 and 4.7, before cwnd is lowered: what the window was.
void Congestion::note_reduction() {
    w_max_ = cwnd_ < w_max_ ? scaled(cwnd_, fast_convergence) : cwnd_;
    cwnd_prior_ = cwnd_;
    end_epoch();
}

void Congestion::end_epoch() {
    has_epoch_ = false;
    is_paused_ = false;
    acked_ = 0;
}

// RFC 9438, 4.2: t leaves out the time in which the application was the limit.
void Congestion::pause_epoch(Instant now) {
    if (!has_epoch_ || is_paused_) return;
    epoch_ms_ = clock_ms(now) - epoch_ms_;
    is_paused_ = true;
}

// A congestion avoidance stage begins with the window as it is.
void Congestion::begin_epoch(uint32_t mss, Instant now) {
    has_epoch_ = true;
    epoch_ms_ = clock_ms(now);
    w_est_ = cwnd_;
    if (cwnd_ >= w_max_) {
        // RFC 9438, 4.8 and 4.10: nothing is known of a maximum, so the search begins here.
        w_max_ = cwnd_;
        k_ms_ = 0;
        return;
    }
    // RFC 9438, Figure 2: K = cbrt((W_max - cwnd_epoch) / C).
    const double segments = static_cast<double>(w_max_ - cwnd_) / mss;
    k_ms_ = static_cast<uint32_t>(std::lround(std::cbrt(segments / c_cubic) * 1'000));
}

// RFC 9438, Figure 1: W_cubic(t) = C * (t - K)^3 + W_max.
uint32_t Congestion::w_cubic(uint32_t mss, int64_t t_ms) const {
    const double seconds = static_cast<double>(t_ms - int64_t{k_ms_}) / 1'000;
    const double growth = c_cubic * mss * seconds * seconds * seconds;
    const double window = static_cast<double>(w_max_) + growth;
    return static_cast<uint32_t>(std::clamp(window, 0.0, static_cast<double>(cwnd_max)));
}

// RFC 9438, 4.3: W_est += alpha * segments_acked / cwnd. Whole bytes are added, and the
// acknowledged bytes that made less than one are kept for the next ACK: on a large window no
// single one makes a byte.
void Congestion::grow_estimate(uint32_t mss, uint32_t acked_bytes) {
    const Ratio alpha = w_est_ < cwnd_prior_ ? alpha_cubic : alpha_reno;
    const uint64_t gain = uint64_t{mss} * alpha.numerator;
    const uint64_t window = uint64_t{cwnd_} * alpha.denominator;
    const uint64_t pending = std::min<uint64_t>(uint64_t{acked_} + acked_bytes, cwnd_max);
    const uint64_t step = pending * gain / window;
    const uint64_t used = (step * window + gain - 1) / gain;
    acked_ = static_cast<uint32_t>(pending - used) & cwnd_max;
    w_est_ = static_cast<uint32_t>(std::min<uint64_t>(w_est_ + step, cwnd_max));
}

void Congestion::grow_cubic(uint32_t mss, uint32_t acked_bytes, Duration smoothed_rtt,
                            Instant now) {
    if (!has_epoch_) {
        begin_epoch(mss, now);
    } else if (is_paused_) {
        epoch_ms_ = clock_ms(now) - epoch_ms_;
        is_paused_ = false;
    }
    const uint32_t counted = std::min(acked_bytes, cwnd_);
    grow_estimate(mss, counted);
    const int64_t t_ms = clock_ms(now) - epoch_ms_;
    // RFC 9438, 4.3: the Reno-friendly region.
    if (w_cubic(mss, t_ms) < w_est_) {
        cwnd_ = std::max(cwnd_, w_est_);
        return;
    }
    // RFC 9438, 4.2, 4.4 and 4.5: towards where the curve is a round trip from now. Rounded up, or
    // a window of many segments would never get to a target that is less than a byte an ACK away.
    const uint32_t most = scaled(cwnd_, target_max);
    const uint32_t target = std::clamp(w_cubic(mss, t_ms + smoothed_rtt.to_ms()), cwnd_, most);
    const uint64_t growth = (uint64_t{target - cwnd_} * counted + cwnd_ - 1) / cwnd_;
    set_cwnd(cwnd_ + growth);
}

}  // namespace millrace
