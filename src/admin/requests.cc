#include "admin/requests.h"

#include "admin/metrics.h"
#include "admin/token.h"
#include "base/json_line.h"

namespace millrace {
namespace {

constexpr std::string_view json_type = "application/json";

AdminResponse json(unsigned status, const JsonLine& line) {
    return {status, json_type, line.object() + "\n"};
}

AdminResponse refuse(unsigned status, std::string_view error) {
    JsonLine line;
    line.add_text("error", error);
    return json(status, line);
}

}  // namespace

AdminResponse AdminRequests::answer(const AdminRequest& request) {
    if (!token_.empty() && !carries_token(request.authorization, token_)) {
        return refuse(401, "the token of admin.token_file is wanted: Authorization: Bearer TOKEN");
    }
    const bool is_known = request.path == "/metrics" || request.path == "/healthz" ||
                          request.path == "/readyz";
    if (!is_known) return refuse(404, "there are /metrics, /healthz and /readyz");
    if (request.method != "GET" && request.method != "HEAD") return refuse(405, "GET and HEAD only");
    if (request.has_body) return refuse(413, "a request has no body here");
    if (request.path == "/metrics") return metrics(request.accept);
    if (request.path == "/healthz") return health();
    return readiness();
}

// Who names OpenMetrics can read it.
AdminResponse AdminRequests::metrics(std::string_view accept) const {
    const bool is_open = accept.find("application/openmetrics-text") != accept.npos;
    return {200,
            is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                    : "text/plain; version=0.0.4; charset=utf-8",
            render_metrics(subject_, ProcessFigures::take(),
                           is_open ? ExpositionFormat::open_metrics
                                   : ExpositionFormat::prometheus)};
}

AdminResponse AdminRequests::health() {
    const HealthCheck::Verdict verdict = health_.look();
    JsonLine line;
    line.add_text("status", verdict.silent.empty() ? "ok" : "silent shards");
    line.add("shards", subject_.shards().size());
    line.add("silent_shards", json_numbers(verdict.silent));
    if (!verdict.silent.empty()) line.add("silent_ms", verdict.since_question.to_ms());
    return json(verdict.silent.empty() ? 200 : 503, line);
}

AdminResponse AdminRequests::readiness() const {
    const ServiceState state = subject_.state();
    JsonLine line;
    line.add_text("state", service_state_name(state));
    return json(state == ServiceState::serving ? 200 : 503, line);
}

}  // namespace millrace
