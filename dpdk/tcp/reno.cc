// Congestion avoidance by Reno (RFC 5681, 3.1), for both Reno and NewReno (RFC 6582): they differ
// in recovery alone, which is the engine's.
#include <algorithm>

#include "tcp/congestion.h"

namespace millrace {

// RFC 5681, 3.1, by RFC 3465, 2.1: a segment more each time that a whole window was acknowledged,
// however many ACKs that took.
void Congestion::grow_reno(uint32_t mss, uint32_t acked_bytes) {
    uint64_t pending = uint64_t{acked_} + acked_bytes;
    if (pending >= cwnd_) {
        pending -= cwnd_;
        set_cwnd(uint64_t{cwnd_} + mss);
    }
    // A single ACK never pays for two steps.
    acked_ = static_cast<uint32_t>(std::min<uint64_t>(pending, cwnd_ - 1)) & cwnd_max;
}

}  // namespace millrace
