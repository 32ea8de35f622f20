// The page of metrics: its form, its figures, and the conventions that names and helps keep.
#include "admin/metrics.h"

#include <doctest/doctest.h>

#include <cctype>
#include <ctime>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "admin_subject.h"

using namespace millrace;
using millrace::test::FakeSubject;

namespace {

struct Family {
    std::string type;
    std::string help;
    std::vector<std::string> samples;  // lines
};

std::string page_of(const FakeSubject& subject,
                    ExpositionFormat format = ExpositionFormat::prometheus) {
    return render_metrics(subject, {.processor_seconds = 1.25, .open_files = 9}, format);
}

// By the name in "# HELP", in a page where every family's lines stand together.
std::map<std::string, Family> families_of(const std::string& page) {
    std::map<std::string, Family> families;
    std::istringstream lines(page);
    std::string name;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("# HELP ")) {
            name = line.substr(7, line.find(' ', 7) - 7);
            CHECK_MESSAGE(!families.contains(name), name, " stands there twice");
            families[name].help = line.substr(8 + name.size());
        } else if (line.starts_with("# TYPE ")) {
            CHECK(line.substr(7, name.size()) == name);
            families[name].type = line.substr(8 + name.size());
        } else if (!line.starts_with("#")) {
            CHECK(line.starts_with(name));
            families[name].samples.push_back(line);
        }
    }
    return families;
}

bool has_line(const std::string& page, const std::string& line) {
    return ("\n" + page).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: every counter of a shard stands there with its value") {
    FakeSubject subject;
    constexpr size_t broker_count = sizeof(BrokerCounters) / sizeof(Counter);
    constexpr size_t transport_count = sizeof(TransportCounters) / sizeof(Counter);
    for (size_t index = 0; index < broker_count; ++index) {
        reinterpret_cast<Counter*>(&subject.broker[1])[index].set(7'000'000 + index);
    }
    for (size_t index = 0; index < transport_count; ++index) {
        reinterpret_cast<Counter*>(&subject.transport[1])[index].set(8'000'000 + index);
    }
    const std::string page = page_of(subject);
    for (size_t index = 0; index < broker_count; ++index) {
        CHECK(page.find(" " + std::to_string(7'000'000 + index) + "\n") != page.npos);
    }
    for (size_t index = 0; index < transport_count; ++index) {
        CHECK(page.find(" " + std::to_string(8'000'000 + index) + "\n") != page.npos);
    }
}

TEST_CASE("metrics: shards, reasons and memory classes are labels") {
    FakeSubject subject;
    subject.broker[1].dropped_slow_receiver.add(3);
    const std::string page = page_of(subject);
    CHECK(has_line(page, "millrace_messages_dropped_total{shard=\"1\",reason=\"slow_receiver\"} 3"));
    CHECK(has_line(page, "millrace_messages_dropped_total{shard=\"0\",reason=\"slow_receiver\"} 0"));
    CHECK(has_line(page, "millrace_memory_bytes{shard=\"1\",class=\"sessions\"} 101"));
    CHECK(has_line(page, "millrace_shard_cpu_seconds_total{shard=\"0\"} 1.500000"));
    CHECK(page.find("millrace_shard_cpu_seconds_total{shard=\"1\"}") == page.npos);
    CHECK(has_line(page, "process_cpu_seconds_total 1.250000"));
    CHECK(has_line(page, "process_open_fds 9"));
    CHECK(has_line(page, "millrace_ready 1"));
    subject.service_state = ServiceState::draining;
    CHECK(has_line(page_of(subject), "millrace_ready 0"));
}

