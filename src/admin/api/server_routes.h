// The API's routes for the server and its shards, in figures.
// Owned by: the caller, for less time than the subject.
#pragma once

#include <vector>

#include "admin/api/routes.h"
#include "admin/subject.h"

namespace millrace {

std::vector<Route> server_routes(AdminSubject& subject);

}  // namespace millrace
