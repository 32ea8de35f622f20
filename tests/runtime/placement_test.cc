#include <algorithm>
#include <thread>

#include <pthread.h>
#include <sched.h>

#include <doctest/doctest.h>

#include "runtime/placement.h"

using namespace millrace;

namespace {

using Cpus = std::vector<uint32_t>;

std::string error_of(std::string_view text) {
    const auto cpus = parse_cpu_list(text);
    if (cpus.has_value()) return "accepted";
    CHECK(cpus.error().code == Errc::invalid_argument);
    return cpus.error().message;
}

bool mentions(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("placement: cpu lists of numbers and ranges are read in the order written") {
    CHECK(parse_cpu_list("0").value() == Cpus{0});
    CHECK(parse_cpu_list("0-3,8").value() == Cpus{0, 1, 2, 3, 8});
    CHECK(parse_cpu_list("8, 2 - 3 ,5-5").value() == Cpus{8, 2, 3, 5});
    CHECK(parse_cpu_list("8191").value() == Cpus{8191});
}

TEST_CASE("placement: a wrong cpu list is refused with what is wrong in it") {
    CHECK(mentions(error_of(""), "not a processor number"));
    CHECK(mentions(error_of("0,,2"), "not a processor number"));
    CHECK(mentions(error_of("0,"), "not a processor number"));
    CHECK(mentions(error_of("a"), "\"a\" is not"));
    CHECK(mentions(error_of("1-2-3"), "\"2-3\" is not"));
    CHECK(mentions(error_of("-1"), "not a processor number"));
    CHECK(mentions(error_of("3-1"), "runs backwards"));
    CHECK(mentions(error_of("0-3,2"), "processor 2 stands twice"));
    CHECK(mentions(error_of("8192"), "out of range"));
    CHECK(mentions(error_of("99999999999"), "out of range"));
    CHECK(mentions(error_of("0-4000000000"), "out of range"));
}

TEST_CASE("placement: a thread pinned to an allowed processor runs there") {
    const Cpus allowed = allowed_cpus();
    REQUIRE(!allowed.empty());
    CHECK(std::is_sorted(allowed.begin(), allowed.end()));
    std::thread thread([&] {
        for (const uint32_t cpu : allowed) {
            REQUIRE(pin_this_thread(cpu).has_value());
            CHECK(::sched_getcpu() == static_cast<int>(cpu));
            CHECK(allowed_cpus() == Cpus{cpu});
        }
    });
    thread.join();
}

TEST_CASE("placement: pinning to a processor that isn't there is an error") {
    CHECK(pin_this_thread(100'000).error().code == Errc::invalid_argument);
    CHECK(pin_this_thread(8190).error().code == Errc::system);
}

TEST_CASE("placement: a thread's name is cut to what the kernel keeps") {
    std::thread thread([] {
        name_this_thread("millrace-shard-1234");
        char name[16] = {};
        REQUIRE(::pthread_getname_np(::pthread_self(), name, sizeof(name)) == 0);
        CHECK(std::string_view(name) == "millrace-shard-");
    });
    thread.join();
}
