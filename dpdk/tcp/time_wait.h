// Closed connections in TIME-WAIT (RFC 9293, 3.6.1): what is needed to answer a late segment and to
// let the 4-tuple be used again safely, and no more.
// Owned by: a stack.
// Holds:    at most `count_max`; when there are more, or no memory, the oldest ends early. They
//           expire in the order in which they began or were restarted, so no timer stands for each.
// Not here: the flow table, where each stands by its key: whoever removes one is told by `on_gone`.
#pragma once

#include <cstdint>

#include "base/intrusive.h"
#include "base/time.h"
#include "runtime/slab.h"
#include "tcp/flow_key.h"
#include "tcp/segment.h"

namespace millrace {

struct TimeWait : FlowNode {
    SeqNumber snd_nxt;
    SeqNumber rcv_nxt;
    uint32_t timestamp_recent = 0;
    uint32_t timestamp_offset = 0;
    uint32_t expires_ms = 0;       // of the shard's clock, wraps
    uint16_t window = 0;           // that we announced last, as on the wire
    bool has_timestamps = false;
    ListLink<TimeWait> link;       // the table's, by expiry
};
static_assert(sizeof(TimeWait) == 88);

class TimeWaitTable {
public:
    // What becomes of a segment for a connection in TIME-WAIT.
    enum class Verdict : uint8_t {
        drop,
        acknowledge,   // answer by acknowledgement(); a FIN also restarts the wait
        reopen,        // a SYN that is new beyond doubt (RFC 9293 3.10.7.4, RFC 6191): the 4-tuple
                       // is free again, handle the SYN as if it were unknown, with an initial
                       // sequence number beyond snd_nxt
    };
    using OnGone = void (*)(void* context, TimeWait& gone);  // take it out of the flow table

    TimeWaitTable(Arena& arena, LedgerLine& line, uint32_t count_max, Duration wait,
                  void* context, OnGone on_gone);
    ~TimeWaitTable();  // nobody is told of those that still wait
    TimeWaitTable(const TimeWaitTable&) = delete;
    TimeWaitTable& operator=(const TimeWaitTable&) = delete;

    // Null only when there's no memory at all, or `count_max` is 0. The caller fills in the rest
    // and inserts it into the flow table.
    TimeWait* try_add(const FlowKey& key, Instant now);
    static Verdict judge(const TimeWait& wait, const Segment& segment);
    static OutSegment acknowledgement(const TimeWait& wait, Instant now);
    void restart(TimeWait& wait, Instant now);   // a FIN came again
    void remove(TimeWait& wait);                 // the caller has taken it out of the flow table
    // Ends at most `count_max` whose time is over.
    void expire(Instant now, uint32_t count_max);
    Instant next_deadline() const;   // never() when there's none
    uint32_t count() const { return count_; }

private:
    void append(TimeWait& wait, Instant now);
    void end_oldest();

    Slab<TimeWait> waits_;
    IntrusiveList<TimeWait, &TimeWait::link> by_expiry_;
    uint32_t count_ = 0;
    uint32_t count_max_;
    Duration wait_;
    Instant last_now_{};   // of the newest call: tells which turn of the wrapped clock it is
    void* context_;
    OnGone on_gone_;
};

}  // namespace millrace
