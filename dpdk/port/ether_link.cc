#include "port/ether_link.h"

#include <rte_ethdev.h>
#include <rte_lcore.h>

#include <algorithm>

#include "base/assert.h"
#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/toeplitz.h"

namespace millrace {
namespace {

constexpr uint32_t prefetch_ahead = 4;

Bytes bytes_of(const rte_mbuf& buffer) {
    return {rte_pktmbuf_mtod(&buffer, const uint8_t*), buffer.data_len};
}

// The IPv4 header's checksum, for devices that verify TCP's alone. Other frames have none.
bool has_good_ip_header(Bytes frame) {
    if (frame.size() < 34) return false;
    const uint32_t type = uint32_t{frame[12]} << 8 | frame[13];
    if (type == ethertype_ipv6) return true;
    if (type != ethertype_ipv4) return false;
    const size_t header_bytes = size_t{frame[14] & 0x0fu} * 4;
    if (header_bytes < 20 || frame.size() < 14 + header_bytes) return false;
    return sum_of(frame.subspan(14, header_bytes)).folded() == 0xffff;
}

void read_checksum_flags(const rte_mbuf& buffer, InFrame& frame) {
    const uint64_t ip = buffer.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
    const uint64_t tcp = buffer.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD || tcp == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
        frame.checksum_bad = true;
        return;
    }
    // "None" is a virtual peer's word that the data is whole though the field isn't filled in.
    const bool is_tcp_good =
        tcp == RTE_MBUF_F_RX_L4_CKSUM_GOOD || tcp == RTE_MBUF_F_RX_L4_CKSUM_NONE;
    if (!is_tcp_good) return;
    frame.checksum_good =
        ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD || has_good_ip_header(frame.bytes);
}

}  // namespace

EtherLink::EtherLink(EtherLinkOptions options, BlockPool& blocks)
    : options_(std::move(options)), builder_(options_.build, blocks, counters_),
      frames_(std::make_unique<InFrame[]>(held_frames_max)),
      held_(std::make_unique<rte_mbuf*[]>(held_frames_max)) {}

EtherLink::~EtherLink() {
    release_received();
    ::rte_pktmbuf_free_bulk(pending_.data() + pending_first_, pending_count_);
}

void EtherLink::use_on_this_thread() {
    if (::rte_lcore_id() == LCORE_ID_ANY && !thread_) [[unlikely]] thread_.emplace();
}

std::span<const InFrame> EtherLink::receive() {
    use_on_this_thread();
    send_pending();
    if (options_.spread != nullptr && options_.has_queue) send_for_others();
    const uint32_t before = held_count_;
    if (held_frames_max - before < burst_frames) return {};
    if (options_.has_queue) receive_burst();
    if (options_.spread != nullptr) receive_handed(burst_frames - (held_count_ - before));
    return {frames_.get() + before, held_count_ - before};
}

void EtherLink::receive_burst() {
    std::array<rte_mbuf*, burst_frames> burst;
    const uint32_t count = ::rte_eth_rx_burst(
        options_.port, static_cast<uint16_t>(options_.shard), burst.data(), burst_frames);
    for (uint32_t index = 0; index < std::min(count, prefetch_ahead); ++index) {
        ::rte_prefetch0(rte_pktmbuf_mtod(burst[index], void*));
    }
    for (uint32_t index = 0; index < count; ++index) {
        if (index + prefetch_ahead < count) {
            ::rte_prefetch0(rte_pktmbuf_mtod(burst[index + prefetch_ahead], void*));
        }
        rte_mbuf* frame = burst[index];
        if (frame->nb_segs != 1) {
            // A buffer has room for a whole frame, so what doesn't fit is over the MTU.
            counters_.received_in_pieces.add();
            if (::rte_pktmbuf_linearize(frame) != 0) {
                ::rte_pktmbuf_free(frame);
                counters_.too_long.add();
                continue;
            }
        }
        if (options_.capture != nullptr) [[unlikely]] {
            const Bytes bytes = bytes_of(*frame);
            options_.capture->record({&bytes, 1});
        }
        if (options_.spread == nullptr) {
            accept(frame, false);
        } else {
            spread(frame);
        }
    }
}

void EtherLink::receive_handed(uint32_t room) {
    std::array<SpreadMesh::Handed, burst_frames> handed;
    const uint32_t count =
        options_.spread->take_handed(options_.shard, std::span(handed).first(room));
    for (uint32_t index = 0; index < count; ++index) {
        accept(handed[index].frame, handed[index].is_copy);
    }
}

void EtherLink::spread(rte_mbuf* frame) {
    const bool by_device = !options_.redirection.empty();
    const SpreadVerdict verdict = spread_verdict(bytes_of(*frame), !by_device);
    if (verdict.to == SpreadTo::everyone) return spread_to_everyone(frame);
    const uint32_t to = verdict.to == SpreadTo::nowhere || by_device
                            ? options_.shard
                            : verdict.flow_hash % options_.spread->shard_count();
    if (to == options_.shard) return accept(frame, false);
    hand_over(to, frame, false);
}

