// What is printed.
#include "server/doctor/report.h"

#include <doctest/doctest.h>

#include "doctor_host.h"
#include "server/doctor/doctor.h"

using namespace millrace;
using namespace millrace::doctor;
using millrace::test::FakeHost;
using millrace::test::GoodHost;

namespace {

std::string text_of(const GoodHost& host) {
    const Subject subject = make_subject(host.facts, host.config, test::object_sizes);
    return render_text(subject, judge(subject));
}

Answer examined(const FakeHost& host, const Config& config) {
    const Outcome<Answer> answer = examine(config, test::object_sizes, {.root = host.root()});
    if (!answer) FAIL(answer.error().message);
    return *answer;
}

}  // namespace

TEST_CASE("doctor report: with nothing to say it says so") {
    const std::string text = text_of(GoodHost());
    CHECK(text.starts_with("Linux 6.12.1, 2 usable cores, 8.0 GiB of memory\n"));
    CHECK(text.ends_with("Nothing was found that hurts.\n"));
}

TEST_CASE("doctor report: a finding has its severity, name and four fields; a sum is at the end") {
    GoodHost host;
    host.facts.limits.open_files_hard = 10;
    host.facts.network.congestion = "bbr";
    const std::string text = text_of(host);
    CHECK(text.find("CAPACITY open_files: ") != std::string::npos);
    CHECK(text.find("\n  found   10\n") != std::string::npos);
    CHECK(text.find("\n  cost    20 connections instead of 2000\n") != std::string::npos);
    CHECK(text.ends_with("\nFound: 1 capacity, 1 performance.\n"));
}

TEST_CASE("doctor report: control characters of a host's files don't reach the terminal") {
    GoodHost host;
    host.facts.release = "6.12\x1b[2J";
    host.facts.network.cards[0].name = "eth\x1b]0;x\x07";
    host.facts.network.cards[0].receive_queues = 1;
    const std::string text = text_of(host);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x07') == std::string::npos);
    CHECK(text.find("6.12?[2J") != std::string::npos);
}

TEST_CASE("doctor: without a configuration file the text says what is judged") {
    FakeHost host;
    host.write("proc/sys/kernel/osrelease", "6.12.1");
    CHECK(examined(host, {}).text.starts_with("Judged for the default configuration"));
    const Outcome<Answer> own =
        examine({}, test::object_sizes, {.root = host.root(), .has_config_file = true});
    REQUIRE(own);
    CHECK(own->text.starts_with("Linux 6.12.1"));
}

TEST_CASE("doctor: the status is that of the weightiest finding") {
    FakeHost host;
    host.write("proc/sys/kernel/osrelease", "6.12.1");
    Config config;
    config.shards.connections_max = 100;
    CHECK(examined(host, config).code == ExitCode::success);  // notes alone
    host.write("proc/sys/net/core/somaxconn", "128");
    CHECK(examined(host, config).code == ExitCode::costs_performance);
    host.write("proc/sys/fs/nr_open", "50");
    CHECK(examined(host, config).code == ExitCode::limits_capacity);
}

TEST_CASE("doctor: a folder without proc and sys is refused") {
    const FakeHost host;
    const Outcome<Answer> answer = examine({}, test::object_sizes, {.root = host.root()});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message.find("proc and sys") != std::string::npos);
}

TEST_CASE("doctor: the running host is asked, not only read") {
    const Outcome<Answer> answer = examine({}, test::object_sizes, {.root = "/", .json = true});
    REQUIRE(answer);
    CHECK(answer->text.find("\"probed\":true") != std::string::npos);
    CHECK(answer->text.find("\"read_ns\":null") == std::string::npos);
}