TEST_CASE("metrics: a histogram's buckets add up, to a second and to all") {
    FakeSubject subject;
    subject.loop[1].turn.add(8'000);
    subject.loop[1].turn.add(8'001);
    subject.loop[1].turn.add(5'000'000'000);
    subject.loop[1].events.add(3, 4);
    subject.delivery[0].add(100'000);
    const std::string page = page_of(subject);
    const std::string turn = "millrace_loop_turn_seconds";
    CHECK(has_line(page, "# TYPE " + turn + " histogram"));
    CHECK(has_line(page, turn + "_bucket{shard=\"1\",le=\"0.000008\"} 1"));
    CHECK(has_line(page, turn + "_bucket{shard=\"1\",le=\"0.000016\"} 2"));
    CHECK(has_line(page, turn + "_bucket{shard=\"1\",le=\"1.048576\"} 2"));
    CHECK(has_line(page, turn + "_bucket{shard=\"1\",le=\"+Inf\"} 3"));
    CHECK(has_line(page, turn + "_sum{shard=\"1\"} 5.000016"));
    CHECK(has_line(page, turn + "_count{shard=\"1\"} 3"));
    CHECK(has_line(page, turn + "_count{shard=\"0\"} 0"));
    const std::string events = "millrace_loop_turn_events";
    CHECK(has_line(page, events + "_bucket{shard=\"1\",le=\"2.000000\"} 0"));
    CHECK(has_line(page, events + "_bucket{shard=\"1\",le=\"4.000000\"} 4"));
    CHECK(has_line(page, events + "_sum{shard=\"1\"} 12.000000"));
    CHECK(has_line(page, "millrace_delivery_seconds_bucket{shard=\"0\",le=\"0.000128\"} 1"));
}

TEST_CASE("metrics: the longest stall is that of the last minutes") {
    FakeSubject subject;
    subject.loop[0].longest.put({.length = Duration::s(3), .ended = {1}, .phase = LoopPhase::mail});
    subject.loop[0].longest_current.put(
        {.length = Duration::ms(20), .ended = {1}, .phase = LoopPhase::mail});
    const std::string page = page_of(subject);
    CHECK(has_line(page, "millrace_loop_longest_stall_seconds{shard=\"0\"} 0.020000"));
    CHECK(has_line(page, "millrace_loop_longest_stall_seconds{shard=\"1\"} 0.000000"));
}

TEST_CASE("metrics: a label's value is escaped") {
    Exposition out(ExpositionFormat::prometheus);
    out.family("a", MetricKind::gauge, "Of a.");
    const MetricLabel labels[] = {{"name", "x\"y\\z\nw"}};
    out.sample(labels, uint64_t{1});
    CHECK(out.finish() == "# HELP a Of a.\n# TYPE a gauge\na{name=\"x\\\"y\\\\z\\nw\"} 1\n");
}

TEST_CASE("metrics: OpenMetrics has families without their endings, and an end") {
    const std::string page = page_of(FakeSubject(), ExpositionFormat::open_metrics);
    CHECK(page.ends_with("\n# EOF\n"));
    CHECK(has_line(page, "# TYPE millrace_build info"));
    CHECK(has_line(page, "# TYPE millrace_connects counter"));
    CHECK(has_line(page, "millrace_connects_total{shard=\"0\",result=\"accepted\"} 0"));
    const std::string other = page_of(FakeSubject());
    CHECK(other.find("# EOF") == other.npos);
    CHECK(has_line(other, "# TYPE millrace_build_info gauge"));
    CHECK(has_line(other, "# TYPE millrace_connects_total counter"));
}

// prometheus.io/docs/practices/naming: one prefix, base units, the unit in the plural at the end,
// "_total" for what only grows.
TEST_CASE("metrics: names and helps keep Prometheus's conventions") {
    const std::regex name_form("(millrace|process)(_[a-z]+)+");
    const std::regex wrong_unit(".*_(ms|us|ns|milliseconds|microseconds|minutes|kb|kilobytes|"
                                "kbytes|mb|megabytes|percent|count|number)(_.*|$)");
    const auto families = families_of(page_of(FakeSubject()));
    CHECK(families.size() > 42);
    for (const auto& one : families) {
        const std::string& name = one.first;  // clang 14 captures no binding
        const Family& family = one.second;
        CAPTURE(name);
        CHECK(std::regex_match(name, name_form));
        CHECK_FALSE(std::regex_match(name, wrong_unit));
        CHECK(name.ends_with("_total") == (family.type == "counter"));
        // A unit stands at the end, or before "_total".
        const std::string base = family.type == "counter" ? name.substr(0, name.size() - 6) : name;
        for (const char* unit : {"bytes", "seconds"}) {
            if (base.find(unit) != base.npos) CHECK(base.ends_with(unit));
        }
        CHECK(family.help.size() > 9);
        CHECK(family.help.ends_with("."));
        CHECK(std::islower(static_cast<unsigned char>(family.help[0])) == 0);
        CHECK_FALSE(family.samples.empty());
    }
}

TEST_CASE("metrics: rows of one metric agree on all but their label's value, which differs") {
    std::map<std::string_view, Metric> first;
    std::set<std::string> series;
    const auto check = [&](const auto& rows) {
        for (const auto& row : rows) {
            const Metric& metric = row.metric;
            CAPTURE(metric.name);
            const Metric& other = first.emplace(metric.name, metric).first->second;
            CHECK(other.help == metric.help);
            CHECK(other.kind == metric.kind);
            CHECK(other.label == metric.label);
            CHECK(metric.label.empty() == metric.label_value.empty());
            CHECK(series.insert(std::string(metric.name) + " " + std::string(metric.label_value))
                      .second);
        }
    };
    check(broker_counter_rows);
    check(transport_counter_rows);
}

TEST_CASE("metrics: the README's table has every metric, and no other") {
    std::ifstream file(MR_ADMIN_README);
    REQUIRE(file.is_open());
    std::set<std::string> documented;
    std::string line;
    while (std::getline(file, line) && line != "## The metrics") {}
    while (std::getline(file, line)) {
        if (!line.starts_with("| `millrace_") && !line.starts_with("| `process_")) continue;
        const std::string name = line.substr(3, line.find('`', 3) - 3);
        CHECK_MESSAGE(documented.insert(name).second, name, " stands there twice");
    }
    for (const auto& family : families_of(page_of(FakeSubject()))) {
        CHECK_MESSAGE(documented.erase(family.first) == 1, family.first, " is missing");
    }
    for (const std::string& name : documented) CHECK_MESSAGE(false, name, " isn't a metric");
}

TEST_CASE("metrics: a process's figures are those of this process") {
    const ProcessFigures figures = ProcessFigures::take();
    CHECK(figures.processor_seconds > 0);
    CHECK(figures.resident_bytes > 1'000'000);
    CHECK(figures.virtual_bytes >= figures.resident_bytes);
    CHECK(figures.open_files >= 3);
    CHECK(figures.open_files_max >= figures.open_files);
    const double now = static_cast<double>(std::time(nullptr));
    CHECK(figures.start_time_seconds <= now + 1);
    CHECK(figures.start_time_seconds > now - 3'600);
}
