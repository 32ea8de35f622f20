#include <poll.h>

#include <doctest/doctest.h>

#include "runtime/waker.h"

using namespace millrace;

namespace {

bool is_readable(const Waker& waker) {
    pollfd watched{.fd = waker.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, 0) == 1;
}

}  // namespace

TEST_CASE("waker: many wakes are one readable event until it is cleared") {
    auto waker = Waker::create();
    REQUIRE(waker.has_value());
    CHECK(!is_readable(*waker));
    waker->wake();
    waker->wake();
    CHECK(is_readable(*waker));
    waker->clear();
    CHECK(!is_readable(*waker));
    waker->clear();  // clearing an empty one doesn't wait
}

TEST_CASE("waker: moving hands the descriptor on") {
    auto waker = Waker::create();
    REQUIRE(waker.has_value());
    const int descriptor = waker->descriptor();
    const Waker moved(std::move(*waker));
    CHECK(moved.descriptor() == descriptor);
    moved.wake();
    CHECK(is_readable(moved));
}
