#include "server/signals.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <initializer_list>

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

TEST_CASE("signals: the first stop signal is returned, also one that came before the wait") {
    for (const int number : {SIGTERM, SIGINT}) {
        const int status = status_of_child([&] {
            millrace::block_stop_signals();
            ::kill(::getpid(), number);
            return millrace::wait_for_stop_signal([] {}) == number ? 7 : 8;
        });
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 7);
    }
}

TEST_CASE("signals: the second stop signal ends the process") {
    const int status = status_of_child([] {
        ::signal(SIGINT, SIG_IGN);  // as in a job of a shell's background
        millrace::block_stop_signals();
        ::kill(::getpid(), SIGTERM);
        millrace::wait_for_stop_signal([] {});
        ::kill(::getpid(), SIGINT);
        return 7;
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
}

TEST_CASE("signals: SIGUSR1 asks for a report, and the wait goes on") {
    const int status = status_of_child([] {
        int reports = 0;
        millrace::block_stop_signals();
        ::kill(::getpid(), SIGUSR1);
        // The report's own end lets the stop signal in, so neither can overtake the other.
        const int number = millrace::wait_for_stop_signal([&] {
            ++reports;
            ::kill(::getpid(), SIGTERM);
        });
        return number == SIGTERM && reports == 1 ? 7 : 8;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("signals: writing to a closed pipe is an error, not the end") {
    const int status = status_of_child([] {
        millrace::block_stop_signals();
        int ends[2];
        if (::pipe(ends) != 0) return 1;
        ::close(ends[0]);
        return ::write(ends[1], "x", 1) == -1 ? 7 : 8;
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
}
