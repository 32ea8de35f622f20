// The API's routes for clients: lists, one of them with its subscriptions, and the way out for it.
// Owned by: the caller, for less time than the subject.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> client_routes(AdminSubject& subject);

}  // namespace millrace
