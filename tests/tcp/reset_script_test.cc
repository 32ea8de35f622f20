// Scripts: resets, and what a blind attacker may try (RFC 9293 3.10.7.4, RFC 5961).
#include <doctest/doctest.h>

#include "tcp_script.h"

using namespace millrace;
using millrace::test::run_script;

TEST_SUITE_BEGIN("tcp scripts");

TEST_CASE("tcp: a reset at exactly the next number ends the connection") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! write 1000
            > . 1:1001 ack 1
        10  < R 1
            = closed
            = ended peer_reset
            = counter resets_received 1
    )");
}

TEST_CASE("tcp: a reset elsewhere in the window gets a challenge ACK") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < R 2
            > . 1 ack 1
            = established
            = counter challenge_acks 1
        200 < R. 65535 ack 1
            > . 1 ack 1
            = established
            = counter dropped_reset_bad_sequence 2
    )");
}

TEST_CASE("tcp: a reset outside of the window is dropped") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < R 0
            < R 65537
            < R -1000
            = established
        500 ! idle
    )");
}

TEST_CASE("tcp: a SYN on a connection gets a challenge ACK, wherever it stands") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < S 5 win 65535 <mss 1460>
            > . 1 ack 1
            = established
        200 < S 1 win 65535 <mss 1460>
            > . 1 ack 1
            = established
        400 < S 1000000 win 65535 <mss 1460>
            > . 1 ack 1
            = established
        600 < S. 1 ack 1 win 65535 <mss 1460>
            > . 1 ack 1
            = established
    )");
}

TEST_CASE("tcp: a connection sends a challenge ACK every 100 ms at most") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < R 5
            > . 1 ack 1
        20  < x20 R 6
            = counter challenge_acks 1
            = counter challenge_acks_suppressed 20
        109 < R 7
        110 < R 8
            > . 1 ack 1
            = counter challenge_acks 2
    )");
}

TEST_CASE("tcp: a SYN-ACK that comes again, as our ACK was lost, is acknowledged again") {
    run_script(R"(
        0    ! open mss 1460
             > S 0
        10   < S. 0 ack 1 win 65535 <mss 1460>
             > . 1 ack 1
        1010 < S. 0 ack 1 win 65535 <mss 1460>
             > . 1 ack 1
             = established
    )");
}

TEST_CASE("tcp: an ACK of what wasn't sent is challenged, its data dropped") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < P. 1:101 ack 2
            > . 1 ack 1
            = received 0
            = counter dropped_bad_ack 1
        200 < P. 1:101 ack 100000
            > . 1 ack 1
            = received 0
        400 < P. 1:101 ack 1
            = received 100
        440 > . 1 ack 101
    )");
}

TEST_CASE("tcp: an ACK older than the largest window is challenged, its data dropped") {
    run_script(R"(
        0   ! accept win 5000 <mss 1000>
            ! write 10000
            > . 1:5001/1000 ack 1
        10  < . 1 ack 5001 win 5000
            > . 5001:10001/1000 ack 1
        20  < . 1 ack 10001 win 5000
        30  < P. 1:101 ack 5000            # one more than 5000 bytes ago
            > . 10001 ack 1
            = received 0
            < P. 1:101 ack 5001
            = received 100
        70  > . 10001 ack 101
    )");
}

TEST_CASE("tcp: data that was injected with a guessed number outside of the window has no effect") {
    run_script(R"(
        0   ! accept <mss 1460>
        10  < P. 70000:70100 ack 1
            > . 1 ack 1
        20  < . 1:101 ack 1
            = received 100
        60  > . 1 ack 101
    )");
}

TEST_CASE("tcp: an abort in ESTABLISHED tells the peer and forgets all") {
    run_script(R"(
        0    ! accept <mss 1460>
             ! write 3000
             > . 1:3001/1460 ack 1
        10   < . 1:101 ack 1
             ! abort
             > R. 3001 ack 101
             = closed
             = queued 0
        5000 ! idle
    )");
}

TEST_CASE("tcp: an abort in SYN-SENT tells nobody") {
    run_script(R"(
        0    ! open mss 1460
             > S 0
        10   ! abort
             = closed
        5000 ! idle
    )");
}

TEST_CASE("tcp: an abort in SYN-RECEIVED tells the peer") {
    run_script(R"(
        0    ! open mss 1460
             > S 0
        10   < S 0 win 65535 <mss 1460>
             > S. 0 ack 1
             ! abort
             > R. 1 ack 1
        5000 ! idle
    )");
}

TEST_CASE("tcp: an abort tells the peer in FIN-WAIT-1, FIN-WAIT-2 and CLOSE-WAIT") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
            = fin_wait_1
            ! abort
            > R. 2 ack 1
    )");
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < . 1 ack 2
            = fin_wait_2
            ! abort
            > R. 2 ack 1
    )");
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
            = close_wait
            ! abort
            > R. 1 ack 2
    )");
}

TEST_CASE("tcp: what arrives after an abort changes nothing") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! abort
            > R. 1 ack 1
        10  < . 1:101 ack 1
            = received 0
            = closed
            = counter dropped_state 1
    )");
}

TEST_CASE("tcp: a reset ends the connection in every state behind ESTABLISHED") {
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < R 1
            = ended peer_reset
    )");
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < . 1 ack 2
            = fin_wait_2
            < R 1
            = ended peer_reset
    )");
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
            = close_wait
            < R 2
            = ended peer_reset
    )");
    run_script(R"(
        0   ! accept <mss 1460>
            ! close
            > F. 1 ack 1
        10  < F. 1 ack 1
            > . 2 ack 2
            = closing
            < R 2
            = closed
    )");
    run_script(R"(
        0   ! accept <mss 1460>
        10  < F. 1 ack 1
            > . 1 ack 2
            ! close
            > F. 1 ack 2
            = last_ack
            < R 2
            = closed
    )");
}

TEST_SUITE_END();
