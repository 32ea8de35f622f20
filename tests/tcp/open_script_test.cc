// Scripts: how a connection begins (RFC 9293 3.5, 3.10.1, 3.10.7.1, 3.10.7.3 and 3.10.7.4 for
// SYN-RECEIVED).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: an active open offers every option and acknowledges the SYN-ACK") {
    run_script(R"(
        0   ! open mss 1460
            > S 0 win 65535 <mss 1460, ws 3, sackOK, ts 0 0>
            = syn_sent
        20  < S. 0 ack 1 win 65535 <mss 1460, ws 7, sackOK, ts 500 0>
            > . 1 ack 1 win 32768 <ts 20 500>
            = established
            = connected
            = mss 1448
    )");
}

TEST_CASE("tcp: an active open announces the MSS that fits its path") {
    run_script(R"(
        0   ! open mss 8960
            > S 0 <mss 8960, ws 3, sackOK, ts 0 0>
        1   < S. 0 ack 1 win 65535 <mss 536>
            > . 1 ack 1 <>
            = mss 536
    )");
}

TEST_CASE("tcp: a peer that offers no option gets none, and 536 bytes a segment") {
    run_script(R"(
        0   ! open mss 1460
            > S 0 <mss 1460, ws 3, sackOK, ts 0 0>
        20  < S. 0 ack 1 win 5000
            > . 1 ack 1 win 65535 <>
            = mss 536
            ! write 1200
            > . 1:1073/536 ack 1 <>
            > . 1073:1201 ack 1 <>
        40  < . 1 ack 1201
            = queued 0
    )");
}

TEST_CASE("tcp: the window of a SYN-ACK isn't scaled, the next one is") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        1   < S. 0 ack 1 win 2920 <mss 1460, ws 4>
            > . 1 ack 1
            ! write 10000
            > . 1:2921/1460 ack 1
        2   < . 1 ack 2921 win 200      # 3200 bytes
            > . 2921:5841/1460 ack 1
        3   < . 1 ack 5841 win 4000
            > . 5841:10001/1460 ack 1
        4   < . 1 ack 10001
    )");
}

TEST_CASE("tcp: a SYN is sent again after 1, 2, 4 seconds, and given up after six times") {
    run_script(R"(
        0       ! open mss 1460
                > S 0
        1000    > S 0 <mss 1460, ws 3, sackOK, ts 1000 0>
        3000    > S 0
        7000    > S 0
        15000   > S 0
        31000   > S 0
        63000   > S 0
                = syn_sent
                = ended none
        123500  = closed               # 64 s are more than the longest RTO of 60 s
                = ended connect_failed
    )");
}

TEST_CASE("tcp: a SYN that was sent again is no sample of the round trip") {
    run_script(R"(
        0       ! open mss 1460
                > S 0
        1000    > S 0
        1010    < S. 0 ack 1 win 65535 <mss 1460>
                > . 1 ack 1
                = established
                = rto 1000
    )");
}

TEST_CASE("tcp: in SYN-SENT a wrong ACK is answered by a reset and changes nothing") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < . 500 ack 700
            > R 700
            = syn_sent
            < S. 500 ack 0
            > R 0
            < S. 500 ack 2
            > R 2
            = syn_sent
            = counter dropped_bad_ack 3
        20  < S. 0 ack 1 <mss 1460>
            > . 1 ack 1
            = established
    )");
}

TEST_CASE("tcp: in SYN-SENT a reset counts only with an acceptable ACK") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < R 0
            < R. 0 ack 77
            = syn_sent
            < R. 0 ack 1
            = closed
            = ended connect_failed
            = counter resets_received 1
    )");
}

TEST_CASE("tcp: in SYN-SENT a segment without SYN and RST is dropped") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < . 0 ack 1
            < F. 0 ack 1
            < P 0:10
            = syn_sent
    )");
}

TEST_CASE("tcp: a close in SYN-SENT ends without a segment") {
    run_script(R"(
        0       ! open mss 1460
                > S 0
        10      ! close
                = closed
        5000    ! idle
    )");
}

TEST_CASE("tcp: simultaneous open") {
    run_script(R"(
        0   ! open mss 1460
            > S 0 <mss 1460, ws 3, sackOK, ts 0 0>
        10  < S 0 win 65535 <mss 1400, ws 5, sackOK, ts 900 0>
            > S. 0 ack 1 <mss 1400, ws 3, sackOK, ts 10 900>     # the lesser of both
            = syn_received
        20  < S. 0 ack 1 win 65535 <mss 1400, ws 5, sackOK, ts 910 10>
            = established
            = connected
            = mss 1388
        +45 ! write 100
            > . 1:101 ack 1
    )");
}

TEST_CASE("tcp: simultaneous open, completed by an ACK with data") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < S 0 win 65535 <mss 1460, sackOK>
            > S. 0 ack 1 <mss 1460, sackOK>
        20  < P. 1:101 ack 1 win 65535
            = established
            = received 100
        60  > . 1 ack 101
    )");
}

TEST_CASE("tcp: in SYN-RECEIVED the SYN-ACK is sent again when it is lost") {
    run_script(R"(
        0       ! open mss 1460
                > S 0
        10      < S 0 win 65535 <mss 1460>
                > S. 0 ack 1 <mss 1460>
        500     < S 0 win 65535 <mss 1460>
                > S. 0 ack 1 <mss 1460>
                = syn_received
        510     < . 1 ack 1
                = established
    )");
}

