#include "server/notify.h"

#include <doctest/doctest.h>

#include <utility>

using namespace millrace;

TEST_CASE("notify: messages are assignments, one a line") {
    CHECK(ready_message("listens on 127.0.0.1:1883", 4711) ==
          "READY=1\nSTATUS=listens on 127.0.0.1:1883\nMAINPID=4711");
    CHECK(reloading_message(Instant{1'234'567}) == "RELOADING=1\nMONOTONIC_USEC=1234");
    CHECK(stopping_message(Duration::ms(5'000)) ==
          "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=5000000");
}

TEST_CASE("notify: the watchdog is the environment's, when it means this process") {
    CHECK(parse_watchdog("2000000", "", 7) == Duration::s(2));
    CHECK(parse_watchdog("2000000", "7", 7) == Duration::s(2));
    for (const auto& [timeout_us, process] :
         {std::pair{"", ""}, {"0", ""}, {"2000000", "8"}, {"2000000", "x"}, {"-1", ""}, {"1s", ""},
          {"18446744073709551615", ""}}) {
        CHECK(parse_watchdog(timeout_us, process, 7) == std::nullopt);
    }
}

TEST_CASE("notify: a status stays one line, so that it can't assign anything") {
    CHECK(ready_message("a\nWATCHDOG_USEC=1\r", 1) ==
          "READY=1\nSTATUS=a WATCHDOG_USEC=1 \nMAINPID=1");
}
