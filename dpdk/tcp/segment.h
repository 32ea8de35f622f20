// A TCP segment as the engine sees it: fields in host order, no bytes of a header.
// Owned by: values; `payload` of a segment that arrives borrows from the received frame.
// Not here: how they stand on the wire (wire/tcp.h), addresses (flow_key.h).
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "tcp/seq.h"

namespace millrace {

namespace tcp_flag {
inline constexpr uint8_t fin = 0x01;
inline constexpr uint8_t syn = 0x02;
inline constexpr uint8_t rst = 0x04;
inline constexpr uint8_t psh = 0x08;
inline constexpr uint8_t ack = 0x10;
inline constexpr uint8_t urg = 0x20;
inline constexpr uint8_t ece = 0x40;
inline constexpr uint8_t cwr = 0x80;
}  // namespace tcp_flag

// RFC 9293 3.2 (MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK).
struct TcpOptions {
    static constexpr uint32_t sack_blocks_max = 4;

    uint16_t mss = 0;                // 0: absent
    uint8_t window_scale = 0;        // valid with has_window_scale; at most 14 when parsed
    bool has_window_scale = false;
    bool sack_permitted = false;
    bool has_timestamps = false;
    uint8_t sack_count = 0;
    uint32_t timestamp_value = 0;    // valid with has_timestamps
    uint32_t timestamp_echo = 0;
    std::array<SeqRange, sack_blocks_max> sack{};

    void set_timestamps(uint32_t value, uint32_t echo) {
        has_timestamps = true;
        timestamp_value = value;
        timestamp_echo = echo;
    }

};

struct Segment {
    SeqNumber seq;
    SeqNumber ack;                   // valid with the ACK flag
    uint16_t window = 0;             // as on the wire, unscaled
    uint8_t flags = 0;
    TcpOptions options;
    Bytes payload;                   // borrowed until the frame is released

    bool has(uint8_t flag) const { return (flags & flag) != 0; }
    // SEG.LEN: SYN and FIN count one each (RFC 9293, 3.4).
    uint32_t sequence_bytes() const {
        return static_cast<uint32_t>(payload.size()) + (has(tcp_flag::syn) ? 1 : 0) +
               (has(tcp_flag::fin) ? 1 : 0);
    }
};

// A segment to send. Its payload is a part of the connection's send ring.
struct OutSegment {
    SeqNumber seq;
    SeqNumber ack;                   // valid with the ACK flag
    uint16_t window = 0;             // as on the wire, scaled already
    uint8_t flags = 0;
    TcpOptions options;
    uint32_t ring_offset = 0;        // from the oldest byte of the send ring
    uint32_t payload_bytes = 0;      // over the MSS only when segmentation offload was offered

    bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

}  // namespace millrace
