// Bytes that were received but can't be delivered yet: they came out of order, or the layer above
// has paused. Copied into borrowed memory; a connection to which neither happens has none.
// Owned by: a connection, on its shard. Memory comes from the shard's heap.
// Holds:    chunks are sorted by sequence number and disjoint; the bytes of the first arrival win
//           where two overlap. Chunks before RCV.NXT are in order and wait for delivery ("ready").
//           The memory taken is at most about four times the bytes held and 20 KiB: a chunk has
//           room for what follows it, up to twice the chunk before, and there are at most
//           chunks_spare chunks and one more for every bytes_per_chunk held. That also bounds how
//           long a walk over them can be made by a peer that leaves a gap after every byte.
// Not here: the window that bounds it (arrive.cc).
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "runtime/slab.h"
#include "tcp/seq.h"

namespace millrace {

struct ReassemblyChunk {
    ReassemblyChunk* next;
    SeqNumber seq;
    uint32_t length;
    uint32_t capacity;            // of bytes(); what was allocated is this and the header
    uint32_t arrival;             // counts up: the most recent goes first in SACK (RFC 2018, 4)

    uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
    SeqNumber end() const { return seq + length; }
};

class Reassembly {
public:
    static constexpr uint32_t chunks_spare = 64;
    static constexpr uint32_t bytes_per_chunk = 256;

    // Keeps what of `bytes` isn't there yet. False, and nothing changed, without memory or when
    // there would be too many chunks; but bytes before all others, which may be what the peer
    // waits to have acknowledged, get the place of the last chunk then (RFC 2018, section 8).
    // `seq` isn't before RCV.NXT.
    bool insert(Heap& heap, SeqNumber seq, Bytes bytes);
    // What of `bytes`, which begin at `seq`, comes before every chunk: the part of a segment in
    // order that may be delivered from where it lies. insert() takes the rest.
    Bytes before_all(SeqNumber seq, Bytes bytes) const;
    // The end of what is contiguous from `rcv_nxt` on; `rcv_nxt` itself when its byte is missing.
    SeqNumber contiguous_from(SeqNumber rcv_nxt) const;
    bool has_ready(SeqNumber rcv_nxt) const { return first_ != nullptr && first_->seq < rcv_nxt; }
    // Takes out the first chunk, which must be ready; the caller frees it by free_chunk() when its
    // bytes were delivered. Null when none is ready.
    ReassemblyChunk* take_ready(SeqNumber rcv_nxt);
    static void free_chunk(Heap& heap, ReassemblyChunk* chunk);
    bool empty() const { return first_ == nullptr; }
    uint32_t bytes_held() const { return bytes_held_; }
    uint32_t ready_bytes(SeqNumber rcv_nxt) const;
    // SACK blocks above `rcv_nxt`, the one with the most recent arrival first (RFC 2018, 4).
    // Returns how many were written.
    uint32_t sack_blocks(SeqNumber rcv_nxt, std::span<SeqRange> room) const;
    void clear(Heap& heap);

private:
    // Bytes that came, cut where chunks around them hold the same, and their neighbours.
    struct Arrival {
        ReassemblyChunk* before;   // null: it is the first
        ReassemblyChunk* after;    // the first that isn't wholly covered; null: there's none
        SeqNumber seq;
        Bytes bytes;

        SeqNumber end() const { return seq + static_cast<uint32_t>(bytes.size()); }
    };

    Arrival locate(SeqNumber seq, Bytes bytes);
    ReassemblyChunk*& link_after(ReassemblyChunk* before) {
        return before == nullptr ? first_ : before->next;
    }
    uint32_t bytes_known(const Arrival& arrival);
    bool touch_known(const Arrival& arrival, SeqNumber seq);
    bool make_room(Heap& heap, const Arrival& arrival);
    void copy(const Arrival& arrival, SeqRange part, uint8_t* to);
    void drop_covered(Heap& heap, const Arrival& arrival);
    void drop_last(Heap& heap);

    ReassemblyChunk* first_ = nullptr;
    uint32_t bytes_held_ = 0;
    uint32_t arrivals_ = 0;
};
static_assert(sizeof(Reassembly) == 16);

}  // namespace millrace
