// What `millrace trace` prints.
#include "server/remote/trace_command.h"

#include <doctest/doctest.h>

#include "one_answer_server.h"

using namespace millrace;
using namespace millrace::remote;
using millrace::test::OneAnswerServer;

namespace {

std::string line_of(std::string_view text) {
    const auto json = Json::parse(text);
    REQUIRE(json);
    return trace_line(json->root());
}

}  // namespace

TEST_CASE("trace command: an event is a line of what is known of it") {
    CHECK(line_of(R"({"number":1,"time":1796040000.25,"shard":1,"client_id":"sensor 7",)"
                  R"("direction":"in","kind":"PUBLISH","bytes":120,"packet_id":7,"topic":"a/b",)"
                  R"("qos":1,"receivers":3,"took_us":45,"data_base64":"MAA="})") ==
          "12:00:00.250000 1 in   PUBLISH     sensor 7 topic=\"a/b\" qos=1 packet_id=7 bytes=120 "
          "receivers=3 took_us=45");
    CHECK(line_of(R"({"time":1796040000,"shard":0,"client_id":"c","direction":"none",)"
                  R"("kind":"closed","reason":"keep_alive_timeout"})") ==
          "12:00:00.000000 0 none closed      c reason=keep_alive_timeout");
}

TEST_CASE("trace command: nothing of an event steers the terminal") {
    CHECK(line_of(R"({"client_id":"\u001b[2J","topic":"\"\u0007"})").find_first_of("\x1b\x07") ==
          std::string::npos);
    CHECK(line_of("{}") == "? 0                  ");
}

TEST_CASE("trace command: packets are captured, with the bytes that are known of them") {
    PcapWriter writer;
    const auto capture = [&](std::string_view text) {
        const auto json = Json::parse(text);
        REQUIRE(json);
        return trace_capture(writer, json->root());
    };
    const std::string connect = capture(R"({"time":1.5,"client_id":"c","direction":"in",)"
                                        R"("kind":"CONNECT","bytes":5,"data_base64":"aGVsbG8="})");
    CHECK(connect.ends_with("hello"));
    CHECK(connect.size() == 4 * (16 + 40) + 5);  // the handshake's three frames before it
    const std::string publish = capture(R"({"time":2,"client_id":"c","direction":"out",)"
                                        R"("kind":"PUBLISH","bytes":1000,"data_base64":"aGVsbG8="})");
    CHECK(publish.size() == 16 + 40 + 5);
    CHECK(capture(R"({"time":2,"client_id":"c","direction":"none","kind":"queued","bytes":9})") == "");
    CHECK(capture(R"({"client_id":"c","direction":"in","kind":"PUBLISH","bytes":999999999999})") == "");
    CHECK(capture(R"({"time":3,"client_id":"c","direction":"none","kind":"closed"})").size() ==
          2 * (16 + 40));
    CHECK(capture("{}") == "");
}

TEST_CASE("trace command: a capture file that can't be written ends it before it asks") {
    const OneAnswerServer server(OneAnswerServer::json("{}"));
    TraceCommand command;
    command.target.url = server.url();
    command.client_id = "c";
    command.pcap = "/nowhere/file.pcap";
    CHECK(run_trace(command) == ExitCode::usage);
    CHECK(server.asked().empty());
}

TEST_CASE("trace command: it asks for the trace, follows it to its end and removes it") {
    const OneAnswerServer server(
        OneAnswerServer::json(R"({"id":"3","events":[],"next":0,"lost":0,"ended":true})"));
    TraceCommand command;
    command.target.url = server.url();
    command.client_id = "sensor \"7\"";
    CHECK(run_trace(command) == ExitCode::success);
    const auto asked = server.asked();
    REQUIRE(asked.size() == 3);
    CHECK(asked[0].starts_with("POST /api/v1/traces HTTP"));
    CHECK(asked[0].ends_with("\r\n\r\n{\"client_id\":\"sensor \\\"7\\\"\",\"seconds\":60}"));
    CHECK(asked[1].starts_with("GET /api/v1/traces/3/events?after=0&limit=1000 HTTP"));
    CHECK(asked[2].starts_with("DELETE /api/v1/traces/3 HTTP"));
}

TEST_CASE("trace command: an answer that isn't one ends it, and the trace") {
    const OneAnswerServer server(OneAnswerServer::json(R"({"id":"3"})"));
    TraceCommand command;
    command.target.url = server.url();
    command.topic = "a/#";
    CHECK(run_trace(command) == ExitCode::failed);
    CHECK(server.asked().back().starts_with("DELETE "));
}
