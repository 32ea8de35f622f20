// The log's last lines as JSON, as /api/v1/events has them.
// Owned by: functions; any thread.
// Holds:    an answer has at most `limit` events, in their order.
// Not here: keeping them (base/log_ring.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/log_ring.h"

namespace millrace {

// {"events":[{"number","time","level","message","fields":{...}}],"next":N,"lost":n}: those after
// number `after`. `next` is the `after` to ask with next; `lost` how many in between are gone. A
// number past the newest is another process's, whose numbers began anew: then all that's there.
std::string events_json(const LogRing& ring, uint64_t after, uint32_t limit);

}  // namespace millrace
