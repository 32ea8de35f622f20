// The API's document beside the routes: each says what the other does. What the answers are like is
// asked of a real server (tests/api_fuzz).
#include "admin/api/document_routes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include <simdjson.h>

#include "api_subject.h"

using namespace millrace;
using namespace millrace::test;

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// What can be asked: the names that a request may have.
struct Names {
    std::set<std::string> query;
    std::set<std::string> members;
    bool operator==(const Names&) const = default;
};
using Operations = std::map<std::string, Names>;  // "GET /api/v1/server"

// Where a $ref of this document leads.
element followed(element value, element root) {
    std::string_view reference;
    while (value["$ref"].get(reference) == simdjson::SUCCESS) {
        REQUIRE(reference.starts_with("#"));
        value = root.at_pointer(reference.substr(1)).value();
    }
    return value;
}

Names names_of(element operation, element root) {
    Names names;
    simdjson::dom::array parameters;
    if (operation["parameters"].get(parameters) == simdjson::SUCCESS) {
        for (const element parameter : parameters) {
            const element one = followed(parameter, root);
            if (std::string_view(one["in"]) != "query") continue;
            names.query.emplace(std::string_view(one["name"]));
        }
    }
    element schema;
    if (operation.at_pointer("/requestBody/content/application~1json/schema").get(schema) ==
        simdjson::SUCCESS) {
        for (const auto& member : object(followed(schema, root)["properties"])) {
            names.members.emplace(member.key);
        }
    }
    return names;
}

Operations documented(element root) {
    Operations found;
    for (const auto& path : object(root["paths"])) {
        for (const auto& method : object(path.value)) {
            std::string name(method.key);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](unsigned char letter) { return std::toupper(letter); });
            found[name + " " + std::string(path.key)] = names_of(method.value, root);
        }
    }
    return found;
}

Operations served(const ApiRoutes& routes) {
    Operations found;
    for (const Route& route : routes.all()) {
        Names& names = found[std::string(route.method) + " " + std::string(route.pattern)];
        names.query.insert(route.query.begin(), route.query.end());
        names.members.insert(route.members.begin(), route.members.end());
    }
    // Those that are answered on the listener's thread.
    for (const char* path : {"/metrics", "/healthz", "/readyz", "/", "/assets/{file}"}) {
        found["GET " + std::string(path)];
    }
    return found;
}

}  // namespace

TEST_CASE("api document: it's what is served, byte by byte") {
    ApiSubject subject;
    AdminRequests requests(subject, "");
    const AdminResponse response = ask(requests, get("/api/v1/openapi.json"));
    CHECK(response.status == 200);
    CHECK(response.content_type == "application/json");
    CHECK(response.body == api_document());
    CHECK(response.body.ends_with("}\n"));
}

TEST_CASE("api document: every route stands in it, with the same parameters and members") {
    ApiSubject subject;
    const AdminRequests requests(subject, "");
    simdjson::dom::parser parser;
    const element root = parser.parse(simdjson::padded_string(api_document()));
    const Operations told = documented(root);
    const Operations there = served(requests.routes());
    CHECK(there.size() > 10);
    for (const auto& one : there) {
        const std::string& operation = one.first;  // clang 14 captures no binding
        CAPTURE(operation);
        const auto found = told.find(operation);
        CHECK(found != told.end());
        if (found == told.end()) continue;
        CHECK(found->second.query == one.second.query);
        CHECK(found->second.members == one.second.members);
    }
}

TEST_CASE("api document: what stands in it is served") {
    // The listener adds those, since it owns what they read; tests/api_fuzz asks a server for them.
    const std::set<std::string> of_the_listener{
        "GET /api/v1/memory",
        "GET /api/v1/memory/snapshots",
        "POST /api/v1/memory/snapshots",
        "GET /api/v1/memory/snapshots/{id}",
        "GET /api/v1/memory/diff",
        "GET /debug/pprof/profile",
        "GET /api/v1/profiles",
        "POST /api/v1/profiles",
        "GET /api/v1/profiles/{id}",
        "GET /api/v1/profiles/{id}/flame",
        "GET /api/v1/profiles/{id}/functions",
        "GET /api/v1/profiles/growth",
    };
    ApiSubject subject;
    const AdminRequests requests(subject, "");
    simdjson::dom::parser parser;
    const element root = parser.parse(simdjson::padded_string(api_document()));
    const Operations there = served(requests.routes());
    const Operations told = documented(root);
    for (const auto& one : told) {
        const std::string& operation = one.first;
        CHECK_MESSAGE(there.contains(operation) != of_the_listener.contains(operation), operation);
    }
    for (const std::string& operation : of_the_listener) {
        CHECK_MESSAGE(told.contains(operation), operation);
    }
}
