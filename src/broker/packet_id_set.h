// The packet identifiers of QoS 2 publishes received and not yet released (PUBREL).
// Owned by: a session. Sorted; clients count upwards, so that adding is an append mostly.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "runtime/slab.h"

namespace millrace {

class PacketIdSet {
public:
    uint32_t count() const { return count_; }
    std::span<const uint16_t> ids() const { return {ids_, count_}; }

    bool contains(uint16_t id) const { return std::binary_search(ids_, ids_ + count_, id); }

    // False when there's no memory.
    bool insert(Heap& heap, uint16_t id) {
        if (count_ == capacity_ && !widen(heap)) return false;
        uint16_t* place = std::lower_bound(ids_, ids_ + count_, id);
        if (place < ids_ + count_ && *place == id) return true;
        std::memmove(place + 1, place, static_cast<size_t>(ids_ + count_ - place) * sizeof(id));
        *place = id;
        ++count_;
        return true;
    }
    bool erase(Heap& heap, uint16_t id) {
        uint16_t* place = std::lower_bound(ids_, ids_ + count_, id);
        if (place == ids_ + count_ || *place != id) return false;
        std::memmove(place, place + 1, static_cast<size_t>(ids_ + count_ - place - 1) * sizeof(id));
        if (--count_ == 0) clear(heap);
        return true;
    }
    void clear(Heap& heap) {
        if (ids_ != nullptr) heap.free(ids_, bytes(capacity_));
        ids_ = nullptr;
        count_ = capacity_ = 0;
    }

private:
    static uint32_t bytes(uint32_t capacity) { return capacity * static_cast<uint32_t>(sizeof(uint16_t)); }
    bool widen(Heap& heap) {
        const uint32_t wider = capacity_ == 0 ? 8 : capacity_ * 2;
        auto* ids = static_cast<uint16_t*>(heap.try_allocate(bytes(wider)));
        if (ids == nullptr) return false;
        if (count_ > 0) std::memcpy(ids, ids_, bytes(count_));
        if (ids_ != nullptr) heap.free(ids_, bytes(capacity_));
        ids_ = ids;
        capacity_ = wider;
        return true;
    }

    uint16_t* ids_ = nullptr;
    uint32_t count_ = 0;
    uint32_t capacity_ = 0;
};

}  // namespace millrace
