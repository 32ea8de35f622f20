#include "admin/requests.h"

#include <fmt/format.h>

#include "admin/api/client_routes.h"
#include "admin/api/document_routes.h"
#include "admin/api/event_routes.h"
#include "admin/api/own_page.h"
#include "admin/api/publish_routes.h"
#include "admin/api/server_routes.h"
#include "admin/api/top_routes.h"
#include "admin/api/topic_routes.h"
#include "admin/api/trace_routes.h"
#include "admin/dashboard_files.h"
#include "admin/metrics.h"
#include "admin/static_files.h"
#include "admin/token.h"
#include "base/json_line.h"

namespace millrace {

AdminRequests::AdminRequests(AdminSubject& subject, std::string token, HealthCheck::Clock clock)
    : subject_(subject), health_(subject, clock), token_(std::move(token)) {
    routes_.add(server_routes(subject));
    routes_.add(client_routes(subject));
    routes_.add(topic_routes(subject));
    routes_.add(publish_routes(subject));
    routes_.add(top_routes(subject));
    routes_.add(trace_routes(subject));
    routes_.add(event_routes());
    routes_.add(document_routes());
}

AdminRequests::Outlook AdminRequests::look(const AdminRequest& head) {
    if (auto response = answer_static(head, dashboard_files())) return {std::move(response)};
    if (!token_.empty() && !carries_token(head.authorization, token_)) {
        return {error_response({ApiFault::unauthorized, "header Authorization",
                                "the token of admin.token_file is wanted: Bearer TOKEN", {}})};
    }
    if (auto response = answer_now(head)) return {std::move(response)};
    if (token_.empty()) {
        if (const auto error = check_own_page(head)) return {error_response(*error)};
    }
    const auto route = routes_.find(head);
    if (!route) return {error_response(route.error())};
    if (head.body_bytes > ApiRoutes::body_bytes_read_max) {
        return {error_response({ApiFault::too_large, "body",
                                fmt::format("the longest body has {} bytes",
                                            ApiRoutes::body_bytes_max), {}})};
    }
    const bool takes_body = (*route)->method == "POST";
    return {std::nullopt, takes_body ? ApiRoutes::body_bytes_max : 0, (*route)->time_max, *route};
}

AdminResponse AdminRequests::answer(const Route& route, const AdminRequest& request) const {
    auto response = routes_.answer(route, request, stop_);
    return response ? std::move(*response) : error_response(response.error());
}

// Empty: it's none of those that are answered at once.
std::optional<AdminResponse> AdminRequests::answer_now(const AdminRequest& request) {
    const std::string_view target = request.target;
    const std::string_view path = target.substr(0, target.find('?'));
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") return std::nullopt;
    if (request.method != "GET" && request.method != "HEAD") {
        return error_response({ApiFault::method_not_allowed, "method", "accepted are GET, HEAD",
                               "GET, HEAD"});
    }
    if (request.has_body) {
        return error_response({ApiFault::too_large, "body", "this request has no body", {}});
    }
    if (path == "/metrics") return metrics(request.accept);
    return path == "/healthz" ? health() : readiness();
}

// Who names OpenMetrics can read it.
AdminResponse AdminRequests::metrics(std::string_view accept) const {
    const bool is_open = accept.find("application/openmetrics-text") != accept.npos;
    return {200,
            is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                    : "text/plain; version=0.0.4; charset=utf-8",
            render_metrics(subject_, ProcessFigures::take(),
                           is_open ? ExpositionFormat::open_metrics
                                   : ExpositionFormat::prometheus),
            {}};
}

AdminResponse AdminRequests::health() {
    const HealthCheck::Verdict verdict = health_.look();
    JsonLine line;
    line.add_text("status", verdict.silent.empty() ? "ok" : "silent shards");
    line.add("shards", subject_.shards().size());
    line.add("silent_shards", json_numbers(verdict.silent));
    if (!verdict.silent.empty()) line.add("silent_ms", verdict.since_question.to_ms());
    return json_response(line.object(), verdict.silent.empty() ? 200 : 503);
}

AdminResponse AdminRequests::readiness() const {
    const ServiceState state = subject_.state();
    JsonLine line;
    line.add_text("state", service_state_name(state));
    return json_response(line.object(), state == ServiceState::serving ? 200 : 503);
}

}  // namespace millrace
