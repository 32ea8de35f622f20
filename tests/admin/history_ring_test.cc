#include "admin/history_ring.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include <unistd.h>

#include "own_folder.h"

using namespace millrace;
using millrace::test::OwnFolder;

namespace {

constexpr int64_t noon = 1'796'040'000;  // 2026-11-30 12:00:00
constexpr int64_t hour = 3'600;

std::unique_ptr<HistoryRing> open_ring(const OwnFolder& folder, std::string kind = "memory.json") {
    auto ring = HistoryRing::open({.directory = folder.path(), .kind = std::move(kind)});
    REQUIRE(ring);
    return std::move(*ring);
}

std::string ids(const HistoryRing& ring) {
    std::string all;
    for (const HistoryRecord& record : ring.list()) all += record.id.text() + " ";
    return all;
}

std::string message_of(const Outcome<std::unique_ptr<HistoryRing>>& ring) {
    return ring ? "" : ring.error().message;
}

}  // namespace

TEST_CASE("history: a record's id is the second in which it was taken") {
    CHECK(HistoryId{noon}.text() == "20261130T120000Z");
    CHECK(HistoryId{noon, 12}.text() == "20261130T120000Z-12");
    for (const HistoryId id : {HistoryId{noon}, HistoryId{noon, 2}, HistoryId{noon, 99}, HistoryId{0}}) {
        CHECK(HistoryId::parse(id.text()) == id);
    }
    CHECK(HistoryId{noon, 10} > HistoryId{noon, 9});  // by number, not by letter
}

TEST_CASE("history: nothing else is an id") {
    for (const char* text :
         {"", "2026", "20261130T120000", "20261130T120000Z-", "20261130T120000Z-1",
          "20261130T120000Z-02", "20261130T120000Z-100", "20261130T120000Z-a", "20261130t120000Z",
          "20261331T120000Z", "20260231T120000Z", "20261130T250000Z", "20261130T120060Z",
          "+0261130T120000Z", "19691231T235959Z", "../../etc/passwd", "20261130T120000Z/", "now"}) {
        CAPTURE(text);
        CHECK_FALSE(HistoryId::parse(text));
    }
    CHECK_FALSE(HistoryId::parse(std::string_view("20261130T120000Z\0", 17)));
}

TEST_CASE("history: what was added is read back, also by the next process") {
    const OwnFolder folder;
    std::string bytes("a\0b\nc", 5);
    {
        const auto ring = open_ring(folder);
        const auto record = ring->add(noon, bytes);
        REQUIRE(record);
        CHECK(record->id.text() == "20261130T120000Z");
        CHECK(record->bytes == 5);
    }
    const auto ring = open_ring(folder);
    CHECK(ids(*ring) == "20261130T120000Z ");
    const auto read = ring->read("20261130T120000Z");
    REQUIRE(read);
    CHECK(*read == bytes);
    CHECK(folder.has("20261130T120000Z.memory.json"));
}

TEST_CASE("history: records of one second have ids of their own, up to a number") {
    const OwnFolder folder;
    const auto ring = open_ring(folder);
    for (int index = 0; index < 3; ++index) REQUIRE(ring->add(noon, std::to_string(index)));
    CHECK(ids(*ring) == "20261130T120000Z 20261130T120000Z-2 20261130T120000Z-3 ");
    CHECK(*ring->read("20261130T120000Z-2") == "1");
    folder.write("20261130T120000Z-99.memory.json", "last");
    for (int number = 4; number < 99; ++number) {
        folder.write("20261130T120000Z-" + std::to_string(number) + ".memory.json", "");
    }
    const auto record = ring->add(noon, "one more");
    REQUIRE_FALSE(record);
    CHECK(record.error().code == Errc::exhausted);
    CHECK(*ring->read("20261130T120000Z-99") == "last");
}

TEST_CASE("history: the oldest goes when there are too many") {
    const OwnFolder folder;
    const auto ring = open_ring(folder);
    for (int index = 0; index < 30; ++index) REQUIRE(ring->add(noon + index * 60, "x"));
    const auto records = ring->list();
    REQUIRE(records.size() == 25);
    CHECK(records.front().id == HistoryId{noon + 5 * 60});
    CHECK(records.back().id == HistoryId{noon + 29 * 60});
}

TEST_CASE("history: by the hour a day's growth can be seen, and nothing older") {
    const OwnFolder folder;
    const auto ring = open_ring(folder);
    // Each a little later than it was to be.
    for (int index = 0; index <= 40; ++index) REQUIRE(ring->add(noon + index * (hour + 2), "x"));
    const auto records = ring->list();
    REQUIRE(records.size() == 25);
    CHECK(records.back().id.time_s - records.front().id.time_s == 24 * (hour + 2));
    REQUIRE(ring->add(noon + 100 * hour, "after a long silence"));
    CHECK(ring->list().size() == 1);
}

TEST_CASE("history: a clock that was set back loses nothing at once, and no record its name") {
    const OwnFolder folder;
    const auto ring = open_ring(folder);
    REQUIRE(ring->add(noon, "first"));
    REQUIRE(ring->add(noon - hour, "second"));
    CHECK(ids(*ring) == "20261130T110000Z 20261130T120000Z ");
    // What is from far in the future is no history.
    REQUIRE(ring->add(noon - 200 * hour, "third"));
    CHECK(ring->list().size() == 1);
    CHECK(*ring->read(ring->list()[0].id.text()) == "third");
}

