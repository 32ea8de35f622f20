// What the admin listener answers: a request as a value in, a response as a value out.
// Owned by: the listener. look() and answer_now() on its thread; answer() on a worker, several at
//           once.
// Holds:    any text may come in.
// Not here: HTTP itself (http_listener.cc), the API's subjects (api/).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "admin/api/routes.h"
#include "admin/health.h"
#include "admin/request.h"
#include "admin/subject.h"

namespace millrace {

class AdminRequests {
public:
    // An empty token asks for none.
    AdminRequests(AdminSubject& subject, std::string token,
                  HealthCheck::Clock clock = HealthCheck::real_clock);

    // More of the API, before the first request.
    void add(std::vector<Route> routes) { routes_.add(std::move(routes)); }

    // What to do with a request whose head has come.
    struct Outlook {
        std::optional<AdminResponse> response;  // that's it: it needs no body and no wait
        size_t body_bytes_max = 0;              // else: read that, then ask answer()
        Duration time_max{};                    // which may take so long
        const Route* route = nullptr;
    };
    Outlook look(const AdminRequest& head);
    AdminResponse answer(const Route& route, const AdminRequest& request) const;

    // Those who answer needn't wait any longer.
    void stop() { stop_.raise(); }
    const ApiRoutes& routes() const { return routes_; }

private:
    std::optional<AdminResponse> answer_now(const AdminRequest& request);
    AdminResponse metrics(std::string_view accept) const;
    AdminResponse health();
    AdminResponse readiness() const;

    AdminSubject& subject_;
    HealthCheck health_;
    const std::string token_;
    StopSignal stop_;
    ApiRoutes routes_;
};

}  // namespace millrace
