#include "server/signals.h"

#include <csignal>

#include "base/assert.h"

namespace millrace {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    return set;
}

}  // namespace

void block_stop_signals() {
    sigset_t set = stop_signals();
    ::sigaddset(&set, SIGUSR1);
    MR_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    MR_ASSERT(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

int wait_for_stop_signal(const std::function<void()>& on_report) {
    const sigset_t set = stop_signals();
    sigset_t awaited = set;
    ::sigaddset(&awaited, SIGUSR1);
    int signal_number = 0;
    while (true) {
        MR_ASSERT(::sigwait(&awaited, &signal_number) == 0);
        if (signal_number != SIGUSR1) break;
        on_report();
    }
    // The default action is to end; a shell that starts us in the background may have set
    // SIGINT to "ignore".
    MR_ASSERT(::signal(SIGTERM, SIG_DFL) != SIG_ERR);
    MR_ASSERT(::signal(SIGINT, SIG_DFL) != SIG_ERR);
    MR_ASSERT(::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
    return signal_number;
}

}  // namespace millrace
