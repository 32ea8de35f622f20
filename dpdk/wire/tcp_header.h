// TCP's header and options on the wire (RFC 9293 3.1, RFC 7323, RFC 2018).
// Owned by: values that borrow. Thread: any.
// Holds:    the parser accepts any option list that ends where the header says, skips what it
//           doesn't know, and takes only well-formed options of those it knows.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "tcp/segment.h"
#include "wire/address.h"

namespace millrace {

struct TcpPorts {
    uint16_t source = 0;
    uint16_t destination = 0;
};

// False when lengths contradict each other. The checksum isn't looked at.
bool parse_tcp(Bytes transport, TcpPorts& ports, Segment& out);
// Over header and payload.
bool tcp_checksum_is_good(Bytes transport, const IpAddress& source, const IpAddress& destination);

inline constexpr uint32_t tcp_header_bytes_max = 60;
// 20 bytes and the options, padded to four; the checksum field holds 0 (tcp_checksum_at in it).
uint32_t write_tcp(std::span<uint8_t> room, const TcpPorts& ports, const OutSegment& segment);
inline constexpr uint32_t tcp_checksum_at = 16;
// How long write_tcp will make it.
uint32_t tcp_header_bytes(const OutSegment& segment);

}  // namespace millrace
