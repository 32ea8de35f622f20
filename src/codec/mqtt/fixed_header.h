// The fixed header (MQTT 5.0, 2.1) and the framing of a stream into packets.
// Owned by: values. Thread: any.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "codec/mqtt/packet.h"

namespace millrace::mqtt {

struct FixedHeader {
    PacketType type;
    uint8_t flags;             // low four bits of the first byte, checked for the type (2.1.3)
    uint32_t remaining_bytes;  // "remaining length": what follows the fixed header
    uint32_t header_bytes;     // 2 to 5
    uint32_t packet_bytes() const { return header_bytes + remaining_bytes; }
};

// Errc::incomplete: more bytes are needed to know. Errc::malformed: type 0, illegal flags, or a
// fifth length byte (1.5.5). Type 15 is legal here; 3.1.1 refuses it when decoding.
Result<FixedHeader> read_fixed_header(Bytes bytes);

// The whole length of the packet that starts at `bytes`; Errc::too_large past `packet_bytes_max`.
Result<uint32_t> packet_length(Bytes bytes, uint32_t packet_bytes_max);

// The packet identifier of a PUBACK without reason and properties (3.4.2.1: success) at the front
// of `bytes`; 0 when something else, or an incomplete or illegal packet, stands there.
inline constexpr size_t short_ack_bytes = 4;
inline uint16_t short_puback_id(Bytes bytes) {
    if (bytes.size() < short_ack_bytes || bytes[0] != static_cast<uint8_t>(PacketType::puback) << 4 ||
        bytes[1] != 2) {
        return 0;
    }
    return static_cast<uint16_t>(bytes[2] << 8 | bytes[3]);
}

// Bytes that a variable byte integer takes (1.5.5): 1 to 4, value at most 268,435,455.
constexpr uint32_t var_int_bytes(uint32_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}
constexpr uint32_t var_int_max = 268'435'455;

Result<uint32_t> read_var_int(ByteReader& in);      // Errc::incomplete or malformed
void write_var_int(ByteWriter& out, uint32_t value);

}  // namespace millrace::mqtt
