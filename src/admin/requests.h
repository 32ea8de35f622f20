// What the admin listener answers: a request as a value in, a response as a value out.
// Owned by: the listener, on the admin thread.
// Holds:    any text may come in. What goes out is a metrics page or one JSON object.
// Not here: HTTP itself (http_listener.cc).
#pragma once

#include <string>
#include <string_view>

#include "admin/health.h"
#include "admin/subject.h"

namespace millrace {

struct AdminRequest {
    std::string_view method;
    std::string_view path;           // decoded, without the query
    std::string_view authorization;  // the headers of these names; empty: none
    std::string_view accept;
    bool has_body = false;
};

struct AdminResponse {
    unsigned status = 200;
    std::string_view content_type;
    std::string body;
};

class AdminRequests {
public:
    // An empty token asks for none.
    AdminRequests(AdminSubject& subject, std::string token,
                  HealthCheck::Clock clock = HealthCheck::real_clock)
        : subject_(subject), health_(subject, clock), token_(std::move(token)) {}

    AdminResponse answer(const AdminRequest& request);

private:
    AdminResponse metrics(std::string_view accept) const;
    AdminResponse health();
    AdminResponse readiness() const;

    AdminSubject& subject_;
    HealthCheck health_;
    const std::string token_;
};

}  // namespace millrace
