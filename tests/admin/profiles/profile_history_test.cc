#include "admin/profiles/profile_history.h"

#include <thread>

#include <doctest/doctest.h>

#include "admin/profiles/pprof.h"
#include "../own_folder.h"
#include "sample_profile.h"

using namespace millrace;
using test::OwnFolder;

namespace {

constexpr auto without_wait = [](Duration) { return false; };

std::unique_ptr<ProfileHistory> open_profiles_in(const std::string& directory) {
    auto history = ProfileHistory::open({.directory = directory});
    REQUIRE(history);
    return std::move(*history);
}

}  // namespace

TEST_CASE("profile history: without a directory profiles are taken, and none is kept") {
    const auto history = open_profiles_in("");
    CHECK(!history->keeps());
    CHECK(history->list().empty());
    const auto kept = history->keep(Duration::ms(1), without_wait);
    REQUIRE(!kept);
    CHECK(kept.error().code == Errc::unsupported);
    CHECK(kept.error().message.find("admin.history_dir") != std::string::npos);
    CHECK(!history->read("20261130T120000Z"));
    CHECK(history->take(Duration::ms(1), without_wait).has_value() == CpuSampler::is_built());
}

TEST_CASE("profile history: files of before are listed, oldest first, and read") {
    const OwnFolder folder;
    folder.write("20261130T130000Z.profile.pb.gz", write_pprof(sample_profile()));
    folder.write("20261130T120000Z.profile.pb.gz", write_pprof(sample_profile()));
    folder.write("20261130T120000Z.memory.json", "{}");
    const auto history = open_profiles_in(folder.path());
    const std::vector<ProfileRecord> records = history->list();
    REQUIRE(records.size() == 2);
    CHECK(records[0].id.text() == "20261130T120000Z");
    CHECK(records[1].id.text() == "20261130T130000Z");
    CHECK(records[0].sample_count == 10);
    CHECK(records[0].duration == Duration::s(5));
    const auto profile = history->read("20261130T120000Z");
    REQUIRE(profile);
    CHECK(profile->functions == sample_profile().functions);
    CHECK(*history->file("20261130T120000Z") == write_pprof(sample_profile()));
    CHECK(history->read("20261130T120001Z").error().code == Errc::not_found);
    CHECK(history->read("../../etc/passwd").error().code == Errc::not_found);
}

TEST_CASE("profile history: a broken file is left out, and the others are there") {
    const OwnFolder folder;
    const std::string whole = write_pprof(sample_profile());
    folder.write("20261130T120000Z.profile.pb.gz", whole);
    folder.write("20261130T130000Z.profile.pb.gz", whole.substr(0, whole.size() / 2));
    folder.write("20261130T140000Z.profile.pb.gz", "");
    const auto history = open_profiles_in(folder.path());
    for (int round = 0; round < 2; ++round) {  // the second time from what is known
        const std::vector<ProfileRecord> records = history->list();
        REQUIRE(records.size() == 1);
        CHECK(records[0].id.text() == "20261130T120000Z");
    }
    CHECK(history->read("20261130T130000Z").error().code == Errc::malformed);
}

TEST_CASE("profile history: what is kept can be read by the next server") {
    if (!CpuSampler::is_built()) return;
    const OwnFolder folder;
    const auto kept = open_profiles_in(folder.path())->keep(Duration::ms(1), without_wait);
    REQUIRE(kept);
    const auto history = open_profiles_in(folder.path());
    REQUIRE(history->list().size() == 1);
    CHECK(history->list()[0].id == kept->id);
    CHECK(history->list()[0].sample_count == kept->sample_count);
    CHECK(history->read(kept->id.text()));
}

TEST_CASE("profile history: regular ones come by themselves") {
    if (!CpuSampler::is_built()) return;
    const OwnFolder folder;
    const auto history = ProfileHistory::open(
        {.directory = folder.path(), .interval = Duration::ms(20), .duration = Duration::ms(5)});
    REQUIRE(history);
    while ((*history)->list().size() < 2) std::this_thread::yield();
}

TEST_CASE("profile history: the end doesn't wait for a regular one") {
    if (!CpuSampler::is_built()) return;
    const OwnFolder folder;
    auto history = ProfileHistory::open({.directory = folder.path(),
                                         .interval = Duration::ms(1),
                                         .duration = Duration::s(3'600)});
    REQUIRE(history);
    // Refused as soon as the regular one is being taken.
    while ((*history)->take(Duration::ms(1), without_wait)) std::this_thread::yield();
    history->reset();
    CHECK(open_profiles_in(folder.path())->list().empty());
}
