// Answers the dashboard's own requests: "/" and "/assets/NAME".
// Owned by: nobody; functions. Thread: any.
// Holds:    no token is asked for: the files hold no secret, and a browser can't send one before the
//           page is there to ask for it. What the page shows comes from the API, which asks.
// Not here: the files (dashboard_files.h), HTTP (http_listener.cc).
#pragma once

#include <optional>
#include <span>

#include "admin/dashboard_files.h"
#include "admin/request.h"

namespace millrace {

// Empty: it's for something else. Without files "/" says how to get them.
std::optional<AdminResponse> answer_static(const AdminRequest& request,
                                           std::span<const DashboardFile> files);

}  // namespace millrace
