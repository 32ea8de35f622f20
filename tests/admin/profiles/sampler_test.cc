// What this build has no profiler for is tested where it can be: that it says so.
#include "admin/profiles/sampler.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <doctest/doctest.h>

#include "admin/profiles/views.h"

using namespace millrace;

// Names of the symbol table: no namespace hides them, and the compiler keeps the calls.
[[gnu::noinline]] uint64_t busy_function_of_the_sampler_test(uint64_t value) {
    for (int round = 0; round < 200'000; ++round) value = value * 6'364'136'223'846'793'005 + 1;
    return value;
}

[[gnu::noinline]] uint64_t caller_of_the_busy_function(uint64_t value) {
    return busy_function_of_the_sampler_test(value) ^ 1;
}

namespace {

// Keeps a processor busy for as long as it lives.
class BusyThread {
public:
    BusyThread() : thread_([this] { run(); }) {}
    ~BusyThread() {
        is_ending_.store(true, std::memory_order_release);
        thread_.join();
    }

private:
    void run() {
        uint64_t value = 1;
        while (!is_ending_.load(std::memory_order_acquire)) {
            value = caller_of_the_busy_function(value);
        }
        result_ = value;
    }

    std::atomic<bool> is_ending_{false};
    volatile uint64_t result_ = 0;
    std::thread thread_;
};

bool sleep_for(Duration duration) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(duration.nanoseconds));
    return false;
}

// Taken until it says something: a busy machine may give us little time.
Profile profile_with_samples(CpuSampler& sampler) {
    while (true) {
        auto profile = sampler.take(Duration::ms(300), sleep_for);
        REQUIRE(profile);
        if (profile->sample_count() >= 10) return std::move(*profile);
    }
}

uint64_t time_of(const std::vector<FunctionTime>& functions, std::string_view name,
                 uint64_t FunctionTime::*which) {
    const auto found = std::find_if(functions.begin(), functions.end(), [&](const auto& one) {
        return one.name.starts_with(name);
    });
    return found == functions.end() ? 0 : (*found).*which;
}

}  // namespace

TEST_CASE("sampler: the function that keeps a thread busy has most samples, below its caller") {
    if (!CpuSampler::is_built()) return;
    CpuSampler sampler;
    const BusyThread busy;
    const Profile profile = profile_with_samples(sampler);
    const std::vector<FunctionTime> functions = functions_of(profile);
    const uint64_t all = profile.sample_count();
    CHECK(time_of(functions, "busy_function_of_the_sampler_test(", &FunctionTime::self) > all / 2);
    CHECK(time_of(functions, "caller_of_the_busy_function(", &FunctionTime::total) > all / 2);
    CHECK(profile.time_ns > 1'700'000'000'000'000'000);
    CHECK(profile.duration >= Duration::ms(300));
    CHECK(profile.period > Duration{});
    // The file of this test is told, with its identity if the linker gave it one.
    CHECK(std::any_of(profile.mappings.begin(), profile.mappings.end(),
                      [](const auto& mapping) { return mapping.file.ends_with("_test"); }));
}

TEST_CASE("sampler: two profiles at once are one too many, and the first one is whole") {
    if (!CpuSampler::is_built()) return;
    CpuSampler sampler;
    std::atomic<bool> has_begun{false};
    Outcome<Profile> first;
    std::thread taker([&] {
        has_begun.store(true);
        do first = sampler.take(Duration::ms(1'500), sleep_for);
        while (!first);
    });
    while (!has_begun.load()) std::this_thread::yield();
    // Each has its turn until the other one is really at it.
    Outcome<Profile> second = sampler.take(Duration::ms(1), sleep_for);
    while (second) second = sampler.take(Duration::ms(1), sleep_for);
    CHECK(second.error().code == Errc::exhausted);
    taker.join();
    CHECK(first->duration >= Duration::ms(1'500));
    CHECK(sampler.take(Duration::ms(1), sleep_for));
}

TEST_CASE("sampler: who is told to stop gets no profile, and the next one can be taken") {
    if (!CpuSampler::is_built()) return;
    CpuSampler sampler;
    const auto profile = sampler.take(Duration::s(3'600), [](Duration) { return true; });
    REQUIRE(!profile);
    CHECK(profile.error().code == Errc::system);
    CHECK(sampler.take(Duration::ms(1), sleep_for));
}

TEST_CASE("sampler: a build without a profiler says so") {
    if (CpuSampler::is_built()) return;
    CpuSampler sampler;
    const auto profile = sampler.take(Duration::ms(1), sleep_for);
    REQUIRE(!profile);
    CHECK(profile.error().code == Errc::unsupported);
}
