#include "port/mempool.h"

#include <fmt/format.h>
#include <rte_errno.h>

#include <algorithm>
#include <atomic>

#include "base/assert.h"

namespace millrace {
namespace {

constexpr uint32_t cache_count = 256;  // of each thread

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
                                mempool_bytes(options) >> 20, ::rte_strerror(rte_errno)));
    }
    return Mempool(pool);
}

uint64_t mempool_bytes(const MempoolOptions& options) {
    // Each object has a header of a cache line in front and may be padded to spread over memory
    // channels; its place in the ring of free ones is a pointer, and a ring's length is a power
    // of two.
    const uint64_t object_bytes = RTE_CACHE_LINE_SIZE + sizeof(rte_mbuf) +
                                  private_bytes(options) + data_room_bytes(options) +
                                  RTE_CACHE_LINE_SIZE;
    return options.buffer_count * (object_bytes + 2 * sizeof(void*));
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
