// The HTTP client of the commands, against a server of the test's own.
#include "base/percent_encoding.h"
#include "server/remote/http_client.h"

#include <doctest/doctest.h>

#include <fstream>

#include <unistd.h>

#include "one_answer_server.h"

using namespace millrace;
using namespace millrace::remote;
using millrace::test::OneAnswerServer;

namespace {

Outcome<std::string> ask(const std::string& url, std::optional<std::string> token_file = {},
                         Method method = Method::get, std::string_view json = {}) {
    const auto client = HttpClient::open({url, std::move(token_file)});
    if (!client) return tl::unexpected<Error>(client.error());
    return (*client)->ask_json(method, "/api/v1/server", json);
}

std::string failure_of(const Outcome<std::string>& answer) {
    return answer ? "" : answer.error().message;
}

// What stands behind the url.
std::string complaint(const std::string& http) {
    const OneAnswerServer server(http);
    const std::string fault = failure_of(ask(server.url()));
    const std::string begin = server.url() + ": ";
    CHECK(fault.starts_with(begin));
    return fault.substr(std::min(begin.size(), fault.size()));
}

}  // namespace

TEST_CASE("remote client: it gets what it asked for") {
    const OneAnswerServer server(OneAnswerServer::json("{\"a\":1}\n"));
    const auto answer = ask(server.url() + "/");
    REQUIRE_MESSAGE(answer, answer.error().message);
    CHECK(*answer == "{\"a\":1}\n");
    REQUIRE(server.asked().size() == 1);
    CHECK(server.asked()[0].starts_with("GET /api/v1/server HTTP/1.1\r\n"));
    CHECK(server.asked()[0].find("Authorization") == std::string::npos);
}

TEST_CASE("remote client: what is posted has its type, and is whole") {
    const OneAnswerServer server(OneAnswerServer::json("{}", "201 Created"));
    CHECK(failure_of(ask(server.url(), {}, Method::post, "{\"seconds\":5}")) == "");
    CHECK(failure_of(ask(server.url(), {}, Method::remove)) == "");
    const auto asked = server.asked();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].starts_with("POST /api/v1/server HTTP/1.1\r\n"));
    CHECK(asked[0].find("\r\nContent-Type: application/json\r\n") != std::string::npos);
    CHECK(asked[0].ends_with("\r\n\r\n{\"seconds\":5}"));
    CHECK(asked[1].starts_with("DELETE /api/v1/server HTTP/1.1\r\n"));
}

TEST_CASE("remote client: a token is read from its file and sent") {
    char path[] = "/tmp/remote_client_XXXXXX";
    const int file = ::mkstemp(path);
    REQUIRE(file >= 0);
    ::close(file);
    std::ofstream(path) << "a-token-of-more-than-16-bytes\n";
    const OneAnswerServer server(OneAnswerServer::json("{}"));
    CHECK(failure_of(ask(server.url(), path)) == "");
    CHECK(server.asked()[0].find("\r\nAuthorization: Bearer a-token-of-more-than-16-bytes\r\n") !=
          std::string::npos);
    std::ofstream(path) << "short";
    CHECK(failure_of(ask(server.url(), path)) ==
          "--token-file " + std::string(path) + ": its token has 5 bytes");
    ::unlink(path);
    CHECK(failure_of(ask(server.url(), path)) ==
          "--token-file " + std::string(path) + ": No such file or directory");
    CHECK(server.asked().size() == 1);
}

TEST_CASE("remote client: nobody listens") {
    std::string url;
    { url = OneAnswerServer("").url(); }
    const std::string fault = failure_of(ask(url));
    CHECK(fault.starts_with(url + ": Failed to connect"));
    CHECK(fault.ends_with("; is the server running, and does its admin.listen have this address?"));
}

TEST_CASE("remote client: a wrong token, and what the server says itself") {
    CHECK(complaint(OneAnswerServer::json(R"({"error":{"code":"unauthorized","message":"no"}})",
                                          "401 Unauthorized")) ==
          "the server asks for another token: give --token-file with the file of its "
          "admin.token_file");
    CHECK(complaint(OneAnswerServer::json(
              R"({"error":{"code":"unavailable","message":"nothing is kept\u001b[2J"}})",
              "503 Service Unavailable")) == "nothing is kept?[2J");
}

TEST_CASE("remote client: who listens is something else") {
    constexpr std::string_view not_ours = "it isn't the admin API of millrace";
    CHECK(complaint(OneAnswerServer::http("200 OK", "text/html", "<p>hello</p>"))
              .starts_with(not_ours));
    CHECK(complaint(OneAnswerServer::json("[]")).starts_with(not_ours));
    CHECK(complaint(OneAnswerServer::json("{\"a\":")).starts_with(not_ours));
    CHECK(complaint(OneAnswerServer::json(R"({"error":"there are /metrics, ..."})", "404 Not Found"))
              .find("one of another version") != std::string::npos);
    CHECK(complaint(OneAnswerServer::http("302 Found", "text/plain", "")).starts_with(not_ours));
    CHECK(complaint("").find("no HTTP is spoken there") != std::string::npos);
    CHECK(complaint("\x20\x02\x00\x00").find("no HTTP is spoken there") != std::string::npos);
    // Cut in the middle.
    CHECK(complaint("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":1}") != "");
}

TEST_CASE("remote client: an address may lack its scheme, and is refused when it's none") {
    CHECK(*normalized_url("127.0.0.1:9883") == "http://127.0.0.1:9883");
    CHECK(*normalized_url("https://[::1]:1/") == "https://[::1]:1");
    for (const char* text : {"", "/", "http://", "ftp://host", "file:///etc/passwd", "a b",
                             "http://host/?a", "http://user@host", "http://host\r\nx"}) {
        CAPTURE(text);
        const auto url = normalized_url(text);
        REQUIRE_FALSE(url);
        CHECK(url.error().message.find("accepted is http://HOST:PORT") != std::string::npos);
    }
}

TEST_CASE("remote client: text for a query's value is encoded") {
    CHECK(percent_encoded("a-Z_0.~") == "a-Z_0.~");
    CHECK(percent_encoded("a/b c&\xc3\xa4+") == "a%2Fb%20c%26%C3%A4%2B");
}
