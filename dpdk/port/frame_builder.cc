#include "port/frame_builder.h"

#include <rte_ip.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace millrace {
namespace {

// Behind `transport_at`: where TCP's header has its length in words, and its checksum.
constexpr uint32_t tcp_data_offset_at = 12;
constexpr uint32_t tcp_checksum_at = 16;

// A device that cuts a payload up sums the pseudo-header of each segment itself, so it wants the
// field to hold the sum without a length.
void prepare_segmentation(uint8_t* network, uint8_t* transport, bool is_ipv4, uint64_t flags) {
    const uint16_t sum =
        is_ipv4 ? ::rte_ipv4_phdr_cksum(reinterpret_cast<const rte_ipv4_hdr*>(network), flags)
                : ::rte_ipv6_phdr_cksum(reinterpret_cast<const rte_ipv6_hdr*>(network), flags);
    std::memcpy(transport + tcp_checksum_at, &sum, sizeof(sum));
}

void set_offloads(const OutFrame& frame, rte_mbuf& header) {
    if (!frame.ipv4_checksum && !frame.tcp_checksum && frame.segment_bytes == 0) return;
    auto* bytes = rte_pktmbuf_mtod(&header, uint8_t*);
    const bool is_ipv4 = bytes[frame.network_at] >> 4 == 4;
    header.l2_len = frame.network_at;
    header.l3_len = static_cast<uint16_t>(frame.transport_at - frame.network_at);
    header.l4_len =
        static_cast<uint8_t>((bytes[frame.transport_at + tcp_data_offset_at] >> 4) * 4);
    uint64_t flags = is_ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    if (frame.ipv4_checksum) flags |= RTE_MBUF_F_TX_IP_CKSUM;
    if (frame.tcp_checksum) flags |= RTE_MBUF_F_TX_TCP_CKSUM;
    if (frame.segment_bytes != 0) {
        flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM;
        header.tso_segsz = frame.segment_bytes;
        prepare_segmentation(bytes + frame.network_at, bytes + frame.transport_at, is_ipv4, flags);
    }
    header.ol_flags |= flags;
}

}  // namespace

FrameBuilder::~FrameBuilder() { ::rte_pktmbuf_free_bulk(stash_.data(), stash_count_); }

uint32_t FrameBuilder::build(std::span<const OutFrame> frames, std::span<rte_mbuf*> out) {
    const size_t wanted = std::min(frames.size(), out.size());
    const uint32_t got = take_headers(out.first(wanted));
    uint32_t built = 0;
    while (built < got && build_one(frames[built], *out[built])) ++built;
    if (built < wanted) counters_.no_memory.add();
    if (built < got) ::rte_pktmbuf_free_bulk(out.data() + built, got - built);
    return built;
}

uint32_t FrameBuilder::take_headers(std::span<rte_mbuf*> out) {
    const auto wanted = static_cast<uint32_t>(out.size());
    if (::rte_pktmbuf_alloc_bulk(options_.headers, out.data(), wanted) == 0) return wanted;
    // All or nothing was nothing: what is left, one by one.
    uint32_t got = 0;
    while (got < wanted && (out[got] = ::rte_pktmbuf_alloc(options_.headers)) != nullptr) ++got;
    return got;
}

bool FrameBuilder::refill_stash(uint32_t wanted) {
    if (stash_count_ >= wanted) return true;
    const uint32_t room = stash_count_max - stash_count_;
    if (::rte_pktmbuf_alloc_bulk(options_.payloads, stash_.data() + stash_count_, room) == 0) {
        stash_count_ = stash_count_max;
        return true;
    }
    while (stash_count_ < wanted) {
        rte_mbuf* buffer = ::rte_pktmbuf_alloc(options_.payloads);
        if (buffer == nullptr) return false;
        stash_[stash_count_++] = buffer;
    }
    return true;
}

// Changes nothing but counts when it answers false.
bool FrameBuilder::build_one(const OutFrame& frame, rte_mbuf& header) {
    uint32_t copied_slices = 0;
    uint32_t copied_bytes = 0;
    while (copied_slices < frame.slice_count) {
        const uint32_t length = frame.slices[copied_slices].length;
        const bool is_short = copied_bytes + length <= options_.copy_bytes_max;
        if (options_.payloads != nullptr && !is_short) break;
        copied_bytes += length;
        ++copied_slices;
    }
    if (!refill_stash(frame.slice_count - copied_slices)) return false;

    char* room = ::rte_pktmbuf_append(&header, frame.header_bytes);
    MR_ASSERT(room != nullptr);
    std::memcpy(room, frame.header.data(), frame.header_bytes);
    for (uint32_t index = 0; index < copied_slices; ++index) {
        append_copy(header, frame.slices[index]);
    }
    counters_.payload_bytes_copied.add(copied_bytes);

    rte_mbuf* last = &header;
    for (uint32_t index = copied_slices; index < frame.slice_count; ++index) {
        rte_mbuf* payload = stash_[--stash_count_];
        refer_to(*payload, frame.slices[index], blocks_);
        last->next = payload;
        last = payload;
        header.pkt_len += payload->data_len;
        ++header.nb_segs;
    }
    set_offloads(frame, header);
    return true;
}

void FrameBuilder::append_copy(rte_mbuf& header, const Slice& slice) {
    char* room = ::rte_pktmbuf_append(&header, static_cast<uint16_t>(slice.length));
    MR_ASSERT(room != nullptr);  // a frame is no longer than the MTU that the link tells
    std::memcpy(room, slice.data(), slice.length);
    blocks_.release(*slice.block);
}

}  // namespace millrace
