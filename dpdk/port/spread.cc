#include "port/spread.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "wire/fields.h"
#include "wire/headers.h"
#include "wire/toeplitz.h"

namespace millrace {
namespace {

constexpr uint32_t ring_frames = 1'024;
constexpr uintptr_t copy_mark = 1;  // buffers are aligned to cache lines: the bit is free

SpreadVerdict verdict_of_flow(const IpAddress& source, const IpAddress& destination, Bytes ports,
                              bool hash_wanted) {
    if (ports.size() < 4) return {};
    SpreadVerdict verdict{SpreadTo::flow};
    if (hash_wanted) {
        verdict.flow_hash =
            symmetric_flow_hash(source, destination, wire::load_u16(ports.data()),
                                wire::load_u16(ports.data() + 2));
    }
    return verdict;
}

SpreadVerdict verdict_of_ipv4(Bytes packet, bool hash_wanted) {
    if (packet.size() < 20) return {};
    const size_t header_bytes = size_t{packet[0] & 0x0fu} * 4;
    if (packet[9] == protocol_icmp) return {SpreadTo::everyone};
    // Only a whole datagram has its ports in a place that we know; the stack drops the others.
    const bool is_fragment = (wire::load_u16(packet.data() + 6) & 0x3fff) != 0;
    if (packet[9] != protocol_tcp || is_fragment || header_bytes < 20 ||
        packet.size() < header_bytes) {
        return {};
    }
    return verdict_of_flow(wire::load_ipv4(packet.data() + 12), wire::load_ipv4(packet.data() + 16),
                           packet.subspan(header_bytes), hash_wanted);
}

SpreadVerdict verdict_of_ipv6(Bytes packet, bool hash_wanted) {
    if (packet.size() < 40) return {};
    if (packet[6] == protocol_icmpv6) return {SpreadTo::everyone};
    if (packet[6] != protocol_tcp) return {};
    return verdict_of_flow(wire::load_ipv6(packet.data() + 8), wire::load_ipv6(packet.data() + 24),
                           packet.subspan(40), hash_wanted);
}

}  // namespace

SpreadVerdict spread_verdict(Bytes frame, bool hash_wanted) {
    if (frame.size() < 14) return {};
    size_t type_at = 12;
    if (wire::load_u16(frame.data() + type_at) == ethertype_vlan) {
        if (frame.size() < 18) return {};
        type_at = 16;
    }
    const Bytes packet = frame.subspan(type_at + 2);
    switch (wire::load_u16(frame.data() + type_at)) {
        case ethertype_ipv4:
            return verdict_of_ipv4(packet, hash_wanted);
        case ethertype_ipv6:
            return verdict_of_ipv6(packet, hash_wanted);
        case ethertype_arp:
            return {SpreadTo::everyone};
        default:
            return {};
    }
}

Outcome<std::unique_ptr<SpreadMesh>> SpreadMesh::create(uint32_t shard_count,
                                                        uint32_t queue_count) {
    std::unique_ptr<SpreadMesh> mesh(new SpreadMesh(shard_count, queue_count));
    mesh->next_from_.resize(shard_count);
    bool complete = true;
    for (uint32_t from = 0; from < shard_count; ++from) {
        for (uint32_t to = 0; to < shard_count; ++to) {
            mesh->handed_.push_back(from == to ? nullptr : make_ring());
            complete = complete && (from == to || mesh->handed_.back() != nullptr);
        }
        mesh->to_send_.push_back(from < queue_count ? nullptr : make_ring());
        complete = complete && (from < queue_count || mesh->to_send_.back() != nullptr);
    }
    if (!complete) return fail(Errc::exhausted, "no memory for the rings between shards");
    return mesh;
}

SpreadMesh::Ring SpreadMesh::make_ring() {
    const ssize_t bytes = ::rte_ring_get_memsize(ring_frames);
    MR_ASSERT(bytes > 0);
    auto* ring = static_cast<rte_ring*>(std::aligned_alloc(
        RTE_CACHE_LINE_SIZE, RTE_ALIGN(static_cast<size_t>(bytes), RTE_CACHE_LINE_SIZE)));
    if (ring == nullptr) return nullptr;
    std::memset(static_cast<void*>(ring), 0, static_cast<size_t>(bytes));
    const int status = ::rte_ring_init(ring, "millrace", ring_frames,
                                       RING_F_SP_ENQ | RING_F_SC_DEQ);
    MR_ASSERT(status == 0);
    return Ring(ring);
}

SpreadMesh::~SpreadMesh() {
    rte_mbuf* frame = nullptr;
    for (uint32_t to = 0; to < shard_count_; ++to) {
        Handed handed{};
        while (take_handed(to, {&handed, 1}) != 0) ::rte_pktmbuf_free(handed.frame);
    }
    for (uint32_t from = queue_count_; from < shard_count_; ++from) {
        while (take_to_send(from, {&frame, 1}) != 0) ::rte_pktmbuf_free(frame);
    }
}

bool SpreadMesh::try_hand_over(uint32_t from, uint32_t to, rte_mbuf* frame, bool is_copy) {
    const uintptr_t marked = reinterpret_cast<uintptr_t>(frame) | (is_copy ? copy_mark : 0);
    return ::rte_ring_sp_enqueue(&handed(from, to), reinterpret_cast<void*>(marked)) == 0;
}

uint32_t SpreadMesh::take_handed(uint32_t to, std::span<Handed> out) {
    std::array<void*, 64> taken;
    uint32_t count = 0;
    for (uint32_t step = 0; step < shard_count_ && count < out.size(); ++step) {
        const uint32_t from = next_from_[to];
        next_from_[to] = from + 1 == shard_count_ ? 0 : from + 1;
        if (from == to) continue;
        const auto room = static_cast<uint32_t>(
            std::min<size_t>(taken.size(), out.size() - count));
        const uint32_t got = ::rte_ring_sc_dequeue_burst(&handed(from, to), taken.data(), room,
                                                         nullptr);
        for (uint32_t index = 0; index < got; ++index) {
            const auto marked = reinterpret_cast<uintptr_t>(taken[index]);
            out[count++] = {reinterpret_cast<rte_mbuf*>(marked & ~copy_mark),
                            (marked & copy_mark) != 0};
        }
    }
    return count;
}

uint32_t SpreadMesh::try_send_through(uint32_t from, std::span<rte_mbuf* const> frames) {
    return ::rte_ring_sp_enqueue_burst(to_send_[from].get(),
                                       reinterpret_cast<void* const*>(frames.data()),
                                       static_cast<uint32_t>(frames.size()), nullptr);
}

uint32_t SpreadMesh::take_to_send(uint32_t from, std::span<rte_mbuf*> out) {
    return ::rte_ring_sc_dequeue_burst(to_send_[from].get(), reinterpret_cast<void**>(out.data()),
                                       static_cast<uint32_t>(out.size()), nullptr);
}

}  // namespace millrace
