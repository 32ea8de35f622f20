#include "measure.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include <fmt/format.h>

#include "sockets.h"

namespace millrace::floors {
namespace {

double seconds_of(const timeval& value) {
    return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_usec) / 1e6;
}

void end_now(int) {
    constexpr char text[] = "floors: not done in time\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, sizeof(text) - 1);
    ::_exit(1);
}

}  // namespace

Moment moment_now() {
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) != 0) fail_with_errno("getrusage");
    return {monotonic_now(), seconds_of(used.ru_utime), seconds_of(used.ru_stime)};
}

void end_at_the_latest_after(double seconds) {
    ::signal(SIGALRM, end_now);
    itimerval timer{};
    timer.it_value.tv_sec = static_cast<time_t>(seconds) + 1;
    if (::setitimer(ITIMER_REAL, &timer, nullptr) != 0) fail_with_errno("setitimer");
}

void Report::add_cost(const Moment& from, const Moment& to, const char* what, uint64_t count) {
    const double wall_s = (to.wall - from.wall).seconds();
    const double user_s = to.user_s - from.user_s;
    const double system_s = to.system_s - from.system_s;
    const double cpu_s = user_s + system_s;
    const auto by = [count](double seconds) {
        return seconds > 0 ? static_cast<double>(count) / seconds : 0.0;
    };
    add_decimal("wall_s", wall_s, 6);
    add_decimal("user_s", user_s, 6);
    add_decimal("system_s", system_s, 6);
    add_decimal("cpu_s", cpu_s, 6);
    add_decimal(fmt::format("{}_per_s", what), by(wall_s), 6);
    add_decimal(fmt::format("{}_per_cpu_s", what), by(cpu_s), 6);
}

void Report::print() const {
    fmt::print("{}\n", object());
    std::fflush(stdout);
}

}  // namespace millrace::floors
