// One way to encode and decode a packet of any type, for tests and fuzzers that go over all.
// Owned by: tests and fuzzers. Thread: any.
// Holds:    encode_packet() asserts that encode() wrote what encoded_bytes() promised.
#pragma once

#include <vector>

#include "base/assert.h"
#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"
#include "codec/mqtt/fixed_header.h"

namespace millrace::mqtt {

// What a packet value doesn't say itself.
struct Kind {
    Version version;
    PacketType type;
    uint8_t flags = 0;  // decoding a PUBLISH
};

template <class T>
uint32_t length_of(Kind kind, const T& packet) {
    if constexpr (requires { encoded_bytes(packet); }) {
        return encoded_bytes(packet);
    } else if constexpr (requires { encoded_bytes(kind.version, packet); }) {
        return encoded_bytes(kind.version, packet);
    } else {
        return encoded_bytes(kind.version, kind.type, packet);
    }
}

template <class T>
std::vector<uint8_t> encode_packet(Kind kind, const T& packet) {
    const uint32_t bytes = length_of(kind, packet);
    std::vector<uint8_t> room(bytes);  // exact, so that a sanitizer sees a byte too many
    ByteWriter out(room);
    if constexpr (requires { encode(out, packet); }) {
        encode(out, packet);
    } else if constexpr (requires { encode(out, kind.version, packet); }) {
        encode(out, kind.version, packet);
    } else {
        encode(out, kind.version, kind.type, packet);
    }
    MR_ASSERT(out.written() == bytes);
    return room;
}

// Calls `visit(Decoded<T>)` for the value type T of the packet type.
template <class Visit>
void decode_packet(Kind kind, Bytes body, Visit&& visit) {
    switch (kind.type) {
    case PacketType::connect: return visit(decode_connect(body));
    case PacketType::connack: return visit(decode_connack(kind.version, body));
    case PacketType::publish: return visit(decode_publish(kind.version, kind.flags, body));
    case PacketType::puback:
    case PacketType::pubrec:
    case PacketType::pubrel:
    case PacketType::pubcomp: return visit(decode_ack(kind.version, kind.type, body));
    case PacketType::subscribe: return visit(decode_subscribe(kind.version, body));
    case PacketType::suback:
    case PacketType::unsuback: return visit(decode_subscribe_ack(kind.version, kind.type, body));
    case PacketType::unsubscribe: return visit(decode_unsubscribe(kind.version, body));
    case PacketType::pingreq:
    case PacketType::pingresp: return visit(decode_empty(body));
    case PacketType::disconnect: return visit(decode_disconnect(kind.version, body));
    case PacketType::auth: return visit(decode_auth(kind.version, body));
    }
    MR_UNREACHABLE();
}

// Success, or why the body is refused.
inline Reason verdict(Kind kind, Bytes body) {
    Reason reason = Reason::success;
    decode_packet(kind, body, [&reason](const auto& decoded) {
        if (!decoded) reason = decoded.error();
    });
    return reason;
}

}  // namespace millrace::mqtt
