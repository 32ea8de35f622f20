// How a control block lies in memory: what is touched together shares cache lines.
#include <cstddef>

#include <doctest/doctest.h>

#include "tcp/half_open.h"
#include "tcp/tcp_connection.h"
#include "tcp/time_wait.h"

using namespace millrace;

#pragma GCC diagnostic ignored "-Winvalid-offsetof"

TEST_CASE("layout: a connection is five cache lines, each for one purpose") {
    constexpr size_t line = 64;
    MESSAGE("a connection: ", sizeof(TcpConnection), " bytes; its ring, flags and room for the ",
            "layer above: ", sizeof(Connection), ", timer: ", sizeof(TimerEntry));
    MESSAGE("every segment's state at ", offsetof(TcpConnection, snd_una), ", round trips and "
            "congestion at ", offsetof(TcpConnection, rtt), ", 4-tuple at ",
            offsetof(TcpConnection, flow));
    MESSAGE("a handshake in the backlog: ", sizeof(HalfOpen), " bytes; TIME-WAIT: ",
            sizeof(TimeWait));
    CHECK(sizeof(TcpConnection) == 5 * line);
    CHECK(offsetof(TcpConnection, timer) + sizeof(TimerEntry) == 2 * line);
    CHECK(offsetof(TcpConnection, snd_una) == 2 * line);
    // All that an ordinary segment reads and writes, but for congestion control.
    CHECK(offsetof(TcpConnection, rtt) <= 3 * line);
    CHECK(offsetof(TcpConnection, snd_wnd_max) >= 3 * line);
    CHECK(offsetof(TcpConnection, flow) + sizeof(FlowNode) <= 5 * line);
}

TEST_CASE("layout: what stands in for a connection is much smaller") {
    CHECK(sizeof(HalfOpen) <= 128);
    CHECK(sizeof(TimeWait) <= 96);
}
