// The way of one shard's trace events to whoever asked for them.
// Owned by: who asked; it outlives every trace list that names it. The writer's calls on the shard's
//           thread, the reader's on one thread at a time.
// Holds:    records are contiguous and 8-aligned; one that doesn't fit before the end of the memory
//           is preceded by a mark to begin anew. What finds no room is counted, and what stands is
//           never overwritten. A record is seen by the reader when publish() has been called.
// Not here: what a record means (trace_event.h).
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "runtime/ledger.h"

namespace millrace {

class TraceRing {
public:
    static constexpr uint32_t slots_max = 8;  // traces at once

    // A power of two.
    explicit TraceRing(uint32_t ring_bytes)
        : ring_bytes_(ring_bytes), memory_(std::make_unique<uint64_t[]>(ring_bytes / 8)) {
        MR_ASSERT(std::has_single_bit(ring_bytes) && ring_bytes >= 64);
    }

    // The writer's side. Room for a record, which may be written until publish(); null: no room.
    uint8_t* try_append(uint32_t bytes, uint32_t slot) {
        const uint64_t whole = (uint64_t{bytes} + sizeof(uint64_t) + 7) & ~uint64_t{7};
        const uint64_t offset = written_ & (ring_bytes_ - 1);
        const uint64_t skipped = offset + whole > ring_bytes_ ? ring_bytes_ - offset : 0;
        const uint64_t end = written_ + skipped + whole;
        if (end - head_.load(std::memory_order_acquire) > ring_bytes_) {
            lost_[slot].add();
            return nullptr;
        }
        if (skipped > 0) put_length(written_, begin_anew);
        written_ += skipped;
        put_length(written_, whole);
        uint8_t* record = at(written_) + sizeof(uint64_t);
        written_ = end;
        return record;
    }
    void publish() { tail_.store(written_, std::memory_order_release); }

    // The reader's side: calls visit(const uint8_t* record) for each that was published.
    template <class Visit>
    void drain(Visit&& visit) {
        const uint64_t tail = tail_.load(std::memory_order_acquire);
        uint64_t head = head_.load(std::memory_order_relaxed);
        while (head != tail) {
            uint64_t whole;
            std::memcpy(&whole, at(head), sizeof(whole));
            if (whole == begin_anew) {
                head += ring_bytes_ - (head & (ring_bytes_ - 1));
                continue;
            }
            visit(static_cast<const uint8_t*>(at(head) + sizeof(uint64_t)));
            head += whole;
        }
        head_.store(head, std::memory_order_release);
    }
    // Records of the traces in that place, ever. Any thread.
    uint64_t lost(uint32_t slot) const { return lost_[slot].read(); }

private:
    static constexpr uint64_t begin_anew = 0;

    uint8_t* at(uint64_t position) {
        return reinterpret_cast<uint8_t*>(memory_.get()) + (position & (ring_bytes_ - 1));
    }
    void put_length(uint64_t position, uint64_t whole) {
        std::memcpy(at(position), &whole, sizeof(whole));
    }

    const uint32_t ring_bytes_;
    const std::unique_ptr<uint64_t[]> memory_;
    uint64_t written_ = 0;                       // the writer's
    Counter lost_[slots_max];                    // the writer's
    alignas(64) std::atomic<uint64_t> tail_{0};  // written by the writer
    alignas(64) std::atomic<uint64_t> head_{0};  // written by the reader
};

}  // namespace millrace
