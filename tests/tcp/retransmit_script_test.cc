// Scripts: loss and recovery (RFC 6298, RFC 5681, RFC 6582, RFC 6675, RFC 3042).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

namespace {

const TcpSettings reno_settings{.congestion = CongestionAlgorithm::reno};

}  // namespace

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: a lost segment is sent again after 200, 400 and 800 ms") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 1000
              > . 1:1001 ack 1
        10    < . 1 ack 1001              # a sample of 10 ms
        20    ! write 1000
              > P. 1001:2001 ack 1
        220   > . 1001:2001 ack 1
        620   > . 1001:2001 ack 1
        1420  > . 1001:2001 ack 1
              = counter timeouts 3
        1430  < . 1 ack 2001
              = queued 0
        9000  ! idle
    )");
}

TEST_CASE("tcp: without a sample the first timeout comes after a second") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 1000
              > . 1:1001 ack 1
        1000  > . 1:1001 ack 1
        3000  > . 1:1001 ack 1
    )");
}

TEST_CASE("tcp: the RTO is the smoothed round trip and four times its variation") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 1000
              > . 1:1001 ack 1
        400   < . 1 ack 1001              # srtt 400, rttvar 200
              = rto 1200
              ! write 1000
              > . 1001:2001 ack 1
        800   < . 1 ack 2001              # srtt 400, rttvar 150
              = rto 1000
    )");
}

TEST_CASE("tcp: an ACK of what was sent again is no sample (Karn)") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 1000
              > . 1:1001 ack 1
        1000  > . 1:1001 ack 1
        1001  < . 1 ack 1001
              = rto 1000
    )");
}

TEST_CASE("tcp: with timestamps an ACK of what went again twice is a sample of what it echoes") {
    run_script(R"(
        0     ! accept <mss 1012, ts 100 0>
              ! write 1000
              > . 1:1001 ack 1 <ts 0 100>
        1000  > . 1:1001 ack 1 <ts 1000 100>
        3000  > . 1:1001 ack 1 <ts 3000 100>
        3100  < . 1 ack 1001 <ts 200 3000>
              = rto 300
    )");
}

TEST_CASE("tcp: what was acknowledged before and came again gives no sample of its old echo") {
    run_script(R"(
        0     ! accept <mss 1012, ts 100 0>
              ! write 1000
              > . 1:1001 ack 1 <ts 0 100>
        1000  > . 1:1001 ack 1 <ts 1000 100>
        1100  < . 1 ack 1001 <ts 200 0>
              = rto 1000
    )");
}

TEST_CASE("tcp: a lost tail goes again after two round trips, not after a timeout") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000, sackOK>
              ! write 1000
              > . 1:1001 ack 1
        20    < . 1 ack 1001
              ! write 5000
              > . 1001:6001/1000 ack 1
        60    > . 5001:6001 ack 1
              = counter tail_probes 1
              = counter timeouts 0
        80    < . 1 ack 1001 <sack 5001:6001>
              > . 1001:3001/1000 ack 1
              = counter fast_recoveries 1
        100   < . 1 ack 3001 <sack 5001:6001>
              > . 3001:5001/1000 ack 1
        120   < . 1 ack 6001
              = queued 0
    )");
}

TEST_CASE("tcp: an ACK of new data starts the timer anew, and ends the back-off") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 3000
              > . 1:3001/1000 ack 1
        10    < . 1 ack 1001
        100   < . 1 ack 2001
        300   > . 2001:3001 ack 1         # 200 ms after the last
        700   > . 2001:3001 ack 1
        710   < . 1 ack 3001
              ! write 1000
              > P. 3001:4001 ack 1
        910   > . 3001:4001 ack 1
    )");
}

TEST_CASE("tcp: output that makes no progress ends the connection after the send timeout") {
    run_script({.send_timeout = Duration::s(5)}, R"(
        0     ! accept <mss 1000>
              ! write 1000
              > . 1:1001 ack 1
        10    < . 1 ack 1001
              ! write 500
              > P. 1001:1501 ack 1
        210   > . 1001:1501 ack 1
        610   > . 1001:1501 ack 1
        1410  > . 1001:1501 ack 1
        3010  > . 1001:1501 ack 1
        6210  = closed
              = ended peer_reset
              = counter send_timeouts 1
    )");
}

TEST_CASE("tcp: a timeout leaves one segment in flight, then slow start over what was lost") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
              ! write 10000
              > . 1:10001/1000 ack 1
        10    < . 1 ack 1001
              = cwnd 10000                # it didn't limit us
        210   > . 1001:2001 ack 1
              = cwnd 1000
              = ssthresh 4500
        220   < . 1 ack 2001
              = cwnd 2000
              > . 2001:4001/1000 ack 1
        230   < . 1 ack 4001
              > . 4001:7001/1000 ack 1
        240   < . 1 ack 10001
              = queued 0
    )");
}

TEST_CASE("tcp: three duplicate ACKs send the lost segment again without waiting") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
              ! write 10000
              > . 1:10001/1000 ack 1
        10    < x2 . 1 ack 1
        11    < . 1 ack 1
              > . 1:1001 ack 1
              = ssthresh 5000
              = counter fast_recoveries 1
        20    < . 1 ack 10001
              = cwnd 5000
              = queued 0
    )");
}

