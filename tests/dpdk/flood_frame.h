// Frames as an attacker makes them: Ethernet, IPv4 and TCP or ICMP, with right checksums.
// Owned by: flood; values and free functions. Thread: any.
// Holds:    nothing is shared with dpdk/wire, so that a fault there isn't repeated here.
// Not here: what to put into the fields (flood_attacks.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace millrace::test {

using Mac = std::array<uint8_t, 6>;

namespace flag {
constexpr uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16;
}

constexpr size_t ethernet_bytes = 14;
constexpr size_t ipv4_bytes = 20;
constexpr size_t frame_bytes_max = 1514;

struct Side {
    Mac mac{};
    uint32_t address = 0;  // in the host's order
    uint16_t port = 0;
};

struct TcpFields {
    Side from, to;
    uint32_t seq = 0;
    uint32_t ack = 0;
    uint8_t flags = 0;
    uint16_t window = 0;
    Bytes options;  // a multiple of four bytes
    Bytes payload;
};

// Each returns the frame's length; there has to be room for it.
size_t write_tcp_frame(std::span<uint8_t> room, const TcpFields& fields);
// "Fragmentation needed" from a router, about a segment that `quoted` is said to have sent
// (RFC 792 and RFC 1191, section 4).
size_t write_too_big_frame(std::span<uint8_t> room, const Side& router, const TcpFields& quoted,
                           uint16_t mtu);
// Makes the checksums of an IPv4 frame fit again, as far as its lengths let them be found.
void repair_checksums(std::span<uint8_t> frame);

}  // namespace millrace::test
