// Hash table segments from a shard's heap.
#pragma once

#include "base/hash_table.h"
#include "runtime/slab.h"

namespace millrace {

inline SegmentMemory segments_of(Heap& heap) {
    return {&heap,
            [](void* context, uint32_t bytes) {
                return static_cast<Heap*>(context)->try_allocate(bytes);
            },
            [](void* context, void* memory, uint32_t bytes) {
                static_cast<Heap*>(context)->free(memory, bytes);
            }};
}

}  // namespace millrace
