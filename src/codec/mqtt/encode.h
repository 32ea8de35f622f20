// Encoding packets into the caller's memory: ask for the length, then write exactly that much.
// Owned by: nothing is kept. Thread: any.
// Holds:    encode() writes encoded_bytes() bytes; what it writes decodes to the same value.
//           A packet longer than the protocol allows (268,435,455 + 5) is a bug of the caller.
#pragma once

#include "base/bytes.h"
#include "codec/mqtt/packet.h"

namespace millrace::mqtt {

uint32_t encoded_bytes(const Connect& packet);
uint32_t encoded_bytes(Version version, const Connack& packet);
uint32_t encoded_bytes(Version version, const Publish& packet);
uint32_t encoded_bytes(Version version, PacketType type, const Ack& packet);
uint32_t encoded_bytes(Version version, const Subscribe& packet);
uint32_t encoded_bytes(Version version, PacketType type, const SubscribeAck& packet);
uint32_t encoded_bytes(Version version, const Unsubscribe& packet);
uint32_t encoded_bytes(Version version, const Disconnect& packet);
uint32_t encoded_bytes(const Auth& packet);

void encode(ByteWriter& out, const Connect& packet);
void encode(ByteWriter& out, Version version, const Connack& packet);
void encode(ByteWriter& out, Version version, const Publish& packet);
void encode(ByteWriter& out, Version version, PacketType type, const Ack& packet);
void encode(ByteWriter& out, Version version, const Subscribe& packet);
void encode(ByteWriter& out, Version version, PacketType type, const SubscribeAck& packet);
void encode(ByteWriter& out, Version version, const Unsubscribe& packet);
void encode(ByteWriter& out, Version version, const Disconnect& packet);
void encode(ByteWriter& out, const Auth& packet);

inline constexpr uint8_t pingreq[2] = {0xc0, 0x00};
inline constexpr uint8_t pingresp[2] = {0xd0, 0x00};

}  // namespace millrace::mqtt
