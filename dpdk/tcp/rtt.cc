#include "tcp/rtt.h"

#include <algorithm>

namespace millrace {

namespace {

// G of RFC 6298, section 2: the timer wheel ticks in milliseconds.
constexpr int64_t clock_granularity_us = 1'000;
// The estimates are kept in 32 bits; a round trip of an hour says as much as any longer one.
constexpr int64_t round_trip_us_max = 3'600'000'000;

Duration bounded(Duration rto, const RttBounds& bounds) {
    return std::min(std::max(rto, bounds.rto_min), bounds.rto_max);
}

}  // namespace

void RttEstimator::add_sample(Duration round_trip, const RttBounds& bounds) {
    // Beyond rto_max a sample can't move the timeout any further. A sample below the resolution
    // still counts, and zero stands for "none yet".
    const int64_t most = std::min(bounds.rto_max.to_us(), round_trip_us_max);
    const int64_t sample = std::max<int64_t>(std::min(round_trip.to_us(), most), 1);
    if (!has_sample()) {
        // RFC 6298, (2.2): SRTT = R, RTTVAR = R / 2.
        srtt_us_ = static_cast<uint32_t>(sample);
        rttvar_us_ = static_cast<uint32_t>(sample >> 1);
        return;
    }
    // RFC 6298, (2.3), in this order: RTTVAR by beta = 1/4, with the SRTT from before, then SRTT
    // by alpha = 1/8.
    const int64_t error = sample - int64_t{srtt_us_};
    const int64_t deviation = error < 0 ? -error : error;
    rttvar_us_ = static_cast<uint32_t>(int64_t{rttvar_us_} +
                                       ((deviation - int64_t{rttvar_us_}) >> 2));
    srtt_us_ = static_cast<uint32_t>(std::max<int64_t>(int64_t{srtt_us_} + (error >> 3), 1));
}

Duration RttEstimator::rto(const RttBounds& bounds) const {
    // RFC 6298, (2.1). The bounds are the configuration's: (2.4) would have a second as the
    // least, which is far from what today's paths need.
    if (!has_sample()) return bounded(bounds.rto_initial, bounds);
    // (2.2) and (2.3): RTO = SRTT + max(G, K * RTTVAR) with K = 4.
    const int64_t margin = std::max(clock_granularity_us, int64_t{rttvar_us_} << 2);
    return bounded(Duration::us(int64_t{srtt_us_} + margin), bounds);
}

Duration RttEstimator::rto_backed_off(const RttBounds& bounds, uint32_t backoff_count) const {
    // RFC 6298, (5.5): doubled at each timeout, up to the maximum of (2.5).
    Duration timeout = rto(bounds);
    while (backoff_count > 0 && timeout < bounds.rto_max) {
        timeout = timeout > bounds.rto_max / 2 ? bounds.rto_max : timeout * 2;
        --backoff_count;
    }
    return timeout;
}

}  // namespace millrace
