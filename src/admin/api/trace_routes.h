// Requests that follow single clients and topics, packet by packet.
// Owned by: the listener. What they make has the trace desk, whose rings the shards write: it goes when
//           no shard runs any more.
#pragma once

#include "admin/api/routes.h"
#include "admin/api/wall_time.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> trace_routes(AdminSubject& subject, WallTime (*clock)() = WallTime::now);

}  // namespace millrace
