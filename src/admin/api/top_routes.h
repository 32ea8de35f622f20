// Requests for the hottest topics and the slowest receivers.
// Owned by: nobody; what they make belongs to the listener.
#pragma once

#include "admin/api/routes.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> top_routes(AdminSubject& subject);

}  // namespace millrace
