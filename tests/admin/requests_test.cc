// What is answered to which request, whatever its text is.
#include "admin/dashboard_files.h"
#include "admin/requests.h"

#include <doctest/doctest.h>

#include "admin_subject.h"
#include "api_subject.h"

using namespace millrace;
using millrace::test::ask;
using millrace::test::FakeSubject;

namespace {

AdminResponse answer_to(FakeSubject& subject, AdminRequest request, std::string token = {}) {
    AdminRequests requests(subject, std::move(token));
    return ask(requests, std::move(request));
}

}  // namespace

TEST_CASE("requests: metrics come as text, or as OpenMetrics to who names it") {
    FakeSubject subject;
    const AdminResponse text = answer_to(subject, {.target = "/metrics", .accept = "*/*"});
    CHECK(text.status == 200);
    CHECK(text.content_type == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(text.body.starts_with("# HELP millrace_build_info "));
    const AdminResponse open = answer_to(
        subject, {.target = "/metrics",
                  .accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"});
    CHECK(open.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8");
    CHECK(open.body.ends_with("# EOF\n"));
}

TEST_CASE("requests: health names the shards that don't turn") {
    FakeSubject subject;
    static Instant now{};
    AdminRequests requests(subject, "", {[] { return now; }, [](Duration span) {
                                             now = now + span;
                                         }});
    const AdminRequest request{.method = "GET", .target = "/healthz"};
    const AdminResponse well = ask(requests, request);
    CHECK(well.status == 200);
    CHECK(well.body == "{\"status\":\"ok\",\"shards\":2,\"silent_shards\":[]}\n");
    subject.answers[1] = 0;
    const AdminResponse ill = ask(requests, request);
    CHECK(ill.status == 503);
    CHECK(ill.body.starts_with("{\"status\":\"silent shards\",\"shards\":2,\"silent_shards\":[1],"));
}

TEST_CASE("requests: it is ready while it serves, and says its state otherwise") {
    FakeSubject subject;
    CHECK(answer_to(subject, {.target = "/readyz"}).status == 200);
    for (const ServiceState state :
         {ServiceState::starting, ServiceState::draining, ServiceState::stopping}) {
        subject.service_state = state;
        const AdminResponse response = answer_to(subject, {.target = "/readyz"});
        CHECK(response.status == 503);
        CHECK(response.body ==
              "{\"state\":\"" + std::string(service_state_name(state)) + "\"}\n");
    }
    CHECK(answer_to(subject, {.target = "/healthz"}).status == 200);
    CHECK(answer_to(subject, {.target = "/metrics"}).status == 200);
}

TEST_CASE("requests: other paths, methods and bodies are refused as JSON") {
    FakeSubject subject;
    for (const std::string_view path :
         {"/metrics/", "/Metrics", "//metrics", "/../etc/passwd"}) {
        CAPTURE(path);
        const AdminResponse response = answer_to(subject, {.target = std::string(path)});
        CHECK(response.status == 404);
        CHECK(response.content_type == "application/json");
        CHECK(response.body.starts_with("{\"error\":{\"code\":\"not_found\""));
    }
    for (const std::string_view method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "G\xff"}) {
        CHECK(answer_to(subject, {.method = std::string(method), .target = "/metrics"}).status == 405);
    }
    CHECK(answer_to(subject, {.method = "HEAD", .target = "/metrics"}).status == 200);
    CHECK(answer_to(subject, {.target = "/readyz", .has_body = true}).status == 413);
    CHECK(subject.questions == 0);
}

TEST_CASE("requests: without the token nothing is told, not even which paths there are") {
    FakeSubject subject;
    const std::string token = "0123456789abcdef";
    for (const std::string_view path : {"/metrics", "/healthz", "/readyz", "/nothing"}) {
        CHECK(answer_to(subject, {.target = std::string(path)}, token).status == 401);
        CHECK(answer_to(subject, {.target = std::string(path), .authorization = "Bearer 0123456789abcdeX"}, token)
                  .status == 401);
    }
    CHECK(subject.questions == 0);
    // The page that asks its reader for the token.
    CHECK(answer_to(subject, {.target = "/"}, token).status == (dashboard_files().empty() ? 503 : 200));
    CHECK(answer_to(subject, {.target = "/assets/nothing"}, token).status == 404);
    const std::string right = "Bearer " + token;
    CHECK(answer_to(subject, {.target = "/metrics", .authorization = right}, token).status == 200);
    CHECK(answer_to(subject, {.target = "/nothing", .authorization = right}, token).status == 404);
}
