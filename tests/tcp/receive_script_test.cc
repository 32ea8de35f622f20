// Scripts: what arrives in ESTABLISHED (RFC 9293 3.10.7.4, RFC 2018, RFC 5681 4.2, RFC 7323).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: a lone segment is acknowledged after 40 ms") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 1:1461 ack 1
            = received 1460
        50  > . 1 ack 1461
    )");
}

TEST_CASE("tcp: a second full segment is acknowledged at once") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 1:1461 ack 1
        15  < . 1461:2921 ack 1
            > . 1 ack 2921
        20  < . 2921:4381 ack 1
        25  < . 4381:5841 ack 1
            > . 1 ack 5841
        30  < . 5841:7301 ack 1
        70  > . 1 ack 7301
    )");
}

TEST_CASE("tcp: the delay of an ACK begins with the first segment, not the last") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < P. 1:11 ack 1
        40  < P. 11:21 ack 1
        50  > . 1 ack 21
            = received 20
    )");
}

TEST_CASE("tcp: data on its way out carries the delayed ACK") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < P. 1:11 ack 1
        20  ! write 5
            > P. 1:6 ack 11
        30  < . 11 ack 6
        200 ! idle
    )");
}

TEST_CASE("tcp: segments out of order are acknowledged at once, and delivered in order") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 1461:2921 ack 1
            > . 1 ack 1
            < . 2921:4381 ack 1
            > . 1 ack 1
            = received 0
            < . 1:1461 ack 1
            > . 1 ack 4381
            = received 4380
            = counter out_of_order 2
    )");
}

TEST_CASE("tcp: SACK blocks name what came out of order, the latest first") {
    run_script(R"(
        0   ! accept <mss 1460, sackOK>
        10  < . 101:201 ack 1
            > . 1 ack 1 <sack 101:201>
            < . 301:401 ack 1
            > . 1 ack 1 <sack 301:401, sack 101:201>
            < . 501:601 ack 1
            > . 1 ack 1 <sack 501:601, sack 301:401, sack 101:201>
            < . 201:301 ack 1                 # joins two
            > . 1 ack 1 <sack 101:401, sack 501:601>
            < . 1:101 ack 1
            > . 1 ack 401 <sack 501:601>
            = received 400
            < . 401:501 ack 1
            > . 1 ack 601
            = received 600
    )");
}

TEST_CASE("tcp: three SACK blocks at most stand beside timestamps") {
    run_script(R"(
        0   ! accept <mss 1460, sackOK, ts 100 0>
        10  < . 101:201 ack 1 <ts 100 0>
            > . 1 ack 1 <sack 101:201, ts 10 100>
            < . 301:401 ack 1 <ts 100 0>
            > . 1 ack 1 <sack 301:401, sack 101:201, ts 10 100>
            < . 501:601 ack 1 <ts 100 0>
            > . 1 ack 1 <sack 501:601, sack 301:401, sack 101:201, ts 10 100>
            < . 701:801 ack 1 <ts 100 0>
            > . 1 ack 1 <sack 701:801, sack 501:601, sack 301:401, ts 10 100>
    )");
}

TEST_CASE("tcp: a peer without SACK gets no SACK blocks") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 101:201 ack 1
            > . 1 ack 1 <>
    )");
}

TEST_CASE("tcp: what overlaps is taken once") {
    run_script(R"(
        0   ! accept <mss 1460, sackOK>
        10  < . 1:101 ack 1
            < . 51:151 ack 1
            = received 150
        50  > . 1 ack 151
            < . 251:351 ack 1
            > . 1 ack 151 <sack 251:351>
            < . 101:301 ack 1
            > . 1 ack 351
            = received 350
    )");
}

TEST_CASE("tcp: a segment that came before is acknowledged at once") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 1:101 ack 1
        50  > . 1 ack 101
        60  < . 1:101 ack 1
            > . 1 ack 101
            = received 100
            = counter duplicates 1
    )");
}

TEST_CASE("tcp: what lies beyond the window is dropped and acknowledged") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < . 65536:65636 ack 1       # the window is [1, 65536)
            > . 1 ack 1
            < . 65436:65636 ack 1       # a part of it lies within
            > . 1 ack 1
            < . -99:1 ack 1             # the past
            > . 1 ack 1
            = received 0
            = established
    )");
}

TEST_CASE("tcp: a segment without ACK is dropped") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < P 1:101
            = received 0
            = counter dropped_no_ack 1
        500 ! idle
    )");
}

TEST_CASE("tcp: URG is ignored, its bytes are delivered in line") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < PU. 1:101 ack 1
            = received 100
        50  > . 1 ack 101
    )");
}

