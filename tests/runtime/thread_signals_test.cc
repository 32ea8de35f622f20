#include "runtime/thread_signals.h"

#include <csignal>
#include <thread>

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("thread signals: they are left to others, but for the one that profiles need") {
    sigset_t blocked;
    std::thread([&] {
        leave_signals_to_others();
        REQUIRE(::pthread_sigmask(SIG_SETMASK, nullptr, &blocked) == 0);
    }).join();
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM}) {
        CHECK(::sigismember(&blocked, number) == 1);
    }
    CHECK(::sigismember(&blocked, SIGPROF) == 0);
}
