// Handshakes that wait for their last ACK (SYN-RECEIVED of a passive open), in far less memory than
// a connection; and the limits on them: of the listener, and of one source.
// Owned by: a stack.
// Holds:    at most `count_max` exist. From `cookies_from` on a new SYN is to be answered by a
//           cookie (no memory); a source (an IPv4 address, an IPv6 /64) that has `per_source_max`
//           of them waiting is answered by a cookie too. Whoever completes is counted off.
// Not here: sending; the flow table, where each stands by its key; expiry (the owner's wheel, by
//           `timer`).
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/slab.h"
#include "runtime/timer_wheel.h"
#include "tcp/flow_key.h"
#include "tcp/handshake.h"

namespace millrace {

struct HalfOpen : FlowNode {
    Handshake handshake;
    uint8_t resent_count = 0;      // SYN-ACKs sent again
    TimerEntry timer;
};

struct HalfOpenLimits {
    uint32_t count_max = 4'096;
    uint32_t cookies_from = 2'048;
    uint32_t per_source_max = 256;
};

class HalfOpenTable {
public:
    enum class Admission : uint8_t { wait, cookie };

    HalfOpenTable(Arena& arena, LedgerLine& line, const HalfOpenLimits& limits, HashKey secret);
    HalfOpenTable(const HalfOpenTable&) = delete;
    HalfOpenTable& operator=(const HalfOpenTable&) = delete;

    // What a new SYN from `source` gets.
    Admission admit(const IpAddress& source) const;
    // Null without memory: then a cookie it is.
    HalfOpen* try_add(const FlowKey& key);
    void remove(HalfOpen& half_open);  // the caller has taken it out of table and wheel
    uint32_t count() const { return count_; }
    // More than half of those that may wait before cookies begin.
    bool is_crowded() const { return count_ > limits_.cookies_from / 2; }

private:
    // How many wait from a source, by hash: sources that share a place share their limit.
    static constexpr uint32_t source_places = 8'192;
    uint32_t place_of(const IpAddress& source) const;

    const HalfOpenLimits limits_;
    const HashKey secret_;
    Slab<HalfOpen> half_opens_;
    std::unique_ptr<uint16_t[]> waiting_;
    uint32_t count_ = 0;
};

}  // namespace millrace
