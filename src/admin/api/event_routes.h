// The API's route for the log's last lines.
// Owned by: the caller.
#pragma once

#include <vector>

#include "admin/api/routes.h"

namespace millrace {

std::vector<Route> event_routes();

}  // namespace millrace
