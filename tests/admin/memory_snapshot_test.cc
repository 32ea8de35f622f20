#include "admin/memory_snapshot.h"

#include <doctest/doctest.h>

#include "admin_subject.h"

using namespace millrace;
using millrace::test::FakeSubject;

namespace {

MemorySnapshot example() {
    MemorySnapshot snapshot;
    snapshot.time = 1'796'040'000.125;
    snapshot.started = 1'796'000'000.5;
    snapshot.shards = {{{"sessions", 1, 2, 3}, {"a \"line\"\\\n\xff", 0, UINT64_MAX, 0}}, {}};
    snapshot.shared = {{"mail rings", 4, 5, 6}};
    snapshot.resident_bytes = 7;
    snapshot.huge_page_bytes = 8;
    snapshot.virtual_bytes = 9;
    snapshot.heap_committed_bytes = 10;
    snapshot.kernel.socket_bytes_estimate = 11;
    return snapshot;
}

std::string refusal(std::string_view json) {
    const auto snapshot = parse_memory_snapshot(json);
    return snapshot ? "" : snapshot.error().message;
}

}  // namespace

TEST_CASE("memory snapshot: what was written is read as it was") {
    MemorySnapshot written = example();
    const auto read = parse_memory_snapshot(to_json(written));
    REQUIRE_MESSAGE(read, read.error().message);
    written.shards[0][1].name = "a \"line\"\\\n?";  // JSON is UTF-8
    CHECK(*read == written);
    const auto empty = parse_memory_snapshot(to_json(MemorySnapshot{}));
    REQUIRE(empty);
    CHECK(*empty == MemorySnapshot{});
}

TEST_CASE("memory snapshot: it has every ledger's lines, what is shared, process and kernel") {
    FakeSubject subject;
    subject.ledgers[1].line("inflight").objects.set(3);
    const MemorySnapshot snapshot = take_memory_snapshot(subject);
    REQUIRE(snapshot.shards.size() == 2);
    CHECK(snapshot.shards[0] == std::vector<MemoryLine>{{"sessions", 0, 100, 0}});
    CHECK(snapshot.shards[1] ==
          std::vector<MemoryLine>{{"sessions", 0, 101, 0}, {"inflight", 3, 0, 0}});
    CHECK(snapshot.shared == std::vector<MemoryLine>{{"mail rings", 2, 200, 300}});
    CHECK(snapshot.resident_bytes > 0);
    CHECK(snapshot.virtual_bytes > 0);
    CHECK(snapshot.kernel.socket_bytes_estimate == 4'727);
    CHECK_FALSE(snapshot.kernel.rings_bytes_estimate);
    CHECK(snapshot.time > snapshot.started);
    CHECK(snapshot.started > 0);
}

TEST_CASE("memory snapshot: a file that is cut anywhere is refused") {
    const std::string json = to_json(example());
    for (size_t bytes = 0; bytes < json.size(); ++bytes) {
        CAPTURE(bytes);
        CHECK(refusal(json.substr(0, bytes)).starts_with("no snapshot: "));
    }
    CHECK(refusal(json + "\n") == "");
}

TEST_CASE("memory snapshot: a file with any byte changed is read or refused") {
    const std::string json = to_json(example());
    for (size_t place = 0; place < json.size(); ++place) {
        for (const char other : {'\0', '"', '}', ']', '-', '9', '\xff'}) {
            std::string broken = json;
            broken[place] = other;
            static_cast<void>(refusal(broken));
        }
    }
}

TEST_CASE("memory snapshot: a refusal names what is missing or wrong") {
    CHECK(refusal("[]").starts_with("no snapshot: "));
    CHECK(refusal("{}") == "no snapshot: \"time\" is missing or isn't what it should be");
    CHECK(refusal(R"({"time":1,"started":1,"shards":{}})").find("\"shards\"") !=
          std::string::npos);
    CHECK(refusal(R"({"time":1,"started":1,"shards":[1]})").find("\"shards\"") !=
          std::string::npos);
    CHECK(refusal(R"({"time":1,"started":1,"shards":[{"shard":1,"lines":[]}]})")
              .find("\"shard\"") != std::string::npos);
    CHECK(refusal(R"({"time":1,"started":1,"shards":[{"shard":0,"lines":[{"class":"a",
                     "objects":-1,"bytes":0,"reserved_bytes":0}]}]})")
              .find("\"objects\"") != std::string::npos);
    CHECK(refusal(R"({"time":1,"started":1,"shards":[],"shared":[]})").find("\"process\"") !=
          std::string::npos);
    CHECK(refusal(std::string(100'000, '[')) != "");
}
