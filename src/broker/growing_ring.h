// A first-in first-out ring of small values that grows by doubling and owns nothing when empty.
// Owned by: a session's traffic; its memory comes from the shard's heap, handed in at each call.
// Holds:    order of push; at(0) is the oldest.
#pragma once

#include <cstdint>
#include <type_traits>

#include "runtime/slab.h"

namespace millrace {

template <class T>
class GrowingRing {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    uint32_t count() const { return count_; }
    bool empty() const { return count_ == 0; }
    T& at(uint32_t index) { return slots_[(first_ + index) & (capacity_ - 1)]; }
    const T& at(uint32_t index) const { return slots_[(first_ + index) & (capacity_ - 1)]; }

    bool push_back(Heap& heap, const T& value) {
        if (count_ == capacity_ && !widen(heap)) return false;
        at(count_++) = value;
        return true;
    }
    void pop_front(Heap& heap) {
        MR_ASSERT(count_ > 0);
        first_ = (first_ + 1) & (capacity_ - 1);
        if (--count_ == 0) release(heap);
    }
    // Only memory: the values' own references are the caller's.
    void release(Heap& heap) {
        if (slots_ != nullptr) heap.free(slots_, bytes(capacity_));
        *this = {};
    }

private:
    static uint32_t bytes(uint32_t capacity) { return capacity * static_cast<uint32_t>(sizeof(T)); }

    bool widen(Heap& heap) {
        const uint32_t wider = capacity_ == 0 ? 4 : capacity_ * 2;
        auto* slots = static_cast<T*>(heap.try_allocate(bytes(wider)));
        if (slots == nullptr) return false;
        for (uint32_t index = 0; index < count_; ++index) slots[index] = at(index);
        if (slots_ != nullptr) heap.free(slots_, bytes(capacity_));
        slots_ = slots;
        first_ = 0;
        capacity_ = wider;
        return true;
    }

    T* slots_ = nullptr;
    uint32_t first_ = 0;
    uint32_t count_ = 0;
    uint32_t capacity_ = 0;  // a power of two
};

}  // namespace millrace
