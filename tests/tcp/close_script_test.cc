// Scripts: how a connection ends (RFC 9293 3.6, 3.10.4, 3.10.7.4 eighth step).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: our close, then the peer's: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
            = fin_wait_1
        10  < . 1 ack 2
            = fin_wait_2
        20  < F. 1 ack 2
            > . 2 ack 2
            = time_wait
            = finished
    )");
}

TEST_CASE("tcp: the peer's close, then ours: CLOSE-WAIT, LAST-ACK, CLOSED") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
            = close_wait
            = finished
        20  ! close
            > F. 1 ack 2
            = last_ack
        30  < . 2 ack 2
            = closed
            = ended peer_closed
    )");
}

TEST_CASE("tcp: a FIN that acknowledges ours leads from FIN-WAIT-1 to TIME-WAIT") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < F. 1 ack 2
            > . 2 ack 2
            = time_wait
    )");
}

TEST_CASE("tcp: simultaneous close: CLOSING, then TIME-WAIT") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < F. 1 ack 1
            > . 2 ack 2
            = closing
            = finished
        20  < . 2 ack 2
            > . 2 ack 2              # TIME-WAIT begins with an ACK, needed or not
            = time_wait
    )");
}

TEST_CASE("tcp: in TIME-WAIT a FIN that comes again is acknowledged again") {
    run_script(R"(
        0    ! accept <mss 1460>
             ! close
             > F. 1 ack 1
        10   < F. 1 ack 2
             > . 2 ack 2
             = time_wait
        1010 < F. 1 ack 2
             > . 2 ack 2
        2010 < . 2 ack 2
             < R 2
             = time_wait
    )");
}

TEST_CASE("tcp: FIN follows what is queued, beside the last of it") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! write 3000
            > . 1:2921/1460 ack 1
            > P. 2921:3001 ack 1
            ! close
            > F. 3001 ack 1
        10  < . 1 ack 3002
            = fin_wait_2
    )");
    run_script(R"(
        0   ! accept win 2000 <mss 1000>
            ! write 3000
            > . 1:2001/1000 ack 1
            ! close
            = fin_wait_1
        10  < . 1 ack 2001
            > FP. 2001:3001 ack 1
        20  < . 1 ack 3002
            = fin_wait_2
    )");
}

TEST_CASE("tcp: in FIN-WAIT-1 an ACK of the data alone isn't one of the FIN") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! write 100
            > P. 1:101 ack 1
            ! close
            > F. 101 ack 1
        10  < . 1 ack 101
            = fin_wait_1
            = queued 0
        20  < . 1 ack 102
            = fin_wait_2
    )");
}

TEST_CASE("tcp: data that arrives in FIN-WAIT-1 and FIN-WAIT-2 is delivered") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < P. 1:101 ack 1
            = received 100
            = fin_wait_1
        50  > . 2 ack 101
        60  < P. 101:201 ack 2
            = received 200
            = fin_wait_2
        100 > . 2 ack 201
        110 < FP. 201:301 ack 2
            > . 2 ack 302
            = received 300
            = time_wait
    )");
}

TEST_CASE("tcp: data that arrives when the layer above is gone is acknowledged and forgotten") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
            ! discard
        10  < . 1:2921/1460 ack 2
            > . 2 ack 2921
            = received 0
            = fin_wait_2
        20  < F. 2921 ack 2
            > . 2 ack 2922
            = time_wait
    )");
}

TEST_CASE("tcp: in CLOSE-WAIT data goes on to be sent") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
        20  ! write 2000
            > . 1:1461 ack 2
            > P. 1461:2001 ack 2
        30  < . 2 ack 2001
            = queued 0
            = close_wait
            ! close
            > F. 2001 ack 2
        40  < . 2 ack 2002
            = ended peer_closed
    )");
}

TEST_CASE("tcp: FIN with data delivers the data before the end") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < FP. 1:101 ack 1
            > . 1 ack 102
            = received 100
            = finished
            = close_wait
    )");
}

TEST_CASE("tcp: a FIN behind a gap waits until the gap is filled") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < FP. 101:201 ack 1
            > . 1 ack 1
            = not finished
            = established
        20  < . 1:101 ack 1
            > . 1 ack 201
            = received 200
            = established
        30  < F. 201 ack 1
            > . 1 ack 202
            = close_wait
            = finished
    )");
}

TEST_CASE("tcp: a FIN that comes again is acknowledged again and changes nothing") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
            < F. 1 ack 1
            > . 1 ack 2
            = close_wait
        20  ! close
            > F. 1 ack 2
            < F. 1 ack 1
            > . 2 ack 2
            = last_ack
        30  < . 2 ack 2
            = closed
    )");
}

TEST_CASE("tcp: a FIN that comes again in CLOSING is acknowledged again") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < F. 1 ack 1
            > . 2 ack 2
            < F. 1 ack 1
            > . 2 ack 2
            = closing
    )");
}

TEST_CASE("tcp: a FIN without ACK is dropped") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F 1
            = established
            = not finished
    )");
}

TEST_CASE("tcp: a FIN is sent again when it is lost, in FIN-WAIT-1 and in LAST-ACK") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! write 100
            > P. 1:101 ack 1
        10  < . 1 ack 101              # a sample: the RTO is 200 ms
            ! close
            > F. 101 ack 1
        210 > F. 101 ack 1
        610 > F. 101 ack 1
        620 < . 1 ack 102
            = fin_wait_2
    )");
    run_script(R"(
        0    ! accept <mss 1460>
        10   < F. 1 ack 1
             > . 1 ack 2
             ! close
             > F. 1 ack 2
        1010 > F. 1 ack 2
        1020 < . 2 ack 2
             = closed
    )");
}

TEST_CASE("tcp: data and FIN that were lost together are sent again together") {
    run_script(R"(
        0    ! accept win 1000 <mss 1000>
             ! write 1500
             > . 1:1001 ack 1
             ! close
        10   < . 1 ack 1001 win 65535
             > FP. 1001:1501 ack 1
        210  > F. 1001:1501 ack 1
        220  < . 1 ack 1502
             = fin_wait_2
    )");
}

TEST_CASE("tcp: FIN-WAIT-2 ends by itself after two seconds") {
    run_script(R"(
        0    ! accept <mss 1460>
             ! close
             > F. 1 ack 1
        10   < . 1 ack 2
        2000 = fin_wait_2
        2011 = closed
             = ended local
    )");
}

TEST_CASE("tcp: a FIN on the last byte of a full window is taken") {
    run_script({.receive_window_bytes = 2'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < . 1:1001 ack 1
            < F. 1001:2001 ack 1
            > . 1 ack 2002 win 0
            = close_wait
            = received 0
            ! resume
            > . 1 ack 2002 win 2000
            = received 2000
    )");
}

TEST_CASE("tcp: a FIN beyond the window is left for later") {
    run_script({.receive_window_bytes = 2'000}, R"(
        0   ! accept <mss 1000>
            ! pause
        10  < . 1:2001/1000 ack 1
            > . 1 ack 2001 win 0
            < FP. 2001:2101 ack 1
            > . 1 ack 2001 win 0
            = established
            = not finished
            ! resume
            > . 1 ack 2001 win 2000
            < FP. 2001:2101 ack 1
            > . 1 ack 2102
            = received 2100
            = close_wait
    )");
}

TEST_CASE("tcp: a second close changes nothing") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
            ! close
            = fin_wait_1
        10  < . 1 ack 2
            ! close
            = fin_wait_2
    )");
}

TEST_SUITE_END();
