// SYN cookies: a handshake without memory (RFC 4987, 3.6). Our sequence number carries a keyed hash
// of the 4-tuple, the minute and the MSS's class; what else was agreed (window scale, SACK) stands
// in the low bits of our timestamp, when the peer has timestamps, and is lost otherwise.
// Owned by: a stack. Thread: any (constant).
// Holds:    a cookie is accepted for two minutes at most.
//
//   sequence number  [ 5 minute, mod 32 | 3 class of the MSS | 24 hash ]
//   timestamp        [ 26 of our clock | 1 zero | 1 SACK | 4 window scale, 15: none ]
#pragma once

#include <optional>

#include "base/time.h"
#include "tcp/flow_key.h"
#include "tcp/handshake.h"
#include "tcp/segment.h"
#include "tcp/siphash.h"

namespace millrace {

class SynCookies {
public:
    explicit SynCookies(SipKey secret) : secret_(secret) {}

    // The SYN-ACK's sequence number for a SYN; `timestamp_value` is what it must carry when the
    // SYN had timestamps: at most 64 ms before `timestamp_now`, our clock for this 4-tuple.
    struct Cookie {
        SeqNumber iss;
        uint32_t timestamp_value = 0;
    };
    Cookie make(const FlowKey& key, const Segment& syn, Instant now,
                uint32_t timestamp_now) const;
    // What was agreed, from the ACK that completes the handshake; nothing when it isn't ours or is
    // too old. `timestamp_offset` is the 4-tuple's own.
    std::optional<Handshake> check(const FlowKey& key, const Segment& ack, Instant now,
                                   uint32_t timestamp_offset) const;

private:
    // What the hash vouches for, beside the 4-tuple.
    struct Claim {
        SeqNumber irs;
        uint32_t minute;
        uint32_t mss_class;
    };
    SeqNumber number_of(const FlowKey& key, const Claim& claim) const;

    SipKey secret_;
};

}  // namespace millrace
