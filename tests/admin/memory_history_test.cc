#include "admin/memory_history.h"

#include <doctest/doctest.h>

#include "admin/memory_diff.h"
#include "admin_subject.h"
#include "own_folder.h"

using namespace millrace;
using millrace::test::FakeSubject;
using millrace::test::OwnFolder;

namespace {

std::unique_ptr<MemoryHistory> open_history(const OwnFolder& folder, const FakeSubject& subject) {
    AdminOptions options;
    options.history_dir = folder.path();
    auto history = MemoryHistory::open(options, subject);
    REQUIRE(history);
    return std::move(*history);
}

}  // namespace

TEST_CASE("memory history: what grew since a snapshot is named first") {
    const OwnFolder folder;
    FakeSubject subject;
    const auto history = open_history(folder, subject);
    const auto before = history->keep();
    REQUIRE(before);
    subject.ledgers[0].line("sessions").bytes.add(10);
    subject.ledgers[1].line("stored messages").bytes.add(5'000);
    const auto after = history->keep();
    REQUIRE(after);
    CHECK(before->id < after->id);
    const auto from = history->at(before->id.text());
    const auto to = history->at(after->id.text());
    REQUIRE(from);
    REQUIRE(to);
    const MemoryDiff diff = diff_memory(*from, *to);
    REQUIRE(diff.classes.size() == 2);
    CHECK(diff.classes[0] == MemoryChange{std::nullopt, "stored messages", 0, 5'000, 0});
    CHECK(diff.shards[0] == MemoryChange{1, "stored messages", 0, 5'000, 0});
    subject.ledgers[1].line("stored messages").bytes.subtract(5'000);
    CHECK(diff_memory(*to, *history->at("now")).classes[0].bytes == -5'000);
}

TEST_CASE("memory history: the list has what is kept, and how often") {
    const OwnFolder folder;
    FakeSubject subject;
    const auto history = open_history(folder, subject);
    CHECK(history->list_json() == R"({"interval_seconds":3600,"kept_max":25,"snapshots":[]})");
    const auto record = history->keep();
    REQUIRE(record);
    CHECK(history->list_json().find("{\"id\":\"" + record->id.text() + "\",\"time\":") !=
          std::string::npos);
    const auto read = history->at(record->id.text());
    REQUIRE(read);
    CHECK(read->shards.size() == 2);
}

TEST_CASE("memory history: a broken file in the directory is an answer") {
    const OwnFolder folder;
    FakeSubject subject;
    const auto history = open_history(folder, subject);
    folder.write("20261130T120000Z.memory.json", "{\"time\":");
    const auto broken = history->at("20261130T120000Z");
    REQUIRE_FALSE(broken);
    CHECK(broken.error().code == Errc::malformed);
    const auto missing = history->at("20261130T120001Z");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
}

TEST_CASE("memory history: without a directory there's only now") {
    FakeSubject subject;
    const auto history = MemoryHistory::open(AdminOptions{}, subject);
    REQUIRE(history);
    CHECK_FALSE((*history)->keeps());
    CHECK((*history)->at("now"));
    CHECK((*history)->list_json() == R"({"interval_seconds":0,"kept_max":0,"snapshots":[]})");
    const auto record = (*history)->keep();
    REQUIRE_FALSE(record);
    CHECK(record.error().message == "nothing is kept: set admin.history_dir to a directory");
    CHECK_FALSE((*history)->at("20261130T120000Z"));
}

TEST_CASE("memory history: a directory that can't be used is refused") {
    FakeSubject subject;
    AdminOptions options;
    options.history_dir = "/proc/self/history";
    const auto history = MemoryHistory::open(options, subject);
    REQUIRE_FALSE(history);
    CHECK(history.error().message.starts_with("admin.history_dir: "));
}
