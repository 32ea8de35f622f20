// Which requests there are, and who answers them.
// Owned by: the listener; made before its threads start, and never changed after.
// Holds:    a handler sees no parameter, member or content type that its route doesn't name.
// Not here: HTTP; what the subjects answer (the *_routes.cc beside this).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api/error.h"
#include "admin/api/json_body.h"
#include "admin/api/stop_signal.h"
#include "admin/api/target.h"
#include "admin/request.h"
#include "base/time.h"

namespace millrace {

// One request, as its handler sees it.
class ApiCall {
public:
    ApiCall(const AdminRequest& request, const ApiTarget& target, std::string_view pattern,
            const JsonBody* body, const StopSignal& stop)
        : request_(request), target_(target), pattern_(pattern), body_(body), stop_(stop) {}

    const AdminRequest& request() const { return request_; }
    // What stands in the path for {name}. The route's pattern has it.
    const std::string& captured(std::string_view name) const;

    // Of the query; empty when it isn't there.
    std::optional<std::string> text(std::string_view name) const;
    ApiResult<uint64_t> number(std::string_view name, uint64_t min, uint64_t max,
                               uint64_t otherwise) const;
    ApiResult<std::optional<bool>> truth(std::string_view name) const;
    // The index in `accepted`; empty when the parameter isn't there.
    ApiResult<std::optional<size_t>> choice(std::string_view name,
                                            const std::vector<std::string_view>& accepted) const;
    // "limit" of a page.
    ApiResult<uint32_t> limit() const;

    // Only where the route has members.
    const JsonBody& body() const { return *body_; }
    // Raised when the server stops: whoever waits long looks at it.
    const StopSignal& stop() const { return stop_; }

private:
    const AdminRequest& request_;
    const ApiTarget& target_;
    const std::string_view pattern_;
    const JsonBody* const body_;
    const StopSignal& stop_;
};

struct Route {
    using Handler = std::function<ApiResult<AdminResponse>(const ApiCall&)>;

    std::string_view method;               // GET answers HEAD, too
    std::string_view pattern;              // "/api/v1/clients/{client_id}"
    std::vector<std::string_view> query;   // the parameters' names
    std::vector<std::string_view> members; // of the body; POST has one, even when this is empty
    Handler handler;                       // on a worker, several at once
    Duration time_max = Duration::s(10);   // how long it may take
};

class ApiRoutes {
public:
    static constexpr size_t body_bytes_max = 1024 * 1024;
    // One that is too long is read to its end, so that its sender comes to read why it's refused; but
    // not when it says that it's longer than that.
    static constexpr uint64_t body_bytes_read_max = 16 * body_bytes_max;

    void add(std::vector<Route> routes);

    // Before the body is read: the route, or why there's none.
    ApiResult<const Route*> find(const AdminRequest& request) const;
    ApiResult<AdminResponse> answer(const Route& route, const AdminRequest& request,
                                    const StopSignal& stop) const;
    const std::vector<Route>& all() const { return routes_; }

private:
    std::vector<Route> routes_;
};

AdminResponse json_response(std::string body, unsigned status = 200);
AdminResponse error_response(const ApiError& error);

}  // namespace millrace
