// Scripts: the peer's window (RFC 9293 3.8.6, RFC 7323 2).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: never more is in flight than the peer's window") {
    run_script(R"(
        0   ! accept win 3000 <mss 1000>
            ! write 10000
            > . 1:3001/1000 ack 1
        10  < . 1 ack 1001 win 3000
            > . 3001:4001 ack 1
        20  < . 1 ack 4001 win 6000
            > . 4001:10001/1000 ack 1
    )");
}

TEST_CASE("tcp: a window is scaled by what the peer offered, fourteen bits at most") {
    run_script(R"(
        0   ! accept win 3 <mss 1000, ws 10>
            ! write 5000
            > . 1:3001/1000 ack 1
        10  < . 1 ack 3001 win 4
            > . 3001:5001/1000 ack 1
    )");
}

TEST_CASE("tcp: a closed window is probed after an RTO, with back-off") {
    run_script(R"(
        0     ! accept win 1000 <mss 1000>
              ! write 3000
              > . 1:1001 ack 1
        10    < . 1 ack 1001 win 0
        210   > . 1001:1002 ack 1
        220   < . 1 ack 1001 win 0
        610   > . 1001:1002 ack 1
        620   < . 1 ack 1001 win 0
        1410  > . 1001:1002 ack 1
        1420  < . 1 ack 1001 win 0
        3010  > . 1001:1002 ack 1
              = counter probes 4
        3020  < . 1 ack 1001 win 3000
              > . 1001:3001/1000 ack 1
        3030  < . 1 ack 3001
              = queued 0
    )");
}

TEST_CASE("tcp: a probe whose byte is taken counts as data") {
    run_script(R"(
        0     ! accept win 1000 <mss 1000>
              ! write 3000
              > . 1:1001 ack 1
        10    < . 1 ack 1001 win 0
        210   > . 1001:1002 ack 1
        220   < . 1 ack 1002 win 5000
              > . 1002:2002 ack 1
              > . 2002:3001 ack 1
        230   < . 1 ack 3001
              = queued 0
    )");
}

TEST_CASE("tcp: a peer that answers probes may keep its window closed for ever") {
    run_script({.rtt = {.rto_max = Duration::s(1)}, .send_timeout = Duration::s(3)}, R"(
        0     ! accept win 1000 <mss 1000>
              ! write 2000
              > . 1:1001 ack 1
        10    < . 1 ack 1001 win 0
        210   > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
        610   > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
        1410  > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
        2410  > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
        3410  > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
        4410  > . 1001:1002 ack 1
              < . 1 ack 1001 win 0
              = established
    )");
}

TEST_CASE("tcp: a peer that doesn't answer probes is given up after the send timeout") {
    run_script({.rtt = {.rto_max = Duration::s(1)}, .send_timeout = Duration::s(3)}, R"(
        0     ! accept win 1000 <mss 1000>
              ! write 2000
              > . 1:1001 ack 1
        10    < . 1 ack 1001 win 0
        210   > . 1001:1002 ack 1
        610   > . 1001:1002 ack 1
        1410  > . 1001:1002 ack 1
        2410  > . 1001:1002 ack 1
        3500  = closed
              = ended peer_reset
              = counter send_timeouts 1
    )");
}

TEST_CASE("tcp: an update of the window sends at once") {
    run_script(R"(
        0     ! accept win 0 <mss 1000>
              ! write 3000
        500   < . 1 ack 1 win 3000
              > . 1:3001/1000 ack 1
    )");
}

TEST_CASE("tcp: a window that is silly isn't filled by bits, until a timer says so") {
    run_script(R"(
        0     ! accept win 4000 <mss 1000>
              ! write 10000
              > . 1:4001/1000 ack 1
        10    < . 1 ack 4001 win 500      # less than a segment and than half the largest
        210   > . 4001:4501 ack 1
        220   < . 1 ack 4501 win 1000
              > . 4501:5501 ack 1
    )");
}

TEST_CASE("tcp: a window that is half the largest is worth a short segment") {
    run_script(R"(
        0     ! accept win 800 <mss 1000>
              ! write 2000
              > . 1:801 ack 1
        10    < . 1 ack 801 win 400
              > . 801:1201 ack 1
    )");
}

TEST_CASE("tcp: the rest of what waits leaves though it fills no segment (no Nagle)") {
    run_script(R"(
        0   ! accept <mss 1000>
            ! write 10
            > P. 1:11 ack 1
            ! write 10
            > P. 11:21 ack 1
            ! write 1500
            > . 21:1021 ack 1
            > P. 1021:1521 ack 1
    )");
}

TEST_CASE("tcp: a window that shrinks stops new data and takes nothing back") {
    run_script(R"(
        0    ! accept win 4000 <mss 1000>
             ! write 6000
             > . 1:4001/1000 ack 1
        10   < . 1 ack 1001 win 1000
             = queued 5000
        20   < . 1 ack 4001 win 1000
             > . 4001:5001 ack 1
        30   < . 1 ack 5001 win 1000
             > . 5001:6001 ack 1
    )");
}

TEST_CASE("tcp: a window that shrinks below what is in flight is still resent into") {
    run_script(R"(
        0    ! accept win 4000 <mss 1000>
             ! write 4000
             > . 1:4001/1000 ack 1
        10   < . 1 ack 1001 win 0
        210  > . 1001:2001 ack 1
        220  < . 1 ack 4001 win 4000
             = queued 0
    )");
}

TEST_CASE("tcp: an older segment doesn't change the window") {
    run_script(R"(
        0    ! accept win 2000 <mss 1000>
             ! write 5000
             > . 1:2001/1000 ack 1
        10   < . 101:201 ack 2001 win 0
             > . 2001 ack 1
             < . 1:101 ack 2001 win 5000
             > . 2001 ack 201
        210  > . 2001:2002 ack 201
    )");
}

TEST_CASE("tcp: with segmentation offload a burst is a multiple of the MSS") {
    run_script(R"(
        0   ! accept <mss 1000>
            ! burst 4500
            ! write 9500
            > . 1:4001 ack 1
            > . 4001:8001 ack 1
            > P. 8001:9501 ack 1
    )");
}

TEST_SUITE_END();
