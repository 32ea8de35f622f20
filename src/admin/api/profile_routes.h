// The API's routes for CPU profiles: taking one, the day's, and what is in them.
// Owned by: the caller, for less time than the history.
// Holds:    what they answer takes as long as a profile does: they belong on a worker.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/profiles/profile_history.h"

namespace millrace {

std::vector<Route> profile_routes(ProfileHistory& history);

}  // namespace millrace
