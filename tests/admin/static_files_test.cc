// The dashboard's files over HTTP: what is there, what isn't, and what a browser is told beside them.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "admin/static_files.h"

using namespace millrace;

namespace {

constexpr DashboardFile files[] = {
    {"/", "text/html; charset=utf-8", "\"aa\"", "<p>page</p>"},
    {"/assets/main.js", "text/javascript; charset=utf-8", "\"bb\"", "script"},
};

AdminRequest request(std::string target, std::string method = "GET") {
    AdminRequest made;
    made.method = std::move(method);
    made.target = std::move(target);
    return made;
}

std::string header(const AdminResponse& response, std::string_view name) {
    for (const auto& [one, value] : response.headers) {
        if (one == name) return value;
    }
    return "";
}

}  // namespace

TEST_CASE("static files: a file is given with its type and its tag, whatever the query") {
    const auto response = answer_static(request("/assets/main.js?v=2"), files);
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(response->body == "script");
    CHECK(response->content_type == "text/javascript; charset=utf-8");
    CHECK(header(*response, "ETag") == "\"bb\"");
    CHECK(header(*response, "Cache-Control") == "no-cache");
    CHECK(answer_static(request("/", "HEAD"), files)->status == 200);
}

TEST_CASE("static files: who has it already is told so, and gets no bytes") {
    AdminRequest known = request("/");
    for (const char* tags : {"\"aa\"", "W/\"aa\", \"cc\"", "*"}) {
        known.if_none_match = tags;
        const auto response = answer_static(known, files);
        CHECK(response->status == 304);
        CHECK(response->body.empty());
        CHECK(header(*response, "ETag") == "\"aa\"");
    }
    known.if_none_match = "\"bb\"";
    CHECK(answer_static(known, files)->status == 200);
}

TEST_CASE("static files: nothing is run or loaded that isn't the page's own") {
    const std::string policy =
        header(*answer_static(request("/"), files), "Content-Security-Policy");
    CHECK(policy.find("default-src 'none'") != policy.npos);
    CHECK(policy.find("script-src 'self'") != policy.npos);
    CHECK(policy.find("frame-ancestors 'none'") != policy.npos);
    CHECK(policy.find("unsafe") == policy.npos);
}

TEST_CASE("static files: other paths are others'") {
    CHECK_FALSE(answer_static(request("/metrics"), files));
    CHECK_FALSE(answer_static(request("/assets"), files));
    CHECK_FALSE(answer_static(request("/api/v1/server"), files));
    CHECK_FALSE(answer_static(request(""), files));
}

TEST_CASE("static files: what isn't there, and what isn't a question, is refused") {
    CHECK(answer_static(request("/assets/other.js"), files)->status == 404);
    CHECK(answer_static(request("/assets/../etc/passwd"), files)->status == 404);
    CHECK(answer_static(request("/assets/"), files)->status == 404);
    const auto posted = answer_static(request("/", "POST"), files);
    CHECK(posted->status == 405);
    CHECK(header(*posted, "Allow") == "GET, HEAD");
    AdminRequest with_body = request("/");
    with_body.has_body = true;
    CHECK(answer_static(with_body, files)->status == 413);
}

TEST_CASE("static files: a build without them says how to get them") {
    const auto response = answer_static(request("/"), {});
    CHECK(response->status == 503);
    CHECK(response->body.find("has no dashboard: run scripts/install_packages.sh") !=
          std::string::npos);
    CHECK(answer_static(request("/assets/main.js"), {})->status == 404);
}

TEST_CASE("dashboard: the files that were built in are whole, and the page's are among them") {
    const auto built = dashboard_files();
    if (built.empty()) return;  // a build without node
    std::set<std::string_view> paths;
    for (const DashboardFile& file : built) {
        CHECK(paths.insert(file.path).second);
        CHECK_FALSE(file.bytes.empty());
        CHECK(file.etag.size() == 34);
        CHECK(file.etag.front() == '"');
    }
    REQUIRE(built[0].path == "/");
    const std::string_view page = built[0].bytes;
    CHECK(page.starts_with("<!doctype html>"));
    CHECK(page.ends_with("</html>\n"));
    // What it names is there, and nothing in it is what the policy forbids.
    for (const char* name : {"main.js", "main.css", "icon.svg"}) {
        CHECK(page.find("\"assets/" + std::string(name) + '"') != page.npos);
        CHECK(paths.contains("/assets/" + std::string(name)));
    }
    CHECK(page.find("style=") == page.npos);
    CHECK(page.find("http://") == page.npos);
    CHECK(page.find("https://") == page.npos);
    const auto script = std::find_if(built.begin(), built.end(), [](const DashboardFile& file) {
        return file.path == "/assets/main.js";
    });
    CHECK(script->bytes.find("Leon Sorokin") != script->bytes.npos);  // uPlot's licence
}
