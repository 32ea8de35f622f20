#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/prng.h"
#include "base/utf8.h"

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
        log_format = LogFormat::text;
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

constexpr std::chrono::system_clock::time_point some_time{
    std::chrono::microseconds(951'782'399'000'042)};

std::string line_of(LogFormat format, std::initializer_list<LogField> fields) {
    LogLine line(format, LogLevel::info, some_time, "x");
    for (const LogField& one : fields) line.add(one);
    return std::string(line.finish());
}

// The line's fields alone.
std::string text_of_fields(std::initializer_list<LogField> fields) {
    const std::string line = line_of(LogFormat::text, fields);
    return line.substr(head_bytes + 2, line.size() - head_bytes - 3);
}
std::string json_of_fields(std::initializer_list<LogField> fields) {
    const std::string line = line_of(LogFormat::json, fields);
    const std::string_view head =
        R"({"time":"2000-02-28T23:59:59.000042Z","level":"info","event":"x",)";
    REQUIRE(line.starts_with(head));
    return line.substr(head.size(), line.size() - head.size() - 2);
}

// Reads one flat JSON object as strictly as RFC 8259 has it; counts its fields, 0 when it's wrong.
class FlatJson {
public:
    explicit FlatJson(std::string_view text) : rest_(text) {}

    size_t field_count() {
        if (!is_well_formed_utf8(as_bytes(rest_)) || !take('{')) return 0;
        size_t count = 0;
        do {
            if (!take_string() || !take(':') || !take_value()) return 0;
            ++count;
        } while (take(','));
        return take('}') && take('\n') && rest_.empty() ? count : 0;
    }

private:
    bool take(char letter) {
        if (rest_.empty() || rest_[0] != letter) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take_string() {
        if (!take('"')) return false;
        while (!rest_.empty() && rest_[0] != '"') {
            if (static_cast<unsigned char>(rest_[0]) < 0x20) return false;
            if (take('\\')) {
                if (take('"') || take('\\')) continue;
                if (rest_.size() < 5 || rest_[0] != 'u') return false;
                if (rest_.substr(1, 4).find_first_not_of("0123456789abcdef") != rest_.npos) {
                    return false;
                }
                rest_.remove_prefix(4);
            }
            rest_.remove_prefix(1);
        }
        return take('"');
    }
    bool take_value() {
        if (rest_.starts_with('"')) return take_string();
        const std::string_view word = rest_.substr(0, rest_.find_first_of(",}\n"));
        rest_.remove_prefix(word.size());
        if (word == "true" || word == "false") return true;
        const std::string_view digits = word.substr(word.starts_with('-') ? 1 : 0);
        return !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
    }

    std::string_view rest_;
};

}  // namespace

TEST_CASE("log: a line has the time in UTC, the level, the event and its fields") {
    LogLine text(LogFormat::text, LogLevel::warning, some_time, "shard not pinned");
    text.add(field("core", 3));
    text.add(field("reason", "no such core"));
    CHECK(text.finish() ==
          "2000-02-28T23:59:59.000042Z warning shard not pinned core=3 reason=\"no such core\"\n");
    LogLine json(LogFormat::json, LogLevel::warning, some_time, "shard not pinned");
    json.add(field("core", 3));
    json.add(field("reason", "no such core"));
    CHECK(json.finish() == R"({"time":"2000-02-28T23:59:59.000042Z","level":"warning",)"
                           R"("event":"shard not pinned","core":3,"reason":"no such core"})" "\n");
    CHECK(line_of(LogFormat::json, {}) ==
          R"({"time":"2000-02-28T23:59:59.000042Z","level":"info","event":"x"})" "\n");
}

TEST_CASE("log: numbers of every width and truths stand as they are") {
    const auto fields = {field("a", uint64_t{18'446'744'073'709'551'615u}), field("b", int64_t{-7}),
                         field("c", uint8_t{200}), field("d", true), field("e", int8_t{-128}),
                         field("f", false)};
    CHECK(text_of_fields(fields) == "a=18446744073709551615 b=-7 c=200 d=true e=-128 f=false");
    CHECK(json_of_fields(fields) ==
          R"("a":18446744073709551615,"b":-7,"c":200,"d":true,"e":-128,"f":false)");
}

TEST_CASE("log: a text is quoted where it could be read as more than one word") {
    CHECK(text_of_fields({field("a", "plain-word/1"), field("b", "")}) == "a=plain-word/1 b=\"\"");
    CHECK(text_of_fields({field("a", "x b=forged")}) == R"(a="x b=forged")");
    CHECK(text_of_fields({field("a", "b=forged")}) == R"(a="b=forged")");
    CHECK(text_of_fields({field("a", "\"\\")}) == R"(a="\"\\")");
    CHECK(json_of_fields({field("a", "\"\\")}) == R"("a":"\"\\")");
}

