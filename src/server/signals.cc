#include "server/signals.h"

#include <csignal>
#include <initializer_list>

#include "base/assert.h"

namespace millrace {
namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : numbers) ::sigaddset(&set, number);
    return set;
}

sigset_t service_signals() { return set_of({SIGTERM, SIGINT, SIGUSR1, SIGUSR2}); }

}  // namespace

void block_service_signals() {
    const sigset_t set = service_signals();
    MR_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    MR_ASSERT(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

ServiceSignal wait_for_signal() {
    const sigset_t set = service_signals();
    int number = 0;
    MR_ASSERT(::sigwait(&set, &number) == 0);
    switch (number) {
    case SIGUSR1: return ServiceSignal::report;
    case SIGUSR2: return ServiceSignal::step_log_level;
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