TEST_CASE("tcp: two duplicate ACKs let a new segment go each (limited transmit)") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
              ! write 20000
              > . 1:10001/1000 ack 1
        10    < . 1 ack 1
              > . 10001:11001 ack 1
        11    < . 1 ack 1
              > . 11001:12001 ack 1
        12    < . 1 ack 1
              > . 1:1001 ack 1
    )");
}

TEST_CASE("tcp: a partial ACK in NewReno recovery sends the next hole at once") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
              ! write 10000
              > . 1:10001/1000 ack 1      # the 1st and the 4th are lost
        10    < x3 . 1 ack 1
              > . 1:1001 ack 1
        20    < . 1 ack 3001
              > . 3001:4001 ack 1
        30    < . 1 ack 10001
              = queued 0
              = cwnd 5000
              = counter fast_recoveries 1
    )");
}

TEST_CASE("tcp: a duplicate ACK has no data, another window or nothing in flight to be one") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
        5     < x5 . 1 ack 1              # nothing is in flight
              ! write 3000
              > . 1:3001/1000 ack 1
        10    < . 1 ack 1 win 65000       # updates of the window
              < . 1 ack 1 win 64000
              < . 1 ack 1 win 63000
        20    < . 1:11 ack 1 win 63000    # data
              < . 11:21 ack 1 win 63000
              < . 21:31 ack 1 win 63000
        60    > . 3001 ack 31
              = counter fast_recoveries 0
    )");
}

TEST_CASE("tcp: SACK tells what was lost; only that is sent again") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000, sackOK>
              ! write 10000
              > . 1:10001/1000 ack 1      # the 1st and the 3rd are lost
        10    < . 1 ack 1 <sack 1001:2001>
              < . 1 ack 1 <sack 3001:4001, sack 1001:2001>
        11    < . 1 ack 1 <sack 3001:5001, sack 1001:2001>
              > . 1:1001 ack 1
        12    < . 1 ack 1 <sack 3001:6001, sack 1001:2001>
        13    < . 1 ack 1 <sack 3001:7001, sack 1001:2001>
              > . 2001:3001 ack 1         # the pipe has room for it now
        14    < . 1 ack 1 <sack 3001:10001, sack 1001:2001>
        20    < . 1 ack 2001 <sack 3001:10001>
        21    < . 1 ack 10001
              = queued 0
              = counter retransmissions 2
    )");
}

TEST_CASE("tcp: with SACK an ACK without news is no duplicate") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000, sackOK>
              ! write 5000
              > . 1:5001/1000 ack 1
        10    < x10 . 1 ack 1
              = counter fast_recoveries 0
        20    < . 1 ack 5001
    )");
}

TEST_CASE("tcp: SACK blocks that can't be true are ignored") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000, sackOK>
              ! write 5000
              > . 1:5001/1000 ack 1
        10    < . 1 ack 1 <sack 6001:7001>
              < . 1 ack 1 <sack -3000:-2000>
              < . 1 ack 1 <sack 3001:2001>
              < . 1 ack 1 <sack 1001:900001>
              = counter fast_recoveries 0
        20    < . 1 ack 5001
              = queued 0
    )");
}

TEST_CASE("tcp: a timeout during recovery begins again with the first hole") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000, sackOK>
              ! write 1000
              > . 1:1001 ack 1
        10    < . 1 ack 1001
              ! write 10000
              > . 1001:11001/1000 ack 1
        20    < . 1 ack 1001 <sack 2001:5001>
              > . 1001:2001 ack 1
              = counter fast_recoveries 1
        220   > . 1001:2001 ack 1
              = cwnd 1000
        230   < . 1 ack 5001
              > . 5001:7001/1000 ack 1
        240   < . 1 ack 11001
              = queued 0
    )");
}

TEST_CASE("tcp: after a long silence no more than the initial window is sent at once") {
    run_script(reno_settings, R"(
        0     ! accept <mss 1000>
              ! write 24000
              > . 1:10001/1000 ack 1
        10    < . 1 ack 10001
              > . 10001:22001/1000 ack 1
        20    < . 1 ack 22001
              > . 22001:24001/1000 ack 1
        30    < . 1 ack 24001
              = cwnd 14000
        9000  ! write 30000
              > . 24001:34001/1000 ack 1
              = cwnd 10000
    )");
}

TEST_CASE("tcp: CUBIC lowers the window to seven tenths") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 10000
              > . 1:10001/1000 ack 1
        10    < x3 . 1 ack 1
              > . 1:1001 ack 1
              = ssthresh 7000
        20    < . 1 ack 10001
              = cwnd 7000
    )");
}

TEST_CASE("tcp: a later loss of the peer's window is no loss of ours") {
    run_script(R"(
        0     ! accept <mss 1000>
              ! write 2000
              > . 1:2001/1000 ack 1
        10    < . 1 ack 2001
              < x5 . 1 ack 2001           # nothing is in flight
              = counter fast_recoveries 0
    )");
}

TEST_SUITE_END();
