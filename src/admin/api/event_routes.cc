#include "admin/api/event_routes.h"

#include "admin/event_log.h"
#include "base/log.h"

namespace millrace {
namespace {

ApiResult<AdminResponse> list(const ApiCall& call) {
    const auto after = call.number("after", 0, UINT64_MAX, 0);
    if (!after) return tl::unexpected<ApiError>(after.error());
    const auto limit = call.limit();
    if (!limit) return tl::unexpected<ApiError>(limit.error());
    return json_response(events_json(log_ring, *after, *limit));
}

}  // namespace

std::vector<Route> event_routes() {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/events", {"after", "limit"}, {}, list});
    return routes;
}

}  // namespace millrace
