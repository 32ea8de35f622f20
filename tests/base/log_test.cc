#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"

using namespace millrace;

namespace {

// Sends the log to a file of no name while it lives.
class CapturedLog {
public:
    CapturedLog() : file_(std::tmpfile()) {
        REQUIRE(file_ != nullptr);
        log_file_descriptor = fileno(file_);
    }
    ~CapturedLog() {
        log_file_descriptor = 2;
        log_level_min = LogLevel::info;
        std::fclose(file_);
    }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;

    std::vector<std::string> lines() const {
        std::vector<std::string> result;
        std::rewind(file_);
        std::string line;
        for (int letter = std::fgetc(file_); letter != EOF; letter = std::fgetc(file_)) {
            if (letter != '\n') {
                line.push_back(static_cast<char>(letter));
                continue;
            }
            result.push_back(line);
            line.clear();
        }
        CHECK(line.empty());
        return result;
    }

private:
    std::FILE* file_;
};

constexpr size_t head_bytes = std::string_view("2026-03-01T12:00:00.123456Z info    ").size();

}  // namespace

TEST_CASE("log: a line has the time in UTC, the level and the text") {
    const std::chrono::microseconds since_epoch(951'782'399'000'042);
    LogLine line(LogLevel::warning, std::chrono::system_clock::time_point(since_epoch));
    line.add("{} of {}", 1, "two");
    CHECK(line.finish() == "2000-02-28T23:59:59.000042Z warning 1 of two\n");
}

TEST_CASE("log: lines below the wanted level are left out") {
    CapturedLog log;
    log_debug("no");
    log_info("yes {}", 1);
    log_level_min = LogLevel::error;
    log_warning("no");
    log_error("yes {}", 2);
    const auto lines = log.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].substr(head_bytes) == "yes 1");
    CHECK(lines[1].substr(head_bytes) == "yes 2");
}

TEST_CASE("log: control characters can't forge a line, and long text is cut") {
    CapturedLog log;
    log_info("{}", "a\nb\x1b[0m");
    log_info("{}", std::string(5'000, 'x'));
    const auto lines = log.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].substr(head_bytes) == "a?b?[0m");
    CHECK(lines[1].size() == 1'023);
}

TEST_CASE("log: a limit lets so many lines a second through and counts the rest") {
    LogLimit limit(3);
    for (int step = 0; step < 10; ++step) CHECK(limit.pass(100) == (step < 3));
    CHECK(limit.take_suppressed() == 7);
    CHECK(limit.take_suppressed() == 0);
    CHECK(limit.pass(101));
    LogLimit none(0);
    CHECK_FALSE(none.pass(1));
}

TEST_CASE("log: the line after a suppressed one says how many there were") {
    CapturedLog log;
    LogLimit limit(1);
    while (limit.pass(0)) {}  // long ago: one line, and one refused
    log_limited(limit, LogLevel::info, "now {}", 7);
    const auto lines = log.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].substr(head_bytes) == "(1 more like this were left out) now 7");
}

TEST_CASE("log: a place in the code has a limit of its own") {
    CapturedLog log;
    for (int step = 0; step < 100; ++step) {
        MR_LOG_LIMITED(LogLevel::info, 2, "first {}", step);
        MR_LOG_LIMITED(LogLevel::info, 2, "second {}", step);
    }
    const size_t count = log.lines().size();
    CHECK(count >= 4);
    CHECK(count <= 8);  // the second may turn over meanwhile
}

TEST_CASE("log: threads share a limit exactly, and their lines stay whole") {
    CapturedLog log;
    LogLimit limit(1'000);
    std::atomic<int> passed{0};
    std::vector<std::thread> threads;
    for (int index = 0; index < 4; ++index) {
        threads.emplace_back([&] {
            for (int step = 0; step < 500; ++step) {
                if (!limit.pass(5)) continue;
                ++passed;
                log_info("{}", "0123456789");
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(passed == 1'000);
    CHECK(limit.take_suppressed() == 1'000);
    const auto lines = log.lines();
    CHECK(lines.size() == 1'000);
    for (const std::string& line : lines) CHECK(line.substr(head_bytes) == "0123456789");
}
