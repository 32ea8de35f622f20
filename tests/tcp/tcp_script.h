// TCP tests as scripts: what arrives, what must leave and when, against the engine alone.
// Owned by: a test case, which calls run_script(). Thread: one.
// Holds:    everything that leaves must be in the script, in its order and at its time (a timer
//           may be a millisecond late); what the engine sends and delivers is compared with what
//           was written; Tcp::verify() holds after every step; at the end no memory is out. A
//           script runs several times, with sequence numbers and clocks that wrap at other places.
// Not here: addresses, checksums, listening: the stack's tests have those.
//
// A line is `[time] kind what`. The time is in milliseconds since the start, or since the line
// before with a plus; without one, it's the time of the line before. `#` begins a comment.
//
//   < S 0 win 65535 <mss 1460, ws 7, sackOK>      a segment arrives
//   > S. 0 ack 1 <mss 1460, ws 2, sackOK>         a segment must leave
//   > . 1:14601/1460 ack 1                        ten of them, 1460 bytes each
//   > x3 . 1 ack 1 <sack 101:201>                 three alike
//   = established                                 the state must be that
//   ! write 1000                                  the layer above does something
//
// Flags: S F R P U E C, and `.` for ACK. Sequence numbers are relative to the sender's SYN, which
// is 0; the first byte is 1. A range is the payload's alone. A `>` line compares what it says; PSH
// only if it's there; SACK blocks always; with `<...>` all options but the timestamps, which are
// compared when given: `ts VALUE ECHO`, our own in milliseconds since the start, the peer's as is.
//
// Actions:   open [mss N]; accept [win N] [mss N] [<options of the peer's SYN>]; write N; close;
//            abort; pause; resume; discard (what arrives from now on); mtu SEQ BYTES; burst N;
//            exhaust, relieve (all memory is taken, given back); idle (only lets time pass).
// Checks:    = STATE; received N; finished; not finished; connected; ended REASON; time_wait;
//            cwnd N; cwnd_below N; ssthresh N; mss N; queued N; rto N; counter NAME N.
#pragma once

#include <string_view>

#include "tcp/tcp.h"

namespace millrace::test {

void run_script(std::string_view script);
void run_script(const TcpSettings& settings, std::string_view script);

}  // namespace millrace::test
