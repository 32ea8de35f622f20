// Initial sequence numbers that can't be guessed (RFC 6528): a 4 us clock plus a keyed hash of the
// 4-tuple, so that a reused 4-tuple goes on where the old one ended.
// Owned by: a stack. Thread: any (constant).
#pragma once

#include "base/time.h"
#include "tcp/flow_key.h"
#include "tcp/seq.h"
#include "tcp/siphash.h"

namespace millrace {

class IsnGenerator {
public:
    explicit IsnGenerator(SipKey secret) : secret_(secret) {}
    SeqNumber next(const FlowKey& key, Instant now) const;
    // Added to the millisecond clock of timestamps (RFC 7323, 5.4), so that uptime isn't told.
    uint32_t timestamp_offset(const FlowKey& key) const;

private:
    SipKey secret_;
};

}  // namespace millrace
