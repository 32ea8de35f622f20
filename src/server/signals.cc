#include "server/signals.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <initializer_list>

#include "base/assert.h"
#include "runtime/clock.h"

namespace millrace {
namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) ::sigaddset(&set, number);
    return set;
}

// The next signal of the set; 0 when the deadline has passed, or the wait was interrupted.
int next_signal(const sigset_t& set, Instant deadline) {
    if (deadline == Instant::never()) {
        int number = 0;
        MR_ASSERT(::sigwait(&set, &number) == 0);
        return number;
    }
    const Duration wait = std::max(deadline - monotonic_now(), Duration{});
    const timespec span{static_cast<time_t>(wait.to_s()),
                        static_cast<long>(wait.nanoseconds % 1'000'000'000)};
    const int number = ::sigtimedwait(&set, nullptr, &span);
    MR_ASSERT(number > 0 || errno == EAGAIN || errno == EINTR);
    return std::max(number, 0);
}

sigset_t service_signals() { return set_of({SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP}); }

}  // namespace

void block_service_signals() {
    const sigset_t set = service_signals();
    MR_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    MR_ASSERT(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

std::optional<ServiceSignal> wait_for_signal(Instant deadline) {
    const sigset_t set = service_signals();
    switch (next_signal(set, deadline)) {
    case 0: return std::nullopt;
    case SIGUSR1: return ServiceSignal::report;
    case SIGUSR2: return ServiceSignal::step_log_level;
    case SIGHUP: return ServiceSignal::reload;
    default: return ServiceSignal::stop;
    }
}

void let_stop_signals_end() {
    // The default action is to end; a shell that starts us in the background may have set
    // SIGINT to "ignore".
    MR_ASSERT(::signal(SIGTERM, SIG_DFL) != SIG_ERR);
    MR_ASSERT(::signal(SIGINT, SIG_DFL) != SIG_ERR);
    const sigset_t set = set_of({SIGTERM, SIGINT});
    MR_ASSERT(::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
}

}  // namespace millrace
