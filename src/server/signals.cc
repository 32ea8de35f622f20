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
    const sigset_t set = stop_signals();
    MR_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    MR_ASSERT(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

int wait_for_stop_signal() {
    const sigset_t set = stop_signals();
    int signal_number = 0;
    MR_ASSERT(::sigwait(&set, &signal_number) == 0);
    // The default action is to end; a shell that starts us in the background may have set
    // SIGINT to "ignore".
    MR_ASSERT(::signal(SIGTERM, SIG_DFL) != SIG_ERR);
    MR_ASSERT(::signal(SIGINT, SIG_DFL) != SIG_ERR);
    MR_ASSERT(::pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
    return signal_number;
}

}  // namespace millrace
