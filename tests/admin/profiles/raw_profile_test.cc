#include "admin/profiles/raw_profile.h"

#include <cstring>
#include <initializer_list>
#include <string>

#include <doctest/doctest.h>

using namespace millrace;

namespace {

std::string words_of(std::initializer_list<uint64_t> words) {
    std::string bytes;
    for (const uint64_t word : words) {
        char raw[sizeof(word)];
        std::memcpy(raw, &word, sizeof(word));
        bytes.append(raw, sizeof(raw));
    }
    return bytes;
}

const std::string header = words_of({0, 3, 0, 10'000, 0});
const std::string trailer = words_of({0, 1, 0});

}  // namespace

TEST_CASE("raw profile: period and stacks are read, the map behind them is not") {
    const auto profile = parse_raw_profile(header + words_of({2, 3, 0x10, 0x20, 0x30}) +
                                           words_of({5, 1, 0x40}) + trailer +
                                           "00400000-00500000 r-xp 00000000 fe:00 7 /bin/x\n");
    REQUIRE(profile);
    CHECK(profile->period_us == 10'000);
    REQUIRE(profile->samples.size() == 2);
    CHECK(profile->samples[0].count == 2);
    CHECK(profile->samples[0].addresses == std::vector<uint64_t>{0x10, 0x20, 0x30});
    CHECK(profile->samples[1].count == 5);
    CHECK(profile->samples[1].addresses == std::vector<uint64_t>{0x40});
}

TEST_CASE("raw profile: a longer header is passed over") {
    const auto profile = parse_raw_profile(words_of({0, 5, 0, 10'000, 0, 7, 7}) + trailer);
    REQUIRE(profile);
    CHECK(profile->samples.empty());
}

TEST_CASE("raw profile: one that is cut anywhere is refused") {
    const std::string whole = header + words_of({2, 3, 0x10, 0x20, 0x30}) + words_of({0, 1});
    REQUIRE(parse_raw_profile(whole));
    for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
        const auto profile = parse_raw_profile(whole.substr(0, bytes));
        REQUIRE(!profile);
        CHECK(profile.error().code == Errc::malformed);
    }
}

TEST_CASE("raw profile: what can't be is refused") {
    const auto is_refused = [](const std::string& bytes) { return !parse_raw_profile(bytes); };
    CHECK(is_refused(words_of({1, 3, 0, 10'000, 0}) + trailer));
    CHECK(is_refused(words_of({0, 2, 0, 10'000, 0}) + trailer));
    CHECK(is_refused(words_of({0, UINT64_MAX, 0, 10'000, 0}) + trailer));
    CHECK(is_refused(words_of({0, 3, 1, 10'000, 0}) + trailer));
    CHECK(is_refused(words_of({0, 3, 0, 0, 0}) + trailer));
    CHECK(is_refused(words_of({0, 3, 0, UINT64_MAX, 0}) + trailer));
    CHECK(is_refused(header + words_of({1, 0}) + trailer));
    CHECK(is_refused(header + words_of({1, UINT64_MAX, 0x10}) + trailer));
    CHECK(is_refused(header + words_of({UINT64_MAX, 1, 0x10}) + trailer));
}
