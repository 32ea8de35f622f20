// Pools of DPDK's packet buffers, and what each of our uses of them needs.
// Owned by: the port. A pool goes after everything that holds a buffer of it.
// Thread:   made by the thread that opens the port; used by any.
// Not here: what is written into a buffer.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/block.h"

namespace millrace {

struct MempoolDeleter {
    void operator()(rte_mempool* pool) const { ::rte_mempool_free(pool); }
};
using Mempool = std::unique_ptr<rte_mempool, MempoolDeleter>;

struct MempoolOptions {
    std::string purpose;           // part of its name, and of an error
    uint32_t buffer_count = 0;
    uint32_t room_bytes = 0;       // behind the headroom; 0: buffers that only refer to memory
    int socket = SOCKET_ID_ANY;
};

Outcome<Mempool> make_mempool(const MempoolOptions& options);

// In a payload buffer's private area: whose bytes it refers to. One a buffer, so that nothing is
// allocated for a reference.
struct BlockReference {
    rte_mbuf_ext_shared_info shared;
    Block* block;
    BlockPool* pool;
};
inline constexpr uint16_t block_reference_bytes = RTE_ALIGN(sizeof(BlockReference), 8);

// Has an empty buffer of a pool without room refer to the slice. The buffer takes over the
// reference to its block, and gives it back on the thread that frees it, which is the shard's: a
// queue's buffers are freed by whoever sends on it.
void refer_to(rte_mbuf& buffer, const Slice& slice, BlockPool& pool);

}  // namespace millrace
