// A shard's port to the wire: bursts of Ethernet frames in and out.
// Owned by: whoever made it, for one shard; on that shard's thread.
// Holds:    frames that were received stay valid until release_received(). What transmit() takes,
//           it takes in order; it never drops a frame silently: what the device has no room for
//           is left to the caller.
// Not here: what is in a frame. Implementations: port/ether_link.h over DPDK, a simulated one in
//           tests/.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "runtime/block.h"
#include "wire/address.h"

namespace millrace {

struct InFrame {
    Bytes bytes;                     // in one piece
    bool checksum_good : 1 = false;  // the device has verified IP and TCP
    bool checksum_bad : 1 = false;   // and found it wrong
    bool is_copy : 1 = false;        // of a frame that another shard answers: only learn from it
};

// Headers here, payload by reference. The stack holds one reference to the block of each slice for
// the frame; transmit() takes it over.
struct OutFrame {
    static constexpr uint32_t header_bytes_max = 128;
    static constexpr uint32_t slices_max = 8;

    std::array<uint8_t, header_bytes_max> header;
    uint16_t header_bytes = 0;
    uint8_t network_at = 14;          // offset of the IP header
    uint8_t transport_at = 34;        // offset of the TCP header
    bool ipv4_checksum : 1 = false;   // the device is to fill it in
    bool tcp_checksum : 1 = false;    // the device is to: the field holds the pseudo-header's sum,
                                      // without a length where the device cuts
    uint8_t slice_count = 0;
    uint16_t segment_bytes = 0;       // not 0: the device cuts the payload into such segments
    uint32_t payload_bytes = 0;       // sum over slices
    std::array<Slice, slices_max> slices;

    uint32_t bytes() const { return header_bytes + payload_bytes; }
};

struct LinkFacts {
    MacAddress mac;
    uint32_t mtu = 1'500;             // bytes behind the Ethernet header
    bool tx_ipv4_checksum = false;
    bool tx_tcp_checksum = false;
    bool tcp_segmentation = false;    // TSO
    uint32_t slices_max = OutFrame::slices_max;
    std::string name;                 // for the start-up line
};

struct LinkCounters {
    Counter frames_in, frames_out, bytes_in, bytes_out;
    Counter payload_bytes_copied;     // by us, on the way out: single-segment devices
    Counter transmit_full;            // bursts of which the device took a part only
    Counter no_memory;                // no buffer for a frame
    Counter handed_over;              // received for another shard
    Counter handover_dropped;         // that shard's ring was full
    Counter received_in_pieces;       // in several buffers: joined, or dropped as too long
    Counter too_long;                 // over the MTU
    Counter transmit_refused;         // the device's driver found a frame that it can't send
};

class Link {
public:
    virtual ~Link() = default;
    // At most 64 frames; valid until release_received(). May be called several times before.
    virtual std::span<const InFrame> receive() = 0;
    virtual void release_received() = 0;
    // How many of them, from the first on, were taken.
    virtual uint32_t transmit(std::span<const OutFrame> frames) = 0;
    virtual const LinkFacts& facts() const = 0;
    virtual const LinkCounters& counters() const = 0;
    // The shard that frames of this flow will be received by (Toeplitz, RSS).
    virtual uint32_t shard_of(const IpAddress& local, uint16_t local_port, const IpAddress& remote,
                              uint16_t remote_port) const = 0;
};

}  // namespace millrace
