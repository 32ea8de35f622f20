// What a port takes of DPDK's memory, known before there is a device, or DPDK at all.
// Owned by: nobody; pure functions. Thread: any.
// Holds:    the sizes of DPDK's own structs are its real ones (mempool.cc checks them).
// Not here: making the pools (port.cc).
#pragma once

#include <algorithm>
#include <cstdint>

#include "port/port.h"

namespace millrace {

// Of librte_mbuf and librte_mempool, which only this folder's sources may include.
inline constexpr uint32_t dpdk_cache_line_bytes = 64;
inline constexpr uint32_t dpdk_buffer_bytes = 128;    // sizeof(rte_mbuf)
inline constexpr uint32_t dpdk_headroom_bytes = 128;  // in front of a buffer's room
inline constexpr uint32_t dpdk_reference_bytes = 40;  // of a buffer without room: BlockReference

// What waits between shards, in the caches of threads, and in a link's hands.
inline constexpr uint32_t spare_buffers = 2 * 1'024 + 1'024;

// About what a pool takes. `room_bytes`: behind the headroom; 0: its buffers only refer to memory.
constexpr uint64_t mempool_bytes(uint64_t buffer_count, uint32_t room_bytes) {
    // Each object has a header of a cache line in front and may be padded to spread over memory
    // channels; its place in the ring of free ones is a pointer, and a ring's length is a power
    // of two.
    const uint64_t of_buffer =
        room_bytes == 0 ? dpdk_reference_bytes : room_bytes + dpdk_headroom_bytes;
    return buffer_count * (2 * dpdk_cache_line_bytes + dpdk_buffer_bytes + of_buffer +
                           2 * sizeof(void*));
}

// What the port asks DPDK to take: that of the options, or with a queue a shard, and as if every
// shard had to copy whole frames.
inline uint64_t memory_needed(const PortOptions& options) {
    if (options.memory_bytes != 0) return options.memory_bytes;
    const uint32_t queues = options.queue_count == 0 ? options.shard_count : options.queue_count;
    const uint32_t room = std::max<uint32_t>(options.mtu + 1'024, 2'048) / 1'024 * 1'024 + 1'024;
    const uint32_t receive =
        options.buffer_count != 0 ? options.buffer_count : 4 * options.receive_descriptors;
    const uint32_t transmit = options.transmit_descriptors + spare_buffers;
    const uint64_t each_queue = mempool_bytes(receive, std::max(room, 2 * options.mtu));
    const uint64_t each_shard = mempool_bytes(transmit, room) + mempool_bytes(transmit, 0);
    constexpr uint64_t of_dpdk_itself = 64 << 20;
    const uint64_t sum = queues * each_queue + options.shard_count * each_shard + of_dpdk_itself;
    return sum + sum / 8;  // what is lost between chunks
}

}  // namespace millrace