TEST_CASE("history: the newest stays even when it's the oldest by its name") {
    const OwnFolder folder;
    auto ring = HistoryRing::open({.directory = folder.path(), .kind = "k", .kept_max = 2});
    REQUIRE(ring);
    REQUIRE((*ring)->add(noon + 1, "a"));
    REQUIRE((*ring)->add(noon + 2, "b"));
    REQUIRE((*ring)->add(noon, "c"));
    CHECK(ids(**ring) == "20261130T120000Z 20261130T120002Z ");
}

TEST_CASE("history: records of two kinds share a directory and don't count for each other") {
    const OwnFolder folder;
    const auto memory = open_ring(folder);
    const auto profiles = open_ring(folder, "profile.pb");
    REQUIRE(memory->add(noon, "m"));
    REQUIRE(profiles->add(noon, "p"));
    CHECK(*memory->read("20261130T120000Z") == "m");
    CHECK(*profiles->read("20261130T120000Z") == "p");
    REQUIRE(memory->add(noon + 100 * hour, "m"));
    CHECK(ids(*profiles) == "20261130T120000Z ");
}

TEST_CASE("history: what it didn't write is neither listed nor removed") {
    const OwnFolder folder;
    const std::string names[] = {"notes.txt", "20261130T120000Z", "20261130T120000Z.memory.json.bak",
                                 "x20261130T120000Z.memory.json", ".memory.json",
                                 "20261130T120000Z.other.tmp"};
    for (const std::string& name : names) folder.write(name, "kept");
    std::filesystem::create_directory(folder.path() + "/20261130T130000Z.memory.json");
    std::filesystem::create_symlink("/etc/passwd", folder.path() + "/20261130T140000Z.memory.json");
    const auto ring = open_ring(folder);
    CHECK(ids(*ring) == "");
    REQUIRE(ring->add(noon + 1'000 * hour, "x"));
    CHECK(ring->list().size() == 1);
    for (const std::string& name : names) CHECK(folder.has(name));
    CHECK(folder.has("20261130T130000Z.memory.json"));
    CHECK_FALSE(ring->read("20261130T130000Z"));
    CHECK_FALSE(ring->read("20261130T140000Z"));  // not through a link
}

TEST_CASE("history: a record that was half-written when the process ended goes at the next start") {
    const OwnFolder folder;
    folder.write("20261130T120000Z.memory.json.tmp", "{\"ha");
    folder.write("20261130T120000Z.profile.pb.tmp", "another's");
    const auto ring = open_ring(folder);
    CHECK(ids(*ring) == "");
    CHECK_FALSE(folder.has("20261130T120000Z.memory.json.tmp"));
    CHECK(folder.has("20261130T120000Z.profile.pb.tmp"));
}

TEST_CASE("history: a file that is far too long is no record") {
    const OwnFolder folder;
    auto ring = HistoryRing::open(
        {.directory = folder.path(), .kind = "k", .record_bytes_max = 10});
    REQUIRE(ring);
    folder.write("20261130T120000Z.k", "0123456789+");
    CHECK((*ring)->list().empty());
    const auto read = (*ring)->read("20261130T120000Z");
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
}

TEST_CASE("history: what would be too long to be listed, and so to be removed, isn't written") {
    const OwnFolder folder;
    const auto ring = HistoryRing::open(
        {.directory = folder.path(), .kind = "k", .record_bytes_max = 10});
    REQUIRE(ring);
    CHECK((*ring)->add(noon, std::string(10, 'x')));
    const auto record = (*ring)->add(noon + 1, std::string(11, 'x'));
    REQUIRE_FALSE(record);
    CHECK(record.error().code == Errc::too_large);
    CHECK(ids(**ring) == "20261130T120000Z ");
    CHECK_FALSE(folder.has("20261130T120001Z.k"));
}

TEST_CASE("history: an id that isn't there is told apart") {
    const OwnFolder folder;
    const auto ring = open_ring(folder);
    for (const char* id : {"20261130T120000Z", "../secret", "", "x"}) {
        const auto read = ring->read(id);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == Errc::not_found);
    }
}

TEST_CASE("history: the directory is made below one that is there") {
    const OwnFolder folder;
    const std::string path = folder.path() + "/history";
    auto ring = HistoryRing::open({.directory = path, .kind = "k"});
    REQUIRE(ring);
    CHECK(std::filesystem::is_directory(path));
    CHECK(std::filesystem::is_empty(path));  // the trial has left nothing
    // Removed under its feet: an error, and no crash.
    std::filesystem::remove_all(path);
    CHECK((*ring)->list().empty());
    const auto record = (*ring)->add(noon, "x");
    REQUIRE_FALSE(record);
    CHECK(record.error().message.starts_with("admin.history_dir: can't make " + path));
}

TEST_CASE("history: a directory that can't be used is refused at the start, with the key's name") {
    const OwnFolder folder;
    CHECK(message_of(HistoryRing::open({.directory = folder.path() + "/a/b", .kind = "k"})) ==
          "admin.history_dir: can't make the directory " + folder.path() +
              "/a/b: No such file or directory; make it a directory that this user may write, or set "
              "it to \"\"");
    folder.write("file", "");
    CHECK(message_of(HistoryRing::open({.directory = folder.path() + "/file", .kind = "k"}))
              .find("Not a directory; make it a directory") != std::string::npos);
    // Root may write everywhere, but in what the kernel makes up.
    CHECK(message_of(HistoryRing::open({.directory = "/proc/self", .kind = "k"}))
              .starts_with("admin.history_dir: can't make /proc/self/.trial.k.tmp: "));
}