TEST_CASE("tcp: in SYN-RECEIVED the SYN-ACK is sent again by its timer") {
    run_script(R"(
        0       ! open mss 1460
                > S 0
        10      < S 0 win 65535 <mss 1460>
                > S. 0 ack 1
        1000    > S. 0 ack 1         # the SYN's timer goes on
        3000    > S. 0 ack 1
                = syn_received
        3020    < . 1 ack 1
                = established
    )");
}

TEST_CASE("tcp: in SYN-RECEIVED an ACK of nothing that was sent is answered by a reset") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < S 0 win 65535 <mss 1460>
            > S. 0 ack 1
            < . 1 ack 2
            > R 2
            < . 1 ack 0
            > R 0
            = syn_received
            < . 1 ack 1
            = established
    )");
}

TEST_CASE("tcp: in SYN-RECEIVED a reset ends the attempt") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < S 0 win 65535 <mss 1460>
            > S. 0 ack 1
            < R 1
            = closed
            = ended connect_failed
    )");
}

TEST_CASE("tcp: a close in SYN-RECEIVED sends FIN once the handshake is done") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < S 0 win 65535 <mss 1460>
            > S. 0 ack 1
            ! close
            = syn_received
        20  < . 1 ack 1
            = fin_wait_1
            > F. 1 ack 1
        30  < . 1 ack 2
            = fin_wait_2
    )");
}

TEST_CASE("tcp: data and a close that were asked for in SYN-RECEIVED leave in their order") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
        10  < S 0 win 65535 <mss 1460>
            > S. 0 ack 1
            ! write 100
            ! close
        20  < . 1 ack 1
            > FP. 1:101 ack 1
        30  < . 1 ack 102
            = fin_wait_2
            = queued 0
    )");
}

TEST_CASE("tcp: data written before the handshake is done leaves with its end") {
    run_script(R"(
        0   ! open mss 1460
            > S 0
            ! write 2000
            = syn_sent
        10  < S. 0 ack 1 win 65535 <mss 1460>
            > . 1:1461 ack 1
            > . 1461:2001 ack 1
        20  < . 1 ack 2001
            = queued 0
    )");
}

TEST_CASE("tcp: a passive open is established at once and takes data with the last ACK") {
    run_script(R"(
        0   ! accept win 65535 <mss 1460, ws 7, sackOK, ts 100 0>
            = established
            = mss 1448
        5   < P. 1:11 ack 1 win 512 <ts 105 0>
            = received 10
        45  > . 1 ack 11 win 32768 <ts 45 105>
    )");
}

TEST_CASE("tcp: the initial window is ten segments of 1460 bytes") {
    run_script(R"(
        0   ! accept win 65535 <mss 1460>
            = cwnd 14600
            ! write 50000
            > . 1:14601/1460 ack 1
    )");
}

TEST_CASE("tcp: the initial window of small segments is ten of them") {
    run_script(R"(
        0   ! accept win 65535 <mss 536>
            = cwnd 5360
            ! write 50000
            > . 1:5361/536 ack 1
    )");
}

TEST_CASE("tcp: the initial window of jumbo segments is two of them") {
    run_script(R"(
        0   ! accept win 65535 mss 8960 <mss 8960>
            = cwnd 17920
            ! write 50000
            > . 1:17921/8960 ack 1
    )");
}

TEST_CASE("tcp: an MSS of zero bytes or a few is taken for one that can be worked with") {
    run_script(R"(
        0   ! accept win 65535 <mss 1>
            = mss 88
            ! write 100
            > . 1:101/88 ack 1
        1   < . 1 ack 101
    )");
}

TEST_CASE("tcp: a segment without a connection is answered by the reset of RFC 9293 3.10.7.1") {
    Segment segment;
    OutSegment reset;
    segment.seq = {100};
    segment.ack = {500};
    const uint8_t payload[10] = {};
    segment.payload = payload;
    SUBCASE("with ACK: from the number that it acknowledges") {
        segment.flags = tcp_flag::ack | tcp_flag::psh;
        REQUIRE(Tcp::reset_for(segment, reset));
        CHECK(reset.flags == tcp_flag::rst);
        CHECK(reset.seq == SeqNumber{500});
    }
    SUBCASE("without ACK: from 0, acknowledging all of it") {
        segment.flags = tcp_flag::syn | tcp_flag::fin;
        REQUIRE(Tcp::reset_for(segment, reset));
        CHECK(reset.flags == (tcp_flag::rst | tcp_flag::ack));
        CHECK(reset.seq == SeqNumber{0});
        CHECK(reset.ack == SeqNumber{112});
    }
    SUBCASE("a reset: not at all") {
        segment.flags = tcp_flag::rst;
        CHECK(!Tcp::reset_for(segment, reset));
        segment.flags = tcp_flag::rst | tcp_flag::ack;
        CHECK(!Tcp::reset_for(segment, reset));
    }
    CHECK(reset.payload_bytes == 0);
    CHECK(reset.window == 0);
}

TEST_SUITE_END();
