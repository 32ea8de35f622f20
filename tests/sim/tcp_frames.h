// What stands between a stack and the wire in the simulation: the device's offloads, a router's
// complaint about a long datagram, damage to a frame, and frames as text.
// Owned by: values. Thread: one.
// Not here: when and whether a frame arrives (tcp_network.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"
#include "stack/link.h"

namespace millrace::sim {

using FrameBytes = std::vector<uint8_t>;

// What a device makes of a frame: its payload in one piece, cut into segments where it's asked to,
// with the checksums that were left to it.
std::vector<FrameBytes> frames_of_device(const OutFrame& frame);

// Of the IP packet; 0 when it isn't IP.
uint32_t ip_packet_bytes(Bytes frame);
bool is_tcp(Bytes frame);
uint32_t tcp_payload_bytes(Bytes frame);

// "Packet too big" or "fragmentation needed" about `frame`, to whom sent it.
FrameBytes packet_too_big(Bytes frame, uint32_t mtu);

// Damage behind the Ethernet header that every checksum finds: one bit, a burst of less than 16,
// or a tail that is missing.
void damage(FrameBytes& frame, Prng& random);

// Changes that no checksum finds, to see that the checkers do.
void alter_payload(FrameBytes& frame, Prng& random);
void add_fin(FrameBytes& frame);

// A TCP segment that somebody who doesn't see the connection sends in the name of `frame`'s
// sender: the addresses and ports of `frame`, the rest at random.
FrameBytes forge(Bytes frame, Prng& random);

std::string frame_as_text(Bytes frame);

}  // namespace millrace::sim
