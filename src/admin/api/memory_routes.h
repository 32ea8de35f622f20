// The API's routes for where memory goes, now and over a day.
// Owned by: the caller, for less time than the history.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/memory_history.h"

namespace millrace {

std::vector<Route> memory_routes(MemoryHistory& history);

}  // namespace millrace
