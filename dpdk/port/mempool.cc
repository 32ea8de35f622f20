#include "port/mempool.h"

#include <fmt/format.h>
#include <rte_errno.h>

#include <algorithm>
#include <atomic>

#include "base/assert.h"
#include "port/memory_needed.h"

namespace millrace {
namespace {

constexpr uint32_t cache_count = 256;  // of each thread

static_assert(dpdk_cache_line_bytes == RTE_CACHE_LINE_SIZE);
static_assert(dpdk_buffer_bytes == sizeof(rte_mbuf));
static_assert(dpdk_headroom_bytes == RTE_PKTMBUF_HEADROOM);
static_assert(dpdk_reference_bytes == block_reference_bytes);

uint32_t data_room_bytes(const MempoolOptions& options) {
    return options.room_bytes == 0 ? 0 : options.room_bytes + RTE_PKTMBUF_HEADROOM;
}

uint16_t private_bytes(const MempoolOptions& options) {
    return options.room_bytes == 0 ? block_reference_bytes : 0;
}

void release_block(void*, void* reference) {
    auto& held = *static_cast<BlockReference*>(reference);
    held.pool->release(*held.block);
}

}  // namespace

Outcome<Mempool> make_mempool(const MempoolOptions& options) {
    static std::atomic<uint32_t> made{0};  // names have to differ within the process
    const std::string name = fmt::format("millrace-{}", made.fetch_add(1));
    const uint32_t cache = std::min(cache_count, options.buffer_count / 4);
    rte_mempool* pool = ::rte_pktmbuf_pool_create(
        name.c_str(), options.buffer_count, cache, private_bytes(options),
        static_cast<uint16_t>(data_room_bytes(options)), options.socket);
    if (pool == nullptr) {
        return fail(Errc::exhausted,
                    fmt::format("no memory for {} {} ({} MiB): {}; raise dpdk.memory_bytes, or "
                                "lower dpdk.buffers or the descriptors",
                                options.buffer_count, options.purpose,
                                mempool_bytes(options.buffer_count, options.room_bytes) >> 20,
                                ::rte_strerror(rte_errno)));
    }
    return Mempool(pool);
}

void refer_to(rte_mbuf& buffer, const Slice& slice, BlockPool& pool) {
    MR_ASSERT(slice.length <= UINT16_MAX);
    auto& reference = *static_cast<BlockReference*>(::rte_mbuf_to_priv(&buffer));
    reference.block = slice.block;
    reference.pool = &pool;
    reference.shared.free_cb = release_block;
    reference.shared.fcb_opaque = &reference;
    ::rte_mbuf_ext_refcnt_set(&reference.shared, 1);
    void* bytes = slice.block->bytes() + slice.offset;
    const auto length = static_cast<uint16_t>(slice.length);
    // The address of a device is the virtual one (--iova-mode=va).
    ::rte_pktmbuf_attach_extbuf(&buffer, bytes, reinterpret_cast<rte_iova_t>(bytes), length,
                                &reference.shared);
    buffer.data_len = length;
    buffer.pkt_len = length;
}

}  // namespace millrace
