// The log's last lines in memory: what a reader gets, and what it misses.
#include "base/log_ring.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"

using namespace millrace;

namespace {

constexpr std::chrono::system_clock::time_point moment{
    std::chrono::microseconds(951'782'399'000'042)};

void put(LogRing& ring, std::string_view event, std::string_view fields) {
    ring.put(moment, LogLevel::warning, event, fields);
}

// Drops what is logged while it lives, and sets the log back.
struct SilentLog {
    SilentLog() { log_file_descriptor = -1; }
    ~SilentLog() {
        log_file_descriptor = 2;
        log_format = LogFormat::text;
    }
};

}  // namespace

TEST_CASE("log ring: an entry is read as it was put") {
    const auto ring = std::make_unique<LogRing>();
    LoggedEvent found;
    CHECK(ring->last_number() == 0);
    CHECK(ring->read(0, found) == LogRing::Answer::gone);
    CHECK(ring->read(1, found) == LogRing::Answer::not_yet);
    put(*ring, "client closed", R"("client":"a","n":7)");
    put(*ring, "x", "");
    CHECK(ring->last_number() == 2);
    REQUIRE(ring->read(1, found) == LogRing::Answer::found);
    CHECK(found.number == 1);
    CHECK(found.time == moment);
    CHECK(found.level == LogLevel::warning);
    CHECK(found.event == "client closed");
    CHECK(found.fields == R"("client":"a","n":7)");
    REQUIRE(ring->read(2, found) == LogRing::Answer::found);
    CHECK(found.event == "x");
    CHECK(found.fields.empty());
    CHECK(ring->read(3, found) == LogRing::Answer::not_yet);
}

TEST_CASE("log ring: the newest entries push out the oldest") {
    const auto ring = std::make_unique<LogRing>();
    constexpr uint64_t count = LogRing::entries_max + 10;
    for (uint64_t number = 1; number <= count; ++number) put(*ring, "x", std::to_string(number));
    LoggedEvent found;
    for (uint64_t number = 1; number <= 10; ++number) {
        CHECK(ring->read(number, found) == LogRing::Answer::gone);
    }
    for (uint64_t number = 11; number <= count; ++number) {
        REQUIRE(ring->read(number, found) == LogRing::Answer::found);
        REQUIRE(found.fields == std::to_string(number));
    }
}

TEST_CASE("log ring: the longest fields fit, and longer ones leave an event without any") {
    const auto ring = std::make_unique<LogRing>();
    const std::string longest(LogRing::fields_bytes_max, 'x');
    put(*ring, std::string(40, 'e'), longest);
    put(*ring, std::string(90, 'e'), longest + "y");
    LoggedEvent found;
    REQUIRE(ring->read(1, found) == LogRing::Answer::found);
    CHECK(found.event == std::string(40, 'e'));
    CHECK(found.fields == longest);
    REQUIRE(ring->read(2, found) == LogRing::Answer::found);
    CHECK(found.event == std::string(40, 'e'));
    CHECK(found.fields.empty());
}

TEST_CASE("log ring: lines are kept while somebody wants them, in either format") {
    SilentLog silent;
    const uint64_t before = log_ring.last_number();
    log_info("nobody asks");
    CHECK(log_ring.last_number() == before);
    std::optional<LogKeeping> keeping(log_ring);
    log_shard = 3;
    log_info("as text", field("client", "a \"b\""), field("n", -1));
    log_format = LogFormat::json;
    log_warning("as json", field("client", std::string(600, 'x')));
    log_shard = -1;
    log_info("bare");
    log_debug("below the level");
    keeping.reset();
    log_info("nobody asks");
    REQUIRE(log_ring.last_number() == before + 3);
    LoggedEvent found;
    REQUIRE(log_ring.read(before + 1, found) == LogRing::Answer::found);
    CHECK(found.event == "as text");
    CHECK(found.level == LogLevel::info);
    CHECK(found.fields == R"("shard":3,"client":"a \"b\"","n":-1)");
    REQUIRE(log_ring.read(before + 2, found) == LogRing::Answer::found);
    CHECK(found.level == LogLevel::warning);
    CHECK(found.fields == R"("shard":3,"client":")" + std::string(512, 'x') + R"(","cut":true)");
    REQUIRE(log_ring.read(before + 3, found) == LogRing::Answer::found);
    CHECK(found.fields.empty());
}

TEST_CASE("log ring: whoever reads while threads write gets whole entries, each in its place") {
    const auto ring = std::make_unique<LogRing>();
    constexpr uint64_t each = 5'000;
    std::atomic<uint32_t> running{3};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 3; ++writer) {
        writers.emplace_back([&ring, &running, writer] {
            for (uint64_t step = 0; step < each; ++step) {
                const char letter = static_cast<char>('a' + (step + static_cast<uint64_t>(writer)) % 26);
                put(*ring, "x", std::string(step % 700, letter));
            }
            --running;
        });
    }
    uint64_t found_count = 0;
    LoggedEvent found;
    while (running != 0) {
        const uint64_t newest = ring->last_number();
        for (uint64_t back = 0; back < 20 && back < newest; ++back) {
            if (ring->read(newest - back, found) != LogRing::Answer::found) continue;
            ++found_count;
            REQUIRE(found.number == newest - back);
            REQUIRE(found.event == "x");
            REQUIRE(found.fields.find_first_not_of(found.fields.substr(0, 1)) == std::string::npos);
        }
    }
    for (std::thread& writer : writers) writer.join();
    CHECK(ring->last_number() == 3 * each);
    CHECK(ring->read(3 * each, found) == LogRing::Answer::found);
    CHECK(found_count > 0);
}
