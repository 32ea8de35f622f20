#include "tcp/time_wait.h"

#include "base/assert.h"
#include "tcp/clock.h"

namespace millrace {
namespace {

bool is_later(uint32_t timestamp, uint32_t than) {
    return static_cast<int32_t>(timestamp - than) > 0;
}

// RFC 6191, 2: whether a SYN can't be a duplicate of the old incarnation's. The last sequence
// number seen of that is its FIN's, one before RCV.NXT.
bool is_new_incarnation(const TimeWait& wait, const Segment& syn) {
    const bool beyond = syn.seq >= wait.rcv_nxt;
    if (!syn.options.has_timestamps) return beyond;
    if (!wait.has_timestamps) return true;
    if (syn.options.timestamp_value == wait.timestamp_recent) return beyond;
    return is_later(syn.options.timestamp_value, wait.timestamp_recent);
}

// RFC 9293, 3.10.7.4, first step (table 6), with the window that we announced; it's unscaled here,
// so at worst a segment too many is answered.
bool is_acceptable(const TimeWait& wait, const Segment& segment) {
    const uint32_t bytes = segment.sequence_bytes();
    if (wait.window == 0) return bytes == 0 && segment.seq == wait.rcv_nxt;
    const SeqRange window{wait.rcv_nxt, wait.rcv_nxt + wait.window};
    if (window.contains(segment.seq)) return true;
    return bytes > 0 && window.contains(segment.seq + (bytes - 1));
}

}  // namespace

TimeWaitTable::TimeWaitTable(Arena& arena, LedgerLine& line, uint32_t count_max, Duration wait,
                             void* context, OnGone on_gone)
    : waits_(arena, line),
      count_max_(count_max),
      wait_(wait),
      context_(context),
      on_gone_(on_gone) {
    // Half a turn of the wrapped clock is what instants can be apart.
    MR_ASSERT(wait.to_ms() >= 0 && wait.to_ms() < INT32_MAX);
}

TimeWaitTable::~TimeWaitTable() {
    while (TimeWait* wait = by_expiry_.first()) remove(*wait);
}

TimeWait* TimeWaitTable::try_add(const FlowKey& key, Instant now) {
    if (count_max_ == 0) return nullptr;
    if (count_ == count_max_) end_oldest();
    TimeWait* wait = waits_.try_make();
    if (wait == nullptr && count_ > 0) {
        end_oldest();
        wait = waits_.try_make();
    }
    if (wait == nullptr) return nullptr;
    wait->key = key;
    wait->kind = FlowNode::Kind::time_wait;
    append(*wait, now);
    ++count_;
    return wait;
}

// Rounded up, so that none ends early.
void TimeWaitTable::append(TimeWait& wait, Instant now) {
    const Duration tick = Duration::ms(1);
    wait.expires_ms = clock_ms(now + wait_ + (tick - Duration::ns(1)));
    last_now_ = now;
    by_expiry_.push_back(wait);
}

// The order: a reset is ignored (RFC 1337, 3: it must not end the state early), then a SYN may
// begin a new incarnation, then come PAWS and the steps of RFC 9293, 3.10.7.4.
TimeWaitTable::Verdict TimeWaitTable::judge(const TimeWait& wait, const Segment& segment) {
    if (segment.has(tcp_flag::rst)) return Verdict::drop;
    if (segment.has(tcp_flag::syn)) {
        // A SYN-ACK answers a SYN that we haven't sent. It gets what every other SYN gets in a
        // synchronized state: a challenge ACK (RFC 5961, 4.2; RFC 9293, 3.10.7.4, fourth step).
        const bool is_request = !segment.has(tcp_flag::ack);
        return is_request && is_new_incarnation(wait, segment) ? Verdict::reopen
                                                               : Verdict::acknowledge;
    }
    if (wait.has_timestamps) {
        // RFC 7323, 3.2: without the option that was agreed on, it's dropped silently.
        if (!segment.options.has_timestamps) return Verdict::drop;
        // RFC 7323, 5.3, R1 (PAWS): an old duplicate is answered as what isn't acceptable.
        if (is_later(wait.timestamp_recent, segment.options.timestamp_value)) {
            return Verdict::acknowledge;
        }
    }
    if (!is_acceptable(wait, segment)) return Verdict::acknowledge;
    if (!segment.has(tcp_flag::ack)) return Verdict::drop;
    // RFC 5961, 5.2, with everything of ours acknowledged: what acknowledges more is answered.
    if (segment.ack > wait.snd_nxt) return Verdict::acknowledge;
    // Text behind the peer's FIN can't be (seventh step); a FIN is a retransmission (eighth).
    return segment.has(tcp_flag::fin) ? Verdict::acknowledge : Verdict::drop;
}

OutSegment TimeWaitTable::acknowledgement(const TimeWait& wait, Instant now) {
    OutSegment out;
    out.seq = wait.snd_nxt;
    out.ack = wait.rcv_nxt;
    out.window = wait.window;
    out.flags = tcp_flag::ack;
    if (wait.has_timestamps) {
        out.options.set_timestamps(clock_ms(now) + wait.timestamp_offset, wait.timestamp_recent);
    }
    return out;
}

void TimeWaitTable::restart(TimeWait& wait, Instant now) {
    by_expiry_.remove(wait);
    append(wait, now);
}

void TimeWaitTable::remove(TimeWait& wait) {
    by_expiry_.remove(wait);
    MR_ASSERT(count_ > 0);
    --count_;
    waits_.destroy(&wait);
}

void TimeWaitTable::end_oldest() {
    TimeWait* oldest = by_expiry_.first();
    MR_ASSERT(oldest != nullptr);
    on_gone_(context_, *oldest);
    remove(*oldest);
}

void TimeWaitTable::expire(Instant now, uint32_t count_max) {
    last_now_ = now;
    for (uint32_t ended = 0; ended < count_max; ++ended) {
        const TimeWait* oldest = by_expiry_.first();
        if (oldest == nullptr || !is_due(oldest->expires_ms, clock_ms(now))) return;
        end_oldest();
    }
}

Instant TimeWaitTable::next_deadline() const {
    const TimeWait* oldest = by_expiry_.first();
    return oldest == nullptr ? Instant::never() : instant_of(oldest->expires_ms, last_now_);
}

}  // namespace millrace