void EtherLink::spread_to_everyone(rte_mbuf* frame) {
    for (uint32_t to = 1; to < options_.spread->shard_count(); ++to) {
        rte_mbuf* copy = ::rte_pktmbuf_copy(frame, options_.copies, 0, UINT32_MAX);
        if (copy == nullptr) {
            counters_.no_memory.add();
        } else if (to == options_.shard) {
            accept(copy, true);
        } else {
            hand_over(to, copy, true);
        }
    }
    if (options_.shard == 0) return accept(frame, false);
    hand_over(0, frame, false);
}

void EtherLink::hand_over(uint32_t to, rte_mbuf* frame, bool is_copy) {
    if (options_.spread->try_hand_over(options_.shard, to, frame, is_copy)) {
        counters_.handed_over.add();
        return;
    }
    counters_.handover_dropped.add();
    ::rte_pktmbuf_free(frame);
}

void EtherLink::accept(rte_mbuf* buffer, bool is_copy) {
    InFrame& frame = frames_[held_count_];
    frame = InFrame{.bytes = bytes_of(*buffer)};
    frame.is_copy = is_copy;
    read_checksum_flags(*buffer, frame);
    held_[held_count_++] = buffer;
    counters_.frames_in.add();
    counters_.bytes_in.add(frame.bytes.size());
}

void EtherLink::release_received() {
    ::rte_pktmbuf_free_bulk(held_.get(), held_count_);
    held_count_ = 0;
}

uint32_t EtherLink::transmit(std::span<const OutFrame> frames) {
    use_on_this_thread();
    if (!send_pending()) {
        counters_.transmit_full.add();
        return 0;
    }
    uint32_t taken = 0;
    while (taken < frames.size()) {
        std::array<rte_mbuf*, burst_frames> built;
        const auto part = frames.subspan(taken, std::min<size_t>(burst_frames,
                                                                 frames.size() - taken));
        const uint32_t count = builder_.build(part, built);
        if (options_.capture != nullptr) [[unlikely]] record_sent(built.data(), count);
        for (const OutFrame& frame : part.first(count)) counters_.bytes_out.add(frame.bytes());
        counters_.frames_out.add(count);
        taken += count;
        if (!send_or_keep(built.data(), count)) {
            counters_.transmit_full.add();
            break;
        }
        if (count < part.size()) break;
    }
    return taken;
}

void EtherLink::record_sent(rte_mbuf* const* frames, uint32_t count) {
    for (uint32_t index = 0; index < count; ++index) {
        std::array<Bytes, 1 + OutFrame::slices_max> parts;
        uint32_t part_count = 0;
        for (const rte_mbuf* buffer = frames[index]; buffer != nullptr; buffer = buffer->next) {
            parts[part_count++] = bytes_of(*buffer);
        }
        options_.capture->record(std::span(parts).first(part_count));
    }
}

void EtherLink::send_for_others() {
    for (uint32_t from = 0; from < options_.spread->shard_count(); ++from) {
        const bool is_mine = from != options_.shard && options_.spread->sends_through(from) &&
                             options_.spread->queue_owner(from) == options_.shard;
        if (!is_mine) continue;
        std::array<rte_mbuf*, burst_frames> frames;
        while (pending_count_ == 0) {
            const uint32_t count = options_.spread->take_to_send(from, frames);
            if (count == 0) break;
            send_or_keep(frames.data(), count);
        }
    }
}

bool EtherLink::send_pending() {
    if (pending_count_ == 0) return true;
    const uint32_t sent = hand_to_device(pending_.data() + pending_first_, pending_count_);
    pending_first_ += sent;
    pending_count_ -= sent;
    return pending_count_ == 0;
}

// Only while nothing waits: what is kept then is all that does.
bool EtherLink::send_or_keep(rte_mbuf** frames, uint32_t count) {
    MR_ASSERT(pending_count_ == 0);
    const uint32_t sent = hand_to_device(frames, count);
    pending_first_ = 0;
    pending_count_ = count - sent;
    std::copy_n(frames + sent, pending_count_, pending_.begin());
    return pending_count_ == 0;
}

// How many of them, from the first on, aren't ours any more.
uint32_t EtherLink::hand_to_device(rte_mbuf** frames, uint32_t count) {
    if (!options_.has_queue) {
        return options_.spread->try_send_through(options_.shard, {frames, count});
    }
    const auto queue = static_cast<uint16_t>(options_.shard);
    uint32_t done = 0;
    while (done < count) {
        auto fit = static_cast<uint16_t>(count - done);
        if (options_.prepares) {
            fit = ::rte_eth_tx_prepare(options_.port, queue, frames + done, fit);
        }
        const uint32_t sent = fit == 0 ? 0
                                       : ::rte_eth_tx_burst(options_.port, queue, frames + done,
                                                            fit);
        done += sent;
        if (sent < fit || done == count) break;
        // The driver found a frame that its device can't send: the others needn't wait for it.
        refuse(frames[done++]);
    }
    return done;
}

void EtherLink::refuse(rte_mbuf* frame) {
    counters_.transmit_refused.add();
    ::rte_pktmbuf_free(frame);
}

uint32_t EtherLink::shard_of(const IpAddress& local, uint16_t local_port, const IpAddress& remote,
                             uint16_t remote_port) const {
    if (options_.spread == nullptr) return 0;
    const uint32_t hash = symmetric_flow_hash(local, remote, local_port, remote_port);
    if (options_.redirection.empty()) return hash % options_.spread->shard_count();
    return options_.redirection[hash % options_.redirection.size()];
}

}  // namespace millrace
