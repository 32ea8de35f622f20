// Scripts: keep-alive (RFC 9293 3.8.4), the path's MTU (RFC 1191, RFC 5927, RFC 2923), sequence
// numbers that wrap while much is in flight.
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

namespace {

const TcpSettings keepalive{.keepalive_idle = Duration::s(10),
                            .keepalive_interval = Duration::s(2),
                            .keepalive_probes_max = 3};

}  // namespace

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: a silent peer is asked after the idle time, and lives when it answers") {
    run_script(keepalive, R"(
        0      ! accept <mss 1000>
        10000  > . 0 ack 1
        10010  < . 1 ack 1
        20010  > . 0 ack 1
               = counter keepalives 2
               = established
    )");
}

TEST_CASE("tcp: a peer that doesn't answer keep-alives is gone after three") {
    run_script(keepalive, R"(
        0      ! accept <mss 1000>
        10000  > . 0 ack 1
        12000  > . 0 ack 1
        14000  > . 0 ack 1
               = established
        16001  = closed
               = ended peer_reset
               = counter keepalive_failures 1
    )");
}

TEST_CASE("tcp: data from the peer puts keep-alives off") {
    run_script(keepalive, R"(
        0      ! accept <mss 1000>
        6000   < . 1:101 ack 1
        6040   > . 1 ack 101
        16000  > . 0 ack 101
    )");
}

TEST_CASE("tcp: without the setting no keep-alive is sent") {
    run_script(R"(
        0        ! accept <mss 1000>
        8000000  ! idle
                 = established
    )");
}

TEST_CASE("tcp: a peer's keep-alive is answered") {
    run_script(R"(
        0     ! accept <mss 1000>
        1000  < . 0 ack 1
              > . 1 ack 1
        2000  < . 0:1 ack 1          # with a byte of garbage
              > . 1 ack 1
              = received 0
    )");
}

TEST_CASE("tcp: a smaller path MTU sends what was too long again in smaller segments") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 2920
              > . 1:2921/1460 ack 1
        10    ! mtu 1 1220
              > . 1:2921/1200 ack 1
              = mss 1200
              = counter mtu_reductions 1
              = counter timeouts 0
        20    < . 1 ack 2921
              = queued 0
    )");
}

TEST_CASE("tcp: a path MTU about a segment that isn't in flight is ignored") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 1460
              > . 1:1461 ack 1
              ! mtu 1461 1220
              ! mtu 0 1220
              ! mtu 900000 1220
              = mss 1460
        10    < . 1 ack 1461
              ! mtu 1 1220            # acknowledged meanwhile
              = mss 1460
              = counter mtu_reductions 0
    )");
}

TEST_CASE("tcp: a path MTU is never taken below what every path carries") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 1460
              > . 1:1461 ack 1
              ! mtu 1 68
              > . 1:1461/536 ack 1
              = mss 536
    )");
}

TEST_CASE("tcp: a larger path MTU than the known one changes nothing") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 1460
              > . 1:1461 ack 1
              ! mtu 1 8980
              = mss 1460
    )");
}

TEST_CASE("tcp: three timeouts in a row try smaller segments (black hole)") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 10
              > . 1:11 ack 1
        10    < . 1 ack 11
              ! write 1460
              > P. 11:1471 ack 1
        210   > . 11:1471 ack 1
        610   > . 11:1471 ack 1
        1410  > . 11:1231 ack 1
              = mss 1220
              = counter black_holes 1
        1420  < . 1 ack 1231
              > . 1231:1471 ack 1
    )");
}

TEST_CASE("tcp: five timeouts in a row try the smallest segments") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 10
              > . 1:11 ack 1
        10    < . 1 ack 11
              ! write 1460
              > P. 11:1471 ack 1
        210   > . 11:1471 ack 1
        610   > . 11:1471 ack 1
        1410  > . 11:1231 ack 1
        3010  > . 11:1231 ack 1
        6210  > . 11:547 ack 1
              = mss 536
        6220  < . 1 ack 547
              > . 547:1083 ack 1
              > . 1083:1471 ack 1
    )");
}

TEST_CASE("tcp: a segment that is shorter than the MSS can meet a black hole too") {
    run_script(R"(
        0     ! accept <mss 1460>
              ! write 10
              > . 1:11 ack 1
        10    < . 1 ack 11
              ! write 1000
              > P. 11:1011 ack 1
        210   > . 11:1011 ack 1
        610   > . 11:1011 ack 1
        1410  > . 11:1011 ack 1
        3010  > . 11:1011 ack 1
        6210  > . 11:547 ack 1
              = mss 536
    )");
}

TEST_CASE("tcp: much crosses the wrap of the sequence numbers") {
    run_script({.receive_window_bytes = 1 << 20}, R"(
        0     ! accept <mss 1000>
        1     < . 1:60001/60000 ack 1
              > . 1 ack 60001
              ! write 30000
              > . 1:10001/1000 ack 60001
        2     < . 60001 ack 10001
              > . 10001:22001/1000 ack 60001
        3     < . 60001 ack 22001
              > . 22001:30001/1000 ack 60001
        4     < . 60001 ack 30001
              = queued 0
              = received 60000
    )");
}

TEST_SUITE_END();
