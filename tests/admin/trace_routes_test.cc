// Traces and top lists, from request to response, over a broker.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "admin/api/top_routes.h"
#include "admin/api/trace_routes.h"
#include "api_subject.h"

using namespace millrace;
using namespace millrace::test;

namespace {

// The routes' clock; a test has to have it go on, so that events settle.
Instant routes_now = Shard::start;

WallTime routes_clock() { return {routes_now, 2'000.0 + (routes_now - Shard::start).seconds()}; }

struct SeeingApi {
    SeeingApi() {
        routes_now = Shard::start;
        routes.add(trace_routes(subject, routes_clock));
        routes.add(top_routes(subject));
    }
    AdminResponse operator()(const AdminRequest& request) {
        const auto route = routes.find(request);
        REQUIRE(route.has_value());
        auto response = routes.answer(**route, request, stop);
        return response ? std::move(*response) : error_response(response.error());
    }
    AdminResponse operator()(std::string target) { return (*this)(get(std::move(target))); }
    AdminResponse remove(std::string target) {
        return (*this)(AdminRequest{.method = "DELETE", .target = std::move(target)});
    }
    void advance(Duration span) {
        routes_now = routes_now + span;
        subject.shard.advance(span);
    }

    ApiSubject subject;
    ApiRoutes routes;
    StopSignal stop;
};

bool has(const AdminResponse& response, std::string_view text) {
    return response.body.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("api: a trace is begun, read page by page, listed and removed") {
    SeeingApi api;
    const AdminResponse begun =
        api(post("/api/v1/traces", R"({"client_id":"phone","seconds":5,"payload_bytes_max":4})"));
    CHECK(begun.status == 201);
    CHECK(begun.body == R"({"id":"1","client_id":"phone","topic":null,"seconds":5,)"
                        R"("payload_bytes_max":4,"started":2000.000,"events":0,"lost":0,)"
                        R"("ended":false})" "\n");
    TestClient& phone = api.subject.shard.connect("phone");
    api.subject.shard.connect("other");
    api.subject.shard.publish(phone, {.topic = "a/b", .payload = "x", .qos = 1, .packet_id = 9});
    api.advance(Duration::ms(100));
    const AdminResponse first = api("/api/v1/traces/1/events?limit=3");
    CHECK(has(first, R"({"number":1,"time":2000.000000,"shard":0,"client_id":"phone",)"
                     R"("direction":"in","kind":"CONNECT","bytes":)"));
    CHECK(has(first, R"("next":3,"lost":0,"ended":false})"));
    const AdminResponse second = api("/api/v1/traces/1/events?after=3");
    CHECK(second.body ==
          R"({"events":[{"number":4,"time":2000.000000,"shard":0,"client_id":"phone",)"
          R"("direction":"in","kind":"PUBLISH","bytes":11,"packet_id":9,"topic":"a/b","qos":1,)"
          R"("took_us":0,"data_base64":"MgkAAw=="},)"
          R"({"number":5,"time":2000.000000,"shard":0,"client_id":"phone","direction":"out",)"
          R"("kind":"PUBACK","bytes":5,"packet_id":9,"reason":"no_matching_subscribers",)"
          R"("data_base64":"QAMACQ=="}],"next":5,"lost":0,"ended":false})" "\n");
    CHECK(has(api("/api/v1/traces"), R"("events":5,"lost":0,"ended":false}]})"));
    api.advance(Duration::s(6));
    CHECK(!bool{phone.connection.is_traced});
    CHECK(api("/api/v1/traces/1/events?after=5").body ==
          R"({"events":[],"next":5,"lost":0,"ended":true})" "\n");
    CHECK(api.remove("/api/v1/traces/1").body == R"({"id":"1"})" "\n");
    CHECK(api.remove("/api/v1/traces/1").status == 404);
    CHECK(api("/api/v1/traces/1/events").status == 404);
    CHECK(api("/api/v1/traces/x/events").status == 404);
}

TEST_CASE("api: a trace that is removed is seen no more, and the ninth is refused") {
    SeeingApi api;
    for (int index = 0; index < 8; ++index) {
        REQUIRE(api(post("/api/v1/traces", R"({"topic":"a/#"})")).status == 201);
    }
    const AdminResponse refused = api(post("/api/v1/traces", R"({"topic":"a/#"})"));
    CHECK(refused.status == 429);
    CHECK(has(refused, R"("code":"too_many")"));
    TestClient& source = api.subject.shard.connect("source");
    api.remove("/api/v1/traces/1");
    api.subject.shard.publish(source, {.topic = "a/b", .payload = "x"});
    api.advance(Duration::ms(100));
    CHECK(api("/api/v1/traces/1/events").status == 404);
    CHECK(has(api("/api/v1/traces/8/events"), R"("next":2)"));
    CHECK(has(api("/api/v1/traces/8/events"), R"("direction":"out","kind":"PUBLISH","bytes":1,)"
                                              R"("topic":"a/b","qos":0,"receivers":0})"));
}

TEST_CASE("api: wishes for traces that can't be are refused by name") {
    SeeingApi api;
    const auto where_of = [&](std::string body) {
        const AdminResponse response = api(post("/api/v1/traces", std::move(body)));
        CHECK(response.status == 400);
        const size_t at = response.body.find("\"where\":\"") + 9;
        return response.body.substr(at, response.body.find('"', at) - at);
    };
    CHECK(where_of("{}") == "body client_id");
    CHECK(where_of(R"({"client_id":"a","topic":"b"})") == "body client_id");
    CHECK(where_of(R"({"client_id":""})") == "body client_id");
    CHECK(where_of(R"({"topic":"a#"})") == "body topic");
    CHECK(where_of(R"({"topic":""})") == "body topic");
    CHECK(where_of(R"({"topic":"a","seconds":0})") == "body seconds");
    CHECK(where_of(R"({"topic":"a","seconds":3601})") == "body seconds");
    CHECK(where_of(R"({"topic":"a","payload_bytes_max":4097})") == "body payload_bytes_max");
    api.subject.is_hanging = true;
    CHECK(api(post("/api/v1/traces", R"({"topic":"a"})")).status == 503);
    CHECK(api("/api/v1/traces").body == R"({"traces":[]})" "\n");
}

TEST_CASE("api: hot topics have their subscribers of now, slow receivers what waits for them") {
    SeeingApi api;
    api.subject.shard.live.queues.send_bytes_max = 10;
    TestClient& slow = api.subject.shard.connect("slow");
    TestClient& source = api.subject.shard.connect("source");
    api.subject.shard.subscribe(slow, "hot", 1);
    api.subject.shard.subscribe(slow, "+", 1);
    slow.stalled = true;
    for (uint16_t index = 1; index <= 2'000; ++index) {
        api.subject.shard.publish(source, {.topic = "hot", .payload = "0123456789", .qos = 0});
    }
    for (uint16_t id = 1; id <= 3; ++id) {
        api.subject.shard.publish(source,
                                  {.topic = "hot", .payload = "01234567", .qos = 1, .packet_id = id});
    }
    const AdminResponse hot = api("/api/v1/topics/hot");
    CHECK(has(hot, R"("sampled":"1 of 64","topics":[{"topic":"hot","messages":)"));
    CHECK(has(hot, R"("messages_error":0,"receivers":2}]})"));
    const AdminResponse receivers = api("/api/v1/receivers/slow?limit=1");
    CHECK(has(receivers, R"("receivers":[{"client_id":"slow","shard":0,"dropped":)"));
    CHECK(has(receivers, R"("dropped_error":0,"queued_bytes":)"));
    CHECK(has(receivers, R"("waiting_messages":3,"connected":true}]})"));
    CHECK(api("/api/v1/topics/hot?limit=0").status == 400);
    api.subject.shard.drop(slow);
    CHECK(has(api("/api/v1/receivers/slow"),
              R"("queued_bytes":null,"waiting_messages":null,"connected":false}]})"));
}
