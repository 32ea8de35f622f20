// What a completed three-way handshake has settled: the start of an accepted connection, whether
// it waited in the backlog (half_open.h) or came back in a cookie (syn_cookie.h).
// Owned by: values.
#pragma once

#include <cstdint>

#include "tcp/seq.h"

namespace millrace {

struct Handshake {
    SeqNumber iss;
    SeqNumber irs;
    uint16_t peer_mss = 536;         // as offered, or the default of RFC 9293 3.7.1
    uint8_t send_scale = 0;          // of windows that the peer announces
    bool has_window_scale = false;
    bool has_sack = false;
    bool has_timestamps = false;
    uint32_t timestamp_recent = 0;   // the peer's, valid with has_timestamps
    uint32_t timestamp_offset = 0;   // added to our clock
};

}  // namespace millrace