TEST_CASE("log: control characters and bytes that are no UTF-8 can't forge anything") {
    const std::string hostile = std::string("a\nb\x1b[0m\x7f\xff\xc3(") + '\0' +
                                "\xc2\x9b" "2J\xd8\x9c\xe2\x80\xae\xe2\x80\xa8 \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    const std::string wanted = R"("a\u000ab\u001b[0m\u007f??(\u0000\u009b2J\u061c\u202e\u2028 )"
                               "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"";
    CHECK(text_of_fields({field("a", hostile)}) == "a=" + wanted);
    CHECK(json_of_fields({field("a", hostile)}) == "\"a\":" + wanted);
}

TEST_CASE("log: a long text is cut, the line says so, and fields after it still stand") {
    const std::string letters(65'535, 'x');
    const auto fields = {field("client", letters), field("reason", "known")};
    CHECK(text_of_fields(fields) == "client=\"" + letters.substr(0, 512) + "\" reason=known cut=true");
    CHECK(json_of_fields(fields) ==
          "\"client\":\"" + letters.substr(0, 512) + R"(","reason":"known","cut":true)");
    const std::string longest(512, 'x');
    CHECK(text_of_fields({field("client", longest)}) == "client=" + longest);
}

TEST_CASE("log: what finds no room is left out, and the line says so") {
    const std::string half(500, 'x');
    const std::string line = line_of(LogFormat::json, {field("a", half), field("b", half),
                                                       field("c", half), field("d", 1)});
    CHECK(line.size() <= LogLine::bytes_max);
    CHECK(FlatJson(line).field_count() == 6);  // time, level, event, a, a part of b, cut
    CHECK(line.ends_with("\",\"cut\":true}\n"));
}

TEST_CASE("log: whatever bytes come at whatever place, a line is one valid object or one line") {
    Prng random(4711);
    const std::string_view odd[] = {"\"", "\\", "\n", "\x01", "\xff", "\xc2", "\xe2\x82", "\xf0\x9f",
                                    "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc2\x85", "a", " ", "="};
    for (int step = 0; step < 20'000; ++step) {
        std::string first, second;
        for (uint64_t count = random.below(600); first.size() < count;) {
            first += odd[random.below(std::size(odd))];
        }
        for (uint64_t count = random.below(600); second.size() < count;) second += odd[random.below(14)];
        const auto fields = {field("a", first), field("n", step), field("b", second), field("m", -1)};
        const std::string json = line_of(LogFormat::json, fields);
        const size_t count = FlatJson(json).field_count();
        REQUIRE(count >= 5);
        REQUIRE(count <= 8);
        REQUIRE(json.size() <= LogLine::bytes_max);
        const std::string text = line_of(LogFormat::text, fields);
        REQUIRE(text.size() <= LogLine::bytes_max);
        REQUIRE(text.find('\n') == text.size() - 1);
        REQUIRE(is_well_formed_utf8(as_bytes(text)));
    }
}

TEST_CASE("log: lines below the wanted level are left out, but those that always stand") {
    CapturedLog log;
    log_debug("no");
    log_info("yes", field("step", 1));
    log_level_min = LogLevel::error;
    log_warning("no");
    log_error("yes", field("step", 2));
    log_always(LogLevel::info, 0, "always");
    const auto lines = log.lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].substr(head_bytes) == "yes step=1");
    CHECK(lines[1].substr(head_bytes) == "yes step=2");
    CHECK(lines[2].substr(head_bytes) == "always");
}

TEST_CASE("log: the format changes between two lines, and a shard's thread says which it is") {
    CapturedLog log;
    log_format = LogFormat::json;
    log_shard = 2;
    log_info("first");
    log_shard = -1;
    log_format = LogFormat::text;
    log_info("second");
    const auto lines = log.lines();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].ends_with(R"("event":"first","shard":2})"));
    CHECK(lines[1].substr(head_bytes) == "second");
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
    log_limited(limit, LogLevel::info, "now", field("step", 7));
    const auto lines = log.lines();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].substr(head_bytes) == "now suppressed=1 step=7");
}

TEST_CASE("log: a place in the code has a limit of its own, and makes no fields in vain") {
    CapturedLog log;
    int made = 0;
    for (int step = 0; step < 100; ++step) {
        MR_LOG_LIMITED(LogLevel::info, 2, "first", field("step", step));
        MR_LOG_LIMITED(LogLevel::info, 2, "second", field("step", step));
        MR_LOG_LIMITED(LogLevel::debug, 2, "third", field("step", ++made));
    }
    const size_t count = log.lines().size();
    CHECK(count >= 4);
    CHECK(count <= 8);  // the second may turn over meanwhile
    CHECK(made == 0);
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
                log_info("digits", field("text", "0123456789"));
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(passed == 1'000);
    CHECK(limit.take_suppressed() == 1'000);
    const auto lines = log.lines();
    CHECK(lines.size() == 1'000);
    for (const std::string& line : lines) CHECK(line.substr(head_bytes) == "digits text=0123456789");
}
