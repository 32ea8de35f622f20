// The fixed header, and variable byte integers.
#include "codec/mqtt/fixed_header.h"

#include <array>

namespace millrace::mqtt {
namespace {

// 2.1.3: reserved flags have one legal value; those of PUBLISH carry DUP, QoS and RETAIN.
constexpr bool are_legal_flags(PacketType type, uint32_t flags) {
    switch (type) {
    case PacketType::publish: {
        const uint32_t qos = (flags >> 1) & 3;
        return qos != 3 && (qos != 0 || (flags & 8) == 0);  // DUP is for QoS 1 and 2 (3.3.1.1)
    }
    case PacketType::pubrel:
    case PacketType::subscribe:
    case PacketType::unsubscribe:
        return flags == 2;
    case PacketType::connect:
    case PacketType::connack:
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubcomp:
    case PacketType::suback:
    case PacketType::unsuback:
    case PacketType::pingreq:
    case PacketType::pingresp:
    case PacketType::disconnect:
    case PacketType::auth:
        return flags == 0;
    }
    return false;  // type 0
}

// A bit for each first byte of a packet: set when that is legal. Every packet asks.
constexpr std::array<uint64_t, 4> legal_first_bytes = [] {
    std::array<uint64_t, 4> legal{};
    for (uint32_t first = 0; first < 256; ++first) {
        if (!are_legal_flags(static_cast<PacketType>(first >> 4), first & 0x0f)) continue;
        legal[first / 64] |= uint64_t{1} << (first % 64);
    }
    return legal;
}();

// One to four bytes of seven bits, the lowest first; also longer than needed.
Result<uint32_t> read_any_var_int(ByteReader& in) {
    uint32_t value = 0;
    for (uint32_t shift = 0; shift <= 21; shift += 7) {
        if (in.remaining() == 0) return fail(Errc::incomplete);
        const uint8_t byte = in.u8();
        value |= uint32_t{byte & 0x7fu} << shift;
        if ((byte & 0x80) == 0) return value;
    }
    return fail(Errc::malformed);
}

}  // namespace

Result<FixedHeader> read_fixed_header(Bytes bytes) {
    if (bytes.empty()) return fail(Errc::incomplete);
    ByteReader in(bytes);
    const uint8_t first = in.u8();
    if ((legal_first_bytes[first / 64] >> (first % 64) & 1) == 0) return fail(Errc::malformed);
    // 3.1.1 lets a length be longer than needed and the version isn't known yet, so it passes here.
    const Result<uint32_t> remaining = read_any_var_int(in);
    if (!remaining) return fail(remaining.error());
    const uint32_t header_bytes = static_cast<uint32_t>(bytes.size() - in.remaining());
    return FixedHeader{static_cast<PacketType>(first >> 4), static_cast<uint8_t>(first & 0x0f),
                       *remaining, header_bytes};
}

Result<uint32_t> packet_length(Bytes bytes, uint32_t packet_bytes_max) {
    const Result<FixedHeader> header = read_fixed_header(bytes);
    if (!header) return fail(header.error());
    if (header->packet_bytes() > packet_bytes_max) return fail(Errc::too_large);
    return header->packet_bytes();
}

Result<uint32_t> read_var_int(ByteReader& in) {
    const size_t before = in.remaining();
    const Result<uint32_t> value = read_any_var_int(in);
    // MQTT-1.5.5-1: no more bytes than the value needs.
    if (value && before - in.remaining() != var_int_bytes(*value)) return fail(Errc::malformed);
    return value;
}

void write_var_int(ByteWriter& out, uint32_t value) {
    MR_ASSERT(value <= var_int_max);
    while (value >= 0x80) {
        out.u8(static_cast<uint8_t>(value | 0x80));
        value >>= 7;
    }
    out.u8(static_cast<uint8_t>(value));
}

}  // namespace millrace::mqtt
