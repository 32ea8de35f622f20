// The API, from request to response, over a broker.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/percent_encoding.h"
#include "api_subject.h"
#include "base/log.h"

using namespace millrace;
using namespace millrace::test;

namespace {

struct Api {
    ApiSubject subject;
    AdminRequests requests{subject, ""};

    AdminResponse operator()(AdminRequest request) { return ask(requests, std::move(request)); }
};

// "400 invalid_argument query limit"
std::string fault_of(const AdminResponse& response) {
    const auto text_of = [&](const std::string& name) {
        const std::string front = "\"" + name + "\":\"";
        const size_t begin = response.body.find(front) + front.size();
        return response.body.substr(begin, response.body.find('"', begin) - begin);
    };
    REQUIRE(response.body.starts_with("{\"error\":{\"code\":\""));
    return std::to_string(response.status) + " " + text_of("code") + " " + text_of("where");
}

std::string next_of(const AdminResponse& response) {
    const std::string front = "\"next\":\"";
    const size_t at = response.body.find(front);
    if (at == std::string::npos) return "";
    const size_t begin = at + front.size();
    return response.body.substr(begin, response.body.find('"', begin) - begin);
}

}  // namespace

TEST_CASE("api: clients are listed, shown and kicked") {
    Api api;
    mqtt::Connect packet;
    packet.client_id = "a/b \"<";
    packet.keep_alive_s = 60;
    TestClient& client = api.subject.shard.connect(packet);
    api.subject.shard.subscribe(client, "news/#", 1, 7);
    const std::string row =
        R"({"client_id":"a/b \"<","shard":0,"connected":true,"protocol":"5.0","keep_alive_s":60,)"
        R"("expiry_s":0,"subscriptions":1,"inflight":0,"waiting_messages":0,"waiting_bytes":0,)"
        R"("send_queue_bytes":0,"silent_ms":0})";
    CHECK(api(get("/api/v1/clients")).body == "{\"clients\":[" + row + "],\"next\":null}\n");
    const std::string target = "/api/v1/clients/a%2Fb%20%22%3C";
    CHECK(api(get(target)).body == row + "\n");
    CHECK(api(get(target + "/subscriptions")).body ==
          R"({"subscriptions":[{"client_id":"a/b \"<","filter":"news/#","qos":1,"no_local":false,)"
          R"("retain_as_published":false,"identifier":7}],"next":null})"
          "\n");
    const AdminResponse kicked = api({.method = "DELETE", .target = target});
    CHECK(kicked.body ==
          R"({"client_id":"a/b \"<","was_connected":true,"session":"ended"})" "\n");
    CHECK(client.closed);
    CHECK(fault_of(api(get(target))) == "404 not_found path client_id");
    CHECK(fault_of(api({.method = "DELETE", .target = target})) == "404 not_found path client_id");
}

TEST_CASE("api: a list goes on where \"next\" of the page before says") {
    Api api;
    for (int number = 0; number < 30; ++number) {
        TestClient& client = api.subject.shard.connect(fmt::format("client-{}", number));
        api.subject.shard.subscribe(client, fmt::format("a/{}", number));
        api.subject.shard.subscribe(client, fmt::format("b/{}/#", number));
    }
    for (const std::string list : {"clients", "subscriptions", "topics"}) {
        const std::string base = "/api/v1/" + list + "?limit=7";
        std::string target = base;
        size_t pages = 0;
        size_t rows = 0;
        for (;;) {
            const AdminResponse page = api(get(target));
            REQUIRE(page.status == 200);
            for (size_t at = page.body.find('{', 1); at != std::string::npos;
                 at = page.body.find('{', at + 1)) {
                ++rows;
            }
            ++pages;
            if (next_of(page).empty()) break;
            target = base + "&cursor=" + percent_encoded(next_of(page));
        }
        CAPTURE(list);
        CHECK(rows == (list == "clients" ? 30 : 60));
        CHECK(pages == (list == "clients" ? 5 : 9));
    }
}

