#include "server/signals.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <utility>

#include "runtime/clock.h"

namespace {

// Runs `body` in a child, because it changes the whole process; returns the child's wait status.
template <class Body>
int status_of_child(Body&& body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(30);
        ::_exit(body());
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return status;
}

}  // namespace

TEST_CASE("signals: one that came before the wait is returned, each by its meaning") {
    const auto meaning = [](int number) {
        millrace::block_service_signals();
        ::kill(::getpid(), number);
        return static_cast<int>(*millrace::wait_for_signal());
    };
    using millrace::ServiceSignal;
    for (const auto& one : {std::pair{SIGTERM, ServiceSignal::stop},
                            {SIGINT, ServiceSignal::stop},
                            {SIGUSR1, ServiceSignal::report},
                            {SIGUSR2, ServiceSignal::step_log_level},
                            {SIGHUP, ServiceSignal::reload}}) {
        const int number = one.first;
        CAPTURE(number);
        const int status = status_of_child([&] { return meaning(number); });
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == static_cast<int>(one.second));
    }
}

TEST_CASE("signals: a wait ends at its deadline, and sooner when a signal comes") {
    const int status = status_of_child([] {
        using namespace millrace;
        block_service_signals();
        const Instant deadline = monotonic_now() + Duration::ms(20);
        if (wait_for_signal(deadline)) return 1;
        if (monotonic_now() < deadline) return 2;
        ::kill(::getpid(), SIGUSR1);
        // Passed long ago: what came before is found all the same.
        if (wait_for_signal(deadline) != ServiceSignal::report) return 3;
        ::kill(::getpid(), SIGUSR2);
        const Instant far = monotonic_now() + Duration::s(3'600);
        return wait_for_signal(far) == ServiceSignal::step_log_level ? 7 : 4;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("signals: the second stop signal ends the process") {
    const int status = status_of_child([] {
        ::signal(SIGINT, SIG_IGN);  // as in a job of a shell's background
        millrace::block_service_signals();
        ::kill(::getpid(), SIGTERM);
        if (millrace::wait_for_signal() != millrace::ServiceSignal::stop) return 8;
        millrace::let_stop_signals_end();
        ::kill(::getpid(), SIGINT);
        return 7;
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
}

TEST_CASE("signals: writing to a closed pipe is an error, not the end") {
    const int status = status_of_child([] {
        millrace::block_service_signals();
        int ends[2];
        if (::pipe(ends) != 0) return 1;
        ::close(ends[0]);
        return ::write(ends[1], "x", 1) == -1 ? 7 : 8;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}
