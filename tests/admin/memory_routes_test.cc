// Where memory goes, asked over the API of a broker that clients use.
#include <doctest/doctest.h>

#include <string>

#include <fmt/format.h>

#include "admin/api/memory_routes.h"
#include "api_subject.h"
#include "own_folder.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct MemoryApi {
    explicit MemoryApi(bool keeps = true) {
        AdminOptions options;
        if (keeps) options.history_dir = folder.path();
        options.memory_interval = std::chrono::seconds(0);
        auto opened = MemoryHistory::open(options, subject);
        REQUIRE(opened);
        history = std::move(*opened);
        requests.add(memory_routes(*history));
    }
    AdminResponse operator()(AdminRequest request) { return ask(requests, std::move(request)); }
    // Takes one.
    std::string snapshot() {
        const AdminResponse response = (*this)(post("/api/v1/memory/snapshots", "{}"));
        REQUIRE(response.status == 201);
        const std::string front = "{\"id\":\"";
        REQUIRE(response.body.starts_with(front));
        return response.body.substr(front.size(), response.body.find('"', front.size()) - front.size());
    }
    std::string diff(const std::string& from, const std::string& to = "now") {
        const AdminResponse response =
            (*this)(get("/api/v1/memory/diff?from=" + from + "&to=" + to));
        REQUIRE(response.status == 200);
        return response.body;
    }

    const OwnFolder folder;
    ApiSubject subject;
    std::unique_ptr<MemoryHistory> history;
    AdminRequests requests{subject, ""};
};

// The name that a list begins with.
std::string first_of(const std::string& json, const std::string& list) {
    const std::string front = "\"class\":\"";
    const size_t begin = json.find(front, json.find("\"" + list + "\":[")) + front.size();
    return json.substr(begin, json.find('"', begin) - begin);
}

}  // namespace

TEST_CASE("memory routes: what clients pile up between two snapshots is named first") {
    MemoryApi api;
    TestClient& client = api.subject.shard.connect("piler");
    api.subject.shard.subscribe(client, "a/b/c");
    const std::string before = api.snapshot();
    for (int number = 0; number < 500; ++number) {
        api.subject.shard.subscribe(client, fmt::format("pile/{:040}", number));
    }
    const std::string after = api.snapshot();
    const std::string diff = api.diff(before, after);
    CHECK(first_of(diff, "classes") == "filters");
    CHECK(first_of(diff, "shards") == "filters");
    CHECK(diff.find(R"("class":"subscriptions","objects":500,)") != std::string::npos);
    CHECK(diff.find(R"("shards":[{"shard":0,"class":"filters","objects":)") != std::string::npos);
    CHECK(api.diff(after, after).find(R"("classes":[],"shards":[])") != std::string::npos);
}

TEST_CASE("memory routes: now, a list, and one of them") {
    MemoryApi api;
    const AdminResponse now = api(get("/api/v1/memory"));
    CHECK(now.status == 200);
    CHECK(now.body.find(R"("shards":[{"shard":0,"lines":[{"class":)") != std::string::npos);
    CHECK(api(get("/api/v1/memory/snapshots")).body ==
          "{\"interval_seconds\":0,\"kept_max\":25,\"snapshots\":[]}\n");
    const std::string id = api.snapshot();
    CHECK(api(get("/api/v1/memory/snapshots")).body.find("{\"id\":\"" + id + "\",\"time\":") !=
          std::string::npos);
    const AdminResponse one = api(get("/api/v1/memory/snapshots/" + id));
    CHECK(one.status == 200);
    CHECK(parse_memory_snapshot(one.body));
}

TEST_CASE("memory routes: what can't be answered says why") {
    MemoryApi api;
    const auto status = [&](const std::string& target) { return api(get(target)).status; };
    CHECK(status("/api/v1/memory/snapshots/20260101T000000Z") == 404);
    CHECK(status("/api/v1/memory/snapshots/..%2F..%2Fetc%2Fpasswd") == 400);
    CHECK(status("/api/v1/memory/diff") == 400);
    const std::string id = api.snapshot();
    const std::string diff = "/api/v1/memory/diff?from=";
    CHECK(status(diff + "nonsense&to=now") == 400);
    CHECK(status(diff + id) == 400);
    CHECK(status(diff + id + "&to=then") == 400);
    CHECK(status(diff + id + "&to=now&until=now") == 400);
    CHECK(status(diff + id + "&to=20260101T000000Z") == 404);
    CHECK(status(diff + "20260101T000000Z&to=now") == 404);
    CHECK(status(diff + id + "&to=now") == 200);
    api.folder.write("20260101T000000Z.memory.json", "{\"time\":1,");
    CHECK(status("/api/v1/memory/snapshots/20260101T000000Z") == 503);
    CHECK(api(post("/api/v1/memory/snapshots", R"({"a":1})")).status == 400);
    MemoryApi forgetful(false);
    const AdminResponse refused = forgetful(post("/api/v1/memory/snapshots", "{}"));
    CHECK(refused.status == 503);
    CHECK(refused.body.find("set admin.history_dir") != std::string::npos);
    CHECK(forgetful(get("/api/v1/memory")).status == 200);
}
