// The retransmission timeout from round-trip samples (RFC 6298, section 2).
// Owned by: its connection.
// Holds:    rto stays between the bounds given; it's the initial value until the first sample.
// Not here: which segments may be timed (Karn): the engine decides.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

struct RttBounds {
    Duration rto_initial = Duration::s(1);
    Duration rto_min = Duration::ms(200);
    Duration rto_max = Duration::s(60);
};

class RttEstimator {
public:
    void add_sample(Duration round_trip, const RttBounds& bounds);
    bool has_sample() const { return srtt_us_ != 0; }
    Duration smoothed() const { return Duration::us(srtt_us_); }
    Duration variation() const { return Duration::us(rttvar_us_); }
    // Without back-off.
    Duration rto(const RttBounds& bounds) const;
    // 2^backoff_count times rto(), at most rto_max (5.5).
    Duration rto_backed_off(const RttBounds& bounds, uint32_t backoff_count) const;
    // After many timeouts the estimate may be wrong (RFC 6298, last of section 5): start anew.
    void forget() { *this = {}; }

private:
    uint32_t srtt_us_ = 0;    // 0: no sample yet
    uint32_t rttvar_us_ = 0;
};
static_assert(sizeof(RttEstimator) == 8);

}  // namespace millrace
