// The subscribers' side of a shard: every delivery is checked, counted and timed.
// Owned by: the LoadShard.
// Holds:    nothing is allocated after construction; a payload that isn't bit for bit one of this
//           run's counts as corrupt and resolves nothing.
// Not here: packets and acknowledgements (load_packets.cc).
#pragma once

#include <cstdint>
#include <vector>

#include "base/histogram.h"
#include "base/time.h"
#include "load/delivery_tracker.h"
#include "load/payload.h"
#include "load/plan.h"
#include "load/publish_wire.h"
#include "load/totals.h"

namespace millrace {

class DeliveryCheck {
public:
    DeliveryCheck(const LoadPlan& plan, uint32_t shard, const PayloadPattern& pattern,
                  LoadTotals& totals, Histogram& latency);

    void measure() { measuring_ = true; }
    void on_publish(uint32_t local_subscriber, const PublishView& publish, Instant now);

    // Closed loop: visit(publisher, complete) for every publisher whose messages below `complete`
    // have come to all subscribers of this shard, when that has changed since the last call.
    template <class Visit>
    void take_advanced(Visit&& visit) {
        for (const uint32_t publisher : advanced_) {
            has_advanced_[publisher] = 0;
            visit(publisher, complete_of(publisher));
        }
        advanced_.clear();
    }

private:
    bool is_expected_topic(std::string_view topic) const;
    bool hears(uint32_t local_subscriber, uint32_t publisher) const;
    uint64_t slot_of(uint32_t local_subscriber, uint32_t publisher) const;
    uint64_t complete_of(uint32_t publisher) const;
    void on_resolved(uint32_t publisher, uint64_t first, uint64_t last);

    const LoadPlan& plan_;
    const PayloadPattern& pattern_;
    LoadTotals& totals_;
    Histogram& latency_;
    uint32_t shard_;
    uint32_t shard_count_;
    uint32_t publisher_count_;
    bool is_pair_;
    bool closed_loop_;
    bool one_receiver_;  // of each message on this shard: a tracker's slot says what's complete
    bool measuring_ = false;
    uint32_t topic_bytes_;
    DeliveryTracker tracker_;
    std::vector<CompletionCount> completions_;  // a publisher each; empty with one_receiver_
    std::vector<uint32_t> advanced_;
    std::vector<uint8_t> has_advanced_;
};

}  // namespace millrace