TEST_CASE("tcp: a paused receiver keeps what comes, and the window closes as it fills") {
    run_script({.receive_window_bytes = 10'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < . 1:2001/1000 ack 1
            > . 1 ack 2001 win 8000
            < . 2001:3001 ack 1
            > . 1 ack 3001 win 7000
            < . 3001:10001/7000 ack 1
            > . 1 ack 10001 win 0
            = received 0
        20  ! resume
            > . 1 ack 10001 win 10000
            = received 10000
    )");
}

TEST_CASE("tcp: a closed window takes no byte, and answers each probe") {
    run_script({.receive_window_bytes = 2'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < . 1:2001/1000 ack 1
            > . 1 ack 2001 win 0
        300 < . 2001:2002 ack 1
            > . 1 ack 2001 win 0
        900 < . 2001:2002 ack 1
            > . 1 ack 2001 win 0
        950 ! resume
            > . 1 ack 2001 win 2000
        999 < . 2001:2002 ack 1
            = received 2001
        1039 > . 1 ack 2002 win 1999    # one byte isn't worth a new edge
    )");
}

TEST_CASE("tcp: a closed window takes ACKs and resets") {
    run_script({.receive_window_bytes = 2'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < . 1:2001/1000 ack 1
            > . 1 ack 2001 win 0
            ! write 100
            > . 1:101 ack 2001 win 0
        20  < . 2001 ack 101
            = queued 0
            < R 2001
            = closed
            = ended peer_reset
    )");
}

TEST_CASE("tcp: the window opens by two segments or half, never by less") {
    run_script({.receive_window_bytes = 10'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < P. 1:501 ack 1
        50  > . 1 ack 501
        60  ! resume                # 500 bytes are not worth a segment
            = received 500
        200 ! idle
    )");
}

TEST_CASE("tcp: the window's edge never moves to the left") {
    run_script({.receive_window_bytes = 10'000}, R"(
        0   ! accept <mss 1000>
        10  < . 1:1001 ack 1
        50  > . 1 ack 1001 win 10000
            ! pause
        60  < . 1001:1101 ack 1
        100 > . 1 ack 1101 win 9900
        110 < . 1101:1201 ack 1
            > . 1 ack 1201 win 9800
    )");
}

TEST_CASE("tcp: without memory what came out of order is dropped, and comes again") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! exhaust
        10  < . 1461:2921 ack 1
            > . 1 ack 1
            = counter dropped_no_memory 1
            ! relieve
        20  < . 1:1461 ack 1
            = received 1460
            < . 1461:2921 ack 1
            > . 1 ack 2921
            = received 2920
    )");
}

TEST_CASE("tcp: without memory a paused receiver takes nothing more") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! pause
            ! exhaust
        10  < . 1:1461 ack 1
            = received 0
            ! relieve
            ! resume
        20  < . 1:1461 ack 1
            = received 1460
        60  > . 1 ack 1461
    )");
}

TEST_CASE("tcp: PAWS drops a segment with an older timestamp, and acknowledges it") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < . 1:101 ack 1 <ts 1010 0>
        50  > . 1 ack 101 <ts 50 1010>
        60  < . 101:201 ack 1 <ts 1009 0>
            > . 1 ack 101 <ts 60 1010>
            = received 100
            = counter dropped_paws 1
        70  < . 101:201 ack 1 <ts 1010 0>
            = received 200
        110 > . 1 ack 201 <ts 110 1010>
    )");
}

TEST_CASE("tcp: without its timestamp a segment is dropped once both have them") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < . 1:101 ack 1
            = received 0
            = counter dropped_paws 1
    )");
}

TEST_CASE("tcp: a reset needs no timestamp and may have an old one") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < R 1 <ts 1 0>
            = ended peer_reset
    )");
}

TEST_CASE("tcp: an old timestamp counts again when the connection was idle for 24 days") {
    run_script(R"(
        0           ! accept <mss 1460, ts 1000 0>
        10          < . 1:101 ack 1 <ts 1010 0>
        50          > . 1 ack 101 <ts 50 1010>
        2073500000  < . 101:201 ack 1 <ts 900 0>       # a little less
                    > . 1 ack 101
                    = received 100
        2073601000  < . 101:201 ack 1 <ts 901 0>
                    = received 200
        +40         > . 1 ack 201 <ts 2073601040 901>
    )");
}

TEST_CASE("tcp: a delayed ACK echoes the timestamp of the first segment that it stands for") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < P. 1:101 ack 1 <ts 1010 0>
        20  < P. 101:201 ack 1 <ts 1020 0>
        50  > . 1 ack 201 <ts 50 1010>
        60  < P. 201:301 ack 1 <ts 1060 0>
        100 > . 1 ack 301 <ts 100 1060>
    )");
}

TEST_CASE("tcp: beyond a gap the echo is that of the last segment in order") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < P. 1:101 ack 1 <ts 1010 0>
        50  > . 1 ack 101 <ts 50 1010>
        60  < . 201:301 ack 1 <ts 1060 0>
            > . 1 ack 101 <ts 60 1010>
        70  < . 101:201 ack 1 <ts 1070 0>       # fills it
            > . 1 ack 301 <ts 70 1070>
    )");
}

TEST_CASE("tcp: a timestamp from beyond the window changes nothing") {
    run_script(R"(
        0   ! accept <mss 1460, ts 1000 0>
        10  < . 100000:100100 ack 1 <ts 5000 0>
            > . 1 ack 1 <ts 10 1000>
        20  < . 1:101 ack 1 <ts 1020 0>
            = received 100
        60  > . 1 ack 101 <ts 60 1020>
    )");
}

TEST_SUITE_END();
