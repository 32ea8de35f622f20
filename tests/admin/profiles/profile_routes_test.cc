#include "admin/api/profile_routes.h"

#include <doctest/doctest.h>

#include "../own_folder.h"
#include "admin/profiles/pprof.h"
#include "admin/profiles/views.h"
#include "sample_profile.h"

using namespace millrace;
using test::OwnFolder;

namespace {

constexpr std::string_view first_taken = "20261130T120000Z";
constexpr std::string_view later_taken = "20261130T130000Z";

// A history of two profiles and a broken file, and its routes.
struct ProfileApi {
    ProfileApi() {
        Profile later = sample_profile();
        later.samples = {{10, {1, 0}}, {30, {3, 0}}};
        folder.write(std::string(first_taken) + ".profile.pb.gz", write_pprof(sample_profile()));
        folder.write(std::string(later_taken) + ".profile.pb.gz", write_pprof(later));
        folder.write("20261130T140000Z.profile.pb.gz", "broken");
        auto opened = ProfileHistory::open({.directory = folder.path()});
        REQUIRE(opened);
        history = std::move(*opened);
        routes.add(profile_routes(*history));
    }

    AdminResponse ask(std::string method, std::string target, std::string body = {}) {
        AdminRequest request;
        request.method = std::move(method);
        request.target = std::move(target);
        request.content_type = "application/json";
        request.has_body = !body.empty();
        request.body = std::move(body);
        const auto route = routes.find(request);
        if (!route) return error_response(route.error());
        auto response = routes.answer(**route, request, stop);
        return response ? std::move(*response) : error_response(response.error());
    }
    AdminResponse get(std::string_view rest) {
        return ask("GET", "/api/v1/profiles" + std::string(rest));
    }

    OwnFolder folder;
    std::unique_ptr<ProfileHistory> history;
    ApiRoutes routes;
    StopSignal stop;
};

bool body_has(const AdminResponse& response, std::string_view text) {
    return response.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("profile routes: the list has the good ones") {
    ProfileApi api;
    const AdminResponse list = api.get("");
    CHECK(list.status == 200);
    CHECK(list.body == R"({"interval_seconds":0,"seconds":10,"kept_max":25,"profiles":[)"
                       R"({"id":"20261130T120000Z","time":1764500000.000,"seconds":5.000,)"
                       R"("samples":10},)"
                       R"({"id":"20261130T130000Z","time":1764500000.000,"seconds":5.000,)"
                       R"("samples":40}]})"
                       "\n");
}

TEST_CASE("profile routes: a profile as its file, its functions and its tree") {
    ProfileApi api;
    const std::string place = "/" + std::string(first_taken);
    const AdminResponse file = api.get(place);
    CHECK(file.status == 200);
    CHECK(file.content_type == "application/octet-stream");
    CHECK(file.body == write_pprof(sample_profile()));
    REQUIRE(file.headers.size() == 1);
    CHECK(file.headers[0].second == "attachment; filename=\"millrace-20261130T120000Z.pb.gz\"");
    CHECK(api.get(place + "/functions?limit=1").body ==
          R"({"samples":10,"functions":[{"name":"work","self":9,"total":9}]})"
          "\n");
    CHECK(api.get(place + "/flame").body == flame_json(sample_profile()) + "\n");
}

TEST_CASE("profile routes: growth between two") {
    ProfileApi api;
    const std::string both = "from=" + std::string(first_taken) + "&to=" + std::string(later_taken);
    CHECK(api.get("/growth?limit=1&" + both).body ==
          R"({"functions":[{"name":"idle","self_share_from":0.100000,"self_share_to":0.750000,)"
          R"("change":0.650000}]})"
          "\n");
}

TEST_CASE("profile routes: what is wrong is told with its place") {
    ProfileApi api;
    CHECK(api.get("/20261130T120001Z").status == 404);
    CHECK(api.get("/none/flame").status == 404);
    CHECK(api.get("/none/functions").status == 404);
    CHECK(api.get("/20261130T140000Z/flame").status == 503);
    CHECK(body_has(api.get("/growth?to=" + std::string(first_taken)), R"("where":"query from")"));
    CHECK(api.get("/growth?to=" + std::string(first_taken)).status == 400);
    CHECK(body_has(api.get("/growth?to=none&from=" + std::string(first_taken)), R"("where":"query to")"));
    CHECK(api.get("/" + std::string(first_taken) + "/functions?limit=0").status == 400);
    CHECK(api.ask("GET", "/debug/pprof/profile?seconds=61").status == 400);
    CHECK(api.ask("POST", "/api/v1/profiles", R"({"seconds":0})").status == 400);
    CHECK(api.ask("DELETE", "/api/v1/profiles").status == 405);
}

TEST_CASE("profile routes: taking one is refused while the server stops, or can't profile") {
    ProfileApi api;
    api.stop.raise();
    CHECK(api.ask("GET", "/debug/pprof/profile?seconds=60").status == 503);
    CHECK(api.ask("POST", "/api/v1/profiles", R"({"seconds":60})").status == 503);
    CHECK(api.history->list().size() == 2);
}

TEST_CASE("profile routes: one that is taken now is a profile, one that is kept is listed") {
    if (!CpuSampler::is_built()) return;
    ProfileApi api;
    const AdminResponse now = api.ask("GET", "/debug/pprof/profile?seconds=1");
    CHECK(now.status == 200);
    CHECK(read_pprof(now.body));
    CHECK(api.ask("POST", "/api/v1/profiles", R"({"seconds":1})").status == 201);
    CHECK(api.history->list().size() == 3);
}
