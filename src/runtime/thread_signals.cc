#include "runtime/thread_signals.h"

#include <csignal>

#include "base/assert.h"

namespace millrace {

void leave_signals_to_others() {
    sigset_t all;
    ::sigfillset(&all);
    ::sigdelset(&all, SIGPROF);
    MR_ASSERT(::pthread_sigmask(SIG_SETMASK, &all, nullptr) == 0);
}

}  // namespace millrace
