// Turns the stack's frames into DPDK's buffers: the header in one, the payload behind it in the
// same when it's short, or in buffers that refer to the blocks where it lies.
// Owned by: a link; on its shard's thread.
// Holds:    what build() gives owns everything it needs: the block references of the frames it was
//           made from, or copies in their place.
// Not here: sending.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "port/mempool.h"
#include "stack/link.h"

namespace millrace {

class FrameBuilder {
public:
    struct Options {
        rte_mempool* headers = nullptr;   // with room for a whole frame when `payloads` is null
        rte_mempool* payloads = nullptr;  // null: payloads are copied behind the header
        uint32_t copy_bytes_max = 128;    // leading slices up to that are copied all the same
    };

    FrameBuilder(const Options& options, BlockPool& blocks, LinkCounters& counters)
        : options_(options), blocks_(blocks), counters_(counters) {}
    ~FrameBuilder();
    FrameBuilder(const FrameBuilder&) = delete;
    FrameBuilder& operator=(const FrameBuilder&) = delete;

    // At most as many as `out` has room for; fewer when buffers have run out. Those that weren't
    // built are still the caller's, with their references.
    uint32_t build(std::span<const OutFrame> frames, std::span<rte_mbuf*> out);

private:
    static constexpr uint32_t stash_count_max = 32;

    uint32_t take_headers(std::span<rte_mbuf*> out);
    bool refill_stash(uint32_t wanted);
    bool build_one(const OutFrame& frame, rte_mbuf& header);
    void append_copy(rte_mbuf& header, const Slice& slice);

    const Options options_;
    BlockPool& blocks_;
    LinkCounters& counters_;
    std::array<rte_mbuf*, stash_count_max> stash_;  // empty payload buffers
    uint32_t stash_count_ = 0;
};

}  // namespace millrace
