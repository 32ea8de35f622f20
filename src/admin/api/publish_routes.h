// The API's routes for messages from who looks after the server.
// Owned by: the caller, for less time than the subject.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> publish_routes(AdminSubject& subject);

}  // namespace millrace
