// What a connection still has to send: references to shared blocks, never copies.
// Owned by: the connection, on its shard.
// Holds:    every queued slot counts one reference to its block; a slice that begins where the
//           newest slot ends extends that slot instead (design: adjacent references merge), so a
//           burst of frames is one slot. An empty ring owns no memory but its own 24 bytes.
// Not here: how much may be queued: the caller looks at bytes_queued() first.
#pragma once

#include <algorithm>
#include <cstdint>

#include <sys/uio.h>

#include "runtime/block.h"
#include "runtime/slab.h"

namespace millrace {

class SendRing {
public:
    static constexpr uint32_t slots_max = 4096;

    bool empty() const { return count_ == 0; }
    uint32_t bytes_queued() const { return bytes_queued_; }
    uint32_t slot_count() const { return count_; }

    // Takes its own reference when it needs one. False, and nothing changed, when there is no
    // memory for a slot or slots_max is reached.
    bool push(Heap& heap, BlockPool& blocks, Slice slice) {
        MR_ASSERT(slice.length > 0);
        if (count_ > 0) {
            Slice& newest = slot(count_ - 1);
            if (newest.block == slice.block && newest.offset + newest.length == slice.offset) {
                newest.length += slice.length;
                bytes_queued_ += slice.length;
                return true;
            }
        }
        if (!make_room(heap)) return false;
        slot(count_++) = slice;
        blocks.hold(*slice.block);
        bytes_queued_ += slice.length;
        return true;
    }

    // The slot at `index` from the oldest.
    const Slice& at(uint32_t index) const { return const_cast<SendRing*>(this)->slot(index); }

    // Fills at most `room` vectors with the oldest bytes; returns how many were filled.
    uint32_t gather(std::span<iovec> room) const {
        const uint32_t filled = std::min<uint32_t>(count_, static_cast<uint32_t>(room.size()));
        for (uint32_t index = 0; index < filled; ++index) {
            const Slice& slice = at(index);
            room[index] = {const_cast<uint8_t*>(slice.data()), slice.length};
        }
        return filled;
    }

    // The oldest `bytes` are done: lets go of what they referred to.
    void consume(Heap& heap, BlockPool& blocks, uint32_t bytes) {
        MR_ASSERT(bytes <= bytes_queued_);
        bytes_queued_ -= bytes;
        while (bytes > 0) {
            Slice& oldest = slot(0);
            if (bytes < oldest.length) {
                oldest.offset += bytes;
                oldest.length -= bytes;
                return;
            }
            bytes -= oldest.length;
            blocks.release(*oldest.block);
            drop_oldest(heap);
        }
    }

    void clear(Heap& heap, BlockPool& blocks) {
        consume(heap, blocks, bytes_queued_);
        MR_ASSERT(count_ == 0);
    }

private:
    struct Many {
        Slice* slots;
        uint32_t first;  // index of the oldest
    };

    bool is_inline() const { return capacity_log2_ == 0; }
    uint32_t capacity() const { return 1u << capacity_log2_; }
    Slice& slot(uint32_t index) {
        if (is_inline()) return one_;
        return many_.slots[(many_.first + index) & (capacity() - 1)];
    }
    static uint32_t slots_bytes(uint32_t capacity_log2) {
        return static_cast<uint32_t>(sizeof(Slice)) << capacity_log2;
    }

    bool make_room(Heap& heap) {
        if (count_ < capacity()) return true;
        if (count_ == slots_max) return false;
        const uint8_t wider = is_inline() ? 2 : static_cast<uint8_t>(capacity_log2_ + 1);
        auto* slots = static_cast<Slice*>(heap.try_allocate(slots_bytes(wider)));
        if (slots == nullptr) return false;
        for (uint32_t index = 0; index < count_; ++index) slots[index] = slot(index);
        if (!is_inline()) heap.free(many_.slots, slots_bytes(capacity_log2_));
        many_ = {slots, 0};
        capacity_log2_ = wider;
        return true;
    }

    void drop_oldest(Heap& heap) {
        --count_;
        if (is_inline()) return;
        many_.first = (many_.first + 1) & (capacity() - 1);
        if (count_ > 0) return;
        heap.free(many_.slots, slots_bytes(capacity_log2_));
        capacity_log2_ = 0;
    }

    union {
        Slice one_{};  // while capacity_log2_ is 0: at most one slot, kept here
        Many many_;    // otherwise
    };
    uint32_t bytes_queued_ = 0;
    uint16_t count_ = 0;
    uint8_t capacity_log2_ = 0;
};
static_assert(sizeof(SendRing) == 24);

}  // namespace millrace
