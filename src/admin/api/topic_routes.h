// The API's routes for filters that are subscribed to, and what a topic would reach.
// Owned by: the caller, for less time than the subject.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> topic_routes(AdminSubject& subject);

}  // namespace millrace