TEST_CASE("api: topics are looked up, messages published and broadcast") {
    Api api;
    TestClient& client = api.subject.shard.connect("phone");
    api.subject.shard.subscribe(client, "a/+");
    CHECK(api(get("/api/v1/topics/lookup?topic=a/b")).body ==
          R"({"topic":"a/b","home_shard":0,"subscribers":1,"filters":[{"filter":"a/+",)"
          R"("kind":"wildcard","shard":0,"subscribers":1}],"retained":null})" "\n");
    const AdminResponse published = api(
        post("/api/v1/publish", R"({"topic":"a/b","payload":"h\u00e9","qos":1,"retain":true})"));
    CHECK(published.status == 202);
    REQUIRE(api.subject.published.size() == 1);
    CHECK(api.subject.published[0].topic == "a/b");
    CHECK(api.subject.published[0].payload == "h\xc3\xa9");
    CHECK(api.subject.published[0].qos == 1);
    CHECK(api.subject.published[0].retain);
    CHECK(api(post("/api/v1/publish", R"({"topic":"a","payload_base64":"AP8="})")).status == 202);
    CHECK(api.subject.published[1].payload == std::string("\0\xff", 2));
    const AdminResponse broadcast =
        api(post("/api/v1/broadcast", R"({"topic":"alert","payload":"hi"})"));
    CHECK(broadcast.body == "{\"clients\":1}\n");
    CHECK(payload_of(api.subject.shard.take(client)) == "hi");
    const std::string large(16'385, 'x');
    CHECK(fault_of(api(post("/api/v1/broadcast", "{\"topic\":\"a\",\"payload\":\"" + large +
                                                     "\"}"))) == "413 too_large body payload");
    api.subject.publish_error = Error{Errc::exhausted, "too far behind"};
    CHECK(fault_of(api(post("/api/v1/publish", R"({"topic":"a","payload":""})"))) ==
          "503 unavailable shard");
}

TEST_CASE("api: the shards' figures have what the shards count") {
    Api api;
    api.subject.shard.connect("phone");
    const AdminResponse response = api(get("/api/v1/shards"));
    CHECK(response.status == 200);
    CHECK(response.body.find("\"shard\":0,\"connections\":{\"connected\":1,\"active\":0,"
                             "\"idle\":1,") != std::string::npos);
    CHECK(response.body.find("\"cpu_seconds\":1.500000,") != std::string::npos);
    const AdminResponse server = api(get("/api/v1/server"));
    CHECK(server.body.find("\"network\":\"uring\",\"state\":\"serving\",") != std::string::npos);
}

TEST_CASE("api: a shard's loop and deliveries stand beside its counters") {
    Api api;
    api.subject.loop.turn.add(20'000);
    api.subject.delivery.add(7'000);
    const std::string body = api(get("/api/v1/shards")).body;
    CHECK(body.find("\"loop\":{\"turns\":0,\"busy_turns\":1,") != std::string::npos);
    CHECK(body.find("\"longest_stall\":null") != std::string::npos);
    CHECK(body.find("\"delivery_us\":{\"count\":1,\"sum\":7,\"max\":7,\"buckets\":[[7,1]]}}]}") !=
          std::string::npos);
}

TEST_CASE("api: the log's last lines are there while the listener wants them") {
    Api api;
    const LogKeeping keeping(log_ring);
    log_file_descriptor = -1;
    const uint64_t before = log_ring.last_number();
    log_info("client closed", field("client", "a\n"));
    log_file_descriptor = 2;
    const AdminResponse response =
        api(get("/api/v1/events?limit=5&after=" + std::to_string(before)));
    CHECK(response.status == 200);
    CHECK(response.body.find("\"level\":\"info\",\"message\":\"client closed\",\"fields\":{"
                             "\"client\":\"a\\u000a\"}}],\"next\":" +
                             std::to_string(before + 1) + ",\"lost\":0}\n") != std::string::npos);
    CHECK(fault_of(api(get("/api/v1/events?after=-1"))) == "400 invalid_argument query after");
    CHECK(fault_of(api(get("/api/v1/events?limit=0"))) == "400 invalid_argument query limit");
    CHECK(fault_of(api(get("/api/v1/events?cursor=1"))) == "400 invalid_argument query cursor");
}

TEST_CASE("api: what isn't asked rightly is refused, and the place is named") {
    Api api;
    const std::pair<const char*, const char*> gets[] = {
        {"/api/v1/clients?limit=0", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=1001", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=+1", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=1e2", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=99999999999999999999", "400 invalid_argument query limit"},
        {"/api/v1/clients?limit=1&limit=1", "400 invalid_argument query limit"},
        {"/api/v1/clients?Limit=1", "400 invalid_argument query Limit"},
        {"/api/v1/clients?connected=yes", "400 invalid_argument query connected"},
        {"/api/v1/clients?cursor=", "400 invalid_argument query cursor"},
        {"/api/v1/clients?cursor=1.0.0.", "400 invalid_argument query cursor"},
        {"/api/v1/clients?cursor=0.x.0.", "400 invalid_argument query cursor"},
        {"/api/v1/clients?cursor=0.11111111111111111.0.", "400 invalid_argument query cursor"},
        {"/api/v1/clients?prefix=%ff", "400 invalid_argument query prefix"},
        {"/api/v1/clients?prefix=%0", "400 invalid_argument query prefix"},
        {"/api/v1/clients?%ff=a", "400 invalid_argument query"},
        {"/api/v1/clients/%00", "400 invalid_argument path"},
        {"/api/v1/clients/%zz", "400 invalid_argument path"},
        {"/api/v1/topics?kind=any", "400 invalid_argument query kind"},
        {"/api/v1/topics/lookup", "400 invalid_argument query topic"},
        {"/api/v1/topics/lookup?topic=a/%23", "400 invalid_argument query topic"},
        {"/api/v1/clients/", "404 not_found path"},
        {"/api/v1/", "404 not_found path"},
        {"/api/v1/client", "404 not_found path"},
        {"/api/v1/clients/a/b", "404 not_found path"},
        {"/api/v1/publish", "405 method_not_allowed method"},
    };
    for (const auto& asked : gets) {
        CAPTURE(asked.first);
        CHECK(fault_of(api(get(asked.first))) == asked.second);
    }
    const std::string deep(100, '[');
    const std::pair<std::string, const char*> posts[] = {
        {"", "400 invalid_argument body"},
        {"[]", "400 invalid_argument body"},
        {"{", "400 invalid_argument body"},
        {"{\"a\":" + deep, "400 invalid_argument body"},
        {"{\"topic\":\"a\",\"payload\":\"\xff\"}", "400 invalid_argument body"},
        {R"({"topic":"a","payload":"","size":1})", "400 invalid_argument body"},
        {R"({"topic":"a","topic":"b","payload":""})", "400 invalid_argument body topic"},
        {R"({"payload":""})", "400 invalid_argument body topic"},
        {R"({"topic":1,"payload":""})", "400 invalid_argument body topic"},
        {R"({"topic":"","payload":""})", "400 invalid_argument body topic"},
        {R"({"topic":"a/#","payload":""})", "400 invalid_argument body topic"},
        {R"({"topic":"a\u0000","payload":""})", "400 invalid_argument body topic"},
        {R"({"topic":"a"})", "400 invalid_argument body payload"},
        {R"({"topic":"a","payload":"","payload_base64":""})", "400 invalid_argument body payload"},
        {R"({"topic":"a","payload_base64":"AP8"})", "400 invalid_argument body payload_base64"},
        {R"({"topic":"a","payload":"","qos":3})", "400 invalid_argument body qos"},
        {R"({"topic":"a","payload":"","qos":1.0})", "400 invalid_argument body qos"},
        {R"({"topic":"a","payload":"","qos":-1})", "400 invalid_argument body qos"},
        {R"({"topic":"a","payload":"","retain":"yes"})", "400 invalid_argument body retain"},
    };
    for (const auto& asked : posts) {
        CAPTURE(asked.first);
        CHECK(fault_of(api(post("/api/v1/publish", asked.first))) == asked.second);
    }
    AdminRequest plain = post("/api/v1/publish", R"({"topic":"a","payload":""})");
    plain.content_type = "text/plain";
    CHECK(fault_of(api(plain)) == "415 unsupported_media_type header Content-Type");
    plain.content_type = "Application/JSON; charset=utf-8";
    CHECK(api(plain).status == 202);
    CHECK(api.subject.published.size() == 1);
    AdminRequest with_body = get("/api/v1/clients");
    with_body.body = "{}";
    CHECK(fault_of(api(with_body)) == "413 too_large body");
}

TEST_CASE("api: nobody waits for a body that is far too long") {
    Api api;
    AdminRequest request = post("/api/v1/publish", "");
    request.body_bytes = ApiRoutes::body_bytes_read_max;
    CHECK_FALSE(api.requests.look(request).response);
    request.body_bytes = ApiRoutes::body_bytes_read_max + 1;
    const auto response = api.requests.look(request).response;
    REQUIRE(response);
    CHECK(fault_of(*response) == "413 too_large body");
}

TEST_CASE("api: pages of others in a browser of this host may not ask") {
    Api api;
    AdminRequest request = get("/api/v1/clients");
    for (const char* host : {"", "localhost", "LOCALHOST:9883", "127.0.0.1:9883", "[::1]:9883"}) {
        request.host = host;
        CHECK(api(request).status == 200);
    }
    for (const char* host : {"evil.example", "localhost.evil.example:9883", "127.0.0.1.example"}) {
        request.host = host;
        CHECK(fault_of(api(request)) == "403 forbidden header Host");
    }
    AdminRequest sent = post("/api/v1/publish", R"({"topic":"a","payload":""})");
    sent.host = "127.0.0.1:9883";
    for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:1"}) {
        sent.origin = origin;
        CHECK(fault_of(api(sent)) == "403 forbidden header Origin");
    }
    sent.origin = "http://127.0.0.1:9883";
    CHECK(api(sent).status == 202);
}

TEST_CASE("api: a shard that takes no tasks is named") {
    Api api;
    api.subject.is_hanging = true;
    CHECK(fault_of(api(get("/api/v1/clients"))) == "503 unavailable shard 0");
    CHECK(fault_of(api(get("/api/v1/clients/a"))) == "503 unavailable shard 0");
}

TEST_CASE("api: base64 comes back as it went in, and nothing else comes in") {
    for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd\xfc"}) {
        const auto bytes = from_base64(base64(text));
        REQUIRE(bytes.has_value());
        CHECK(std::string(bytes->begin(), bytes->end()) == text);
    }
    CHECK(base64("any carnal pleas") == "YW55IGNhcm5hbCBwbGVhcw==");
    for (const char* text : {"A", "AA=A", "====", "AB==", "A A=", "AA-_", "AAA=AAAA"}) {
        CAPTURE(text);
        CHECK(!from_base64(text));
    }
}
