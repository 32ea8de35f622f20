#include "server/notify.h"

#include <doctest/doctest.h>

using namespace millrace;

TEST_CASE("notify: messages are assignments, one a line") {
    CHECK(ready_message("listens on 127.0.0.1:1883", 4711) ==
          "READY=1\nSTATUS=listens on 127.0.0.1:1883\nMAINPID=4711");
    CHECK(reloading_message(Instant{1'234'567}) == "RELOADING=1\nMONOTONIC_USEC=1234");
    CHECK(stopping_message(Duration::ms(5'000), false) ==
          "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=5000000");
    CHECK(stopping_message(Duration::ms(5'000), true) ==
          "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=5000000\nWATCHDOG_USEC=5000000");
    CHECK(status_message("busy") == "STATUS=busy");
}

TEST_CASE("notify: a status stays one line, so that it can't assign anything") {
    CHECK(status_message("a\nWATCHDOG_USEC=1\r") == "STATUS=a WATCHDOG_USEC=1 ");
    CHECK(ready_message("a\nb", 1) == "READY=1\nSTATUS=a b\nMAINPID=1");
}
