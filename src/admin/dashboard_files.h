// The files of the dashboard, as they were built into this program.
// Owned by: nobody; they are constants.
// Holds:    every file has a path of its own and is whole. None holds a secret: whoever reaches the
//           listener may read them. A build without node or its packages has none
//           (without_dashboard.cc).
// Not here: who may ask, and how they're answered (requests.h).
#pragma once

#include <span>
#include <string_view>

namespace millrace {

struct DashboardFile {
    std::string_view path;          // "/" or "/assets/NAME"
    std::string_view content_type;
    std::string_view etag;          // in its quotes; another one when a byte differs
    std::string_view bytes;
};

std::span<const DashboardFile> dashboard_files();

}  // namespace millrace
