// A shard's loop and the latency of its deliveries as JSON, as /api/v1/shards has them.
// Owned by: functions; any thread.
// Holds:    they read counters with relaxed loads and touch nothing else of a shard.
// Not here: what the figures mean (runtime/README.md, broker/README.md), the rest of the answer.
#pragma once

#include <optional>
#include <string>

#include "admin/api/wall_time.h"
#include "runtime/loop_figures.h"

namespace millrace {

// {"count","sum","max","buckets":[[le,count],...]}; empty buckets are left out. `unit_values` of the
// histogram's values are one in the answer.
std::string histogram_json(const HistogramView& view, uint64_t unit_values);

// {"turns","busy_turns","sleeps","busy_seconds","turn_us","events_per_turn","mails_per_turn",
// "longest_stall","longest_stall_recent"}: since the start, and of ten to twenty minutes.
std::string loop_json(const LoopFigures& loop, const WallTime& now);
std::string delivery_json(const DurationHistogram& delivery);

// The longest of these ten minutes and of those before.
std::optional<Stall> recent_stall(const LoopFigures& loop);
// What ran in it: "3 events, the last: received; 2 mails, the last: deliver".
std::string stall_text(const Stall& stall);

}  // namespace millrace
