// What `millrace memory` prints.
#include "server/remote/memory_command.h"

#include <doctest/doctest.h>

using namespace millrace::remote;

namespace {

constexpr std::string_view diff =
    R"({"from":{"id":"20261130T110000Z","time":1796036400.1},"to":{"id":"now","time":1796040000},)"
    R"("restarted":false,"classes":[)"
    R"({"class":"stored messages","objects":1000,"bytes":1572864,"reserved_bytes":0},)"
    R"({"class":"sessions","objects":-2,"bytes":-640,"reserved_bytes":65536}],"shards":[)"
    R"({"shard":1,"class":"stored messages","objects":1000,"bytes":1572864,"reserved_bytes":0},)"
    R"({"shard":null,"class":"mail rings","objects":0,"bytes":0,"reserved_bytes":8}],)"
    R"("process":{"resident_bytes":4096,"heap_committed_bytes":null}})";

}  // namespace

TEST_CASE("memory command: a diff is a table of classes, in the server's order") {
    CHECK(diff_text(diff, false) ==
          "from 20261130T110000Z (2026-11-30 11:00:00) to now (2026-11-30 12:00:00), UTC\n"
          "CLASS            OBJECTS     BYTES   RESERVED\n"
          "stored messages   +1,000  +1.5 MiB        0 B\n"
          "sessions              -2    -640 B  +64.0 KiB\n"
          "process: resident +4.0 KiB\n");
}

TEST_CASE("memory command: by shard it has the shards' lines and what they share") {
    const auto text = diff_text(diff, true);
    REQUIRE(text);
    CHECK(text->find("stored messages      1   +1,000  +1.5 MiB       0 B\n") != std::string::npos);
    CHECK(text->find("mail rings         all        0       0 B      +8 B\n") != std::string::npos);
}

TEST_CASE("memory command: a diff over a restart says so, one without differences too") {
    const auto text = diff_text(R"({"restarted":true,"classes":[]})", false);
    REQUIRE(text);
    CHECK(text->find("two processes") != std::string::npos);
    CHECK(text->find("no class differs\n") != std::string::npos);
}

TEST_CASE("memory command: the list has ids and times, and how often one is taken") {
    CHECK(list_text(R"({"interval_seconds":3600,"kept_max":25,"snapshots":[)"
                    R"({"id":"20261130T110000Z","time":1796036400,"bytes":2048}]})") ==
          "SNAPSHOT          TAKEN (UTC)             FILE\n"
          "20261130T110000Z  2026-11-30 11:00:00  2.0 KiB\n"
          "one is taken every 3600 s, 25 at most are kept\n");
    CHECK(list_text(R"({"interval_seconds":0,"kept_max":25,"snapshots":[]})") ==
          "no snapshots; taken on request alone, 25 at most are kept\n");
    CHECK(list_text(R"({"interval_seconds":0,"kept_max":0,"snapshots":[]})") ==
          "no snapshots; nothing is kept: admin.history_dir is empty\n");
}

TEST_CASE("memory command: an answer of another kind isn't understood") {
    for (const char* text : {"", "[]", "{}", "{\"classes\":3,\"snapshots\":{}}"}) {
        CHECK_FALSE(diff_text(text, false));
        CHECK_FALSE(list_text(text));
    }
    CHECK(diff_text(R"({"classes":[1,{"class":7}],"from":3})", false));  // odd, and no harm
}
