// A network port of DPDK, its queues and its memory, for all shards of a process.
// Owned by: the server's assembly. open() once a process (the EAL can't start twice).
// Holds:    every shard gets a Link of its own. Closing the port gives every buffer back that the
//           device held, so it happens before any shard's arena goes.
// Not here: what is in a frame.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stack/link.h"

namespace millrace {

struct PortOptions {
    std::string device;                       // PCI address, or a vdev: "net_af_packet0,iface=v0"
    std::vector<std::string> eal_arguments;   // added to those that we choose
    std::optional<MacAddress> mac;            // none: the device's own
    uint32_t mtu = 1'500;                     // 576 to 9000
    uint32_t shard_count = 1;
    uint32_t queue_count = 0;                 // 0: one a shard, as many as the device has
    uint32_t receive_descriptors = 2'048;
    uint32_t transmit_descriptors = 2'048;
    uint32_t buffer_count = 0;                // receive buffers of each queue; 0: four rings
    uint64_t memory_bytes = 0;                // for DPDK; 0: computed
    bool huge_pages = true;                   // false: --no-huge
    std::string capture_path;                 // pcap file of what goes in and out; empty: none
    uint64_t capture_bytes_max = 64 * 1024 * 1024;
    uint32_t copy_bytes_max = 128;            // payloads up to that go into the header's buffer
};

// Packet buffers of one use, over all queues or shards.
struct PortBuffers {
    std::string_view name;       // "dpdk receive buffers"
    uint64_t in_use = 0;         // out of their pools, or in the cache of a thread
    uint64_t in_use_bytes = 0;
    uint64_t pool_bytes = 0;
};

class Port {
public:
    static Outcome<std::unique_ptr<Port>> open(const PortOptions& options);
    virtual ~Port() = default;
    // Once for each shard. The link goes before the port does, on its shard's thread or after that.
    virtual Outcome<std::unique_ptr<Link>> make_link(uint32_t shard, BlockPool& blocks) = 0;
    // The device, what it takes off us; for the start-up line.
    virtual std::string describe() const = 0;
    // Any thread, of about this moment.
    virtual std::vector<PortBuffers> buffers() const = 0;
};

}  // namespace millrace
