#include "admin/periodic.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace millrace;

TEST_CASE("periodic: the work is done again and again, and not after stop()") {
    std::atomic<int> rounds{0};
    Periodic periodic({"test", Duration::ms(1), Duration::ms(1)}, [&] { ++rounds; });
    while (rounds < 3) std::this_thread::yield();
    periodic.stop();
    const int then = rounds;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(rounds == then);
    periodic.stop();
}

TEST_CASE("periodic: an end doesn't wait for the next round") {
    std::atomic<int> rounds{0};
    { Periodic periodic({"test", Duration::s(3'600), Duration::s(3'600)}, [&] { ++rounds; }); }
    CHECK(rounds == 0);
}

TEST_CASE("periodic: an end waits for the round that runs, and rounds that were missed are left out") {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    {
        Periodic periodic({"test", Duration::ms(0), Duration::ms(1)}, [&] {
            ++begun;
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            ++ended;
        });
        while (begun == 0) std::this_thread::yield();
    }
    CHECK(begun == ended);
    CHECK(begun < 3);
}
