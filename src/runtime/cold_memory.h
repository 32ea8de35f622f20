// The general allocator, for what is rare or long: start-up, long frames, long mails.
// Owned by: the caller. Thread: any; memory may be freed on another thread than took it.
// Holds:    mimalloc where it is linked, so that freeing on another thread takes no lock; the
//           system's malloc in sanitized builds, which have to see every allocation.
// Not here: budgets: the caller counts (Arena::try_charge).
#pragma once

#include <cstddef>

#ifdef MR_WITH_MIMALLOC
#include <mimalloc.h>
#else
#include <cstdlib>
#endif

namespace millrace {

// 16-aligned; null when the system has no memory.
inline void* cold_allocate(size_t bytes) {
#ifdef MR_WITH_MIMALLOC
    return mi_malloc(bytes);
#else
    return std::malloc(bytes);
#endif
}

inline void* cold_allocate_zeroed(size_t bytes) {
#ifdef MR_WITH_MIMALLOC
    return mi_zalloc(bytes);
#else
    return std::calloc(1, bytes);
#endif
}

inline void cold_free(void* pointer) {
#ifdef MR_WITH_MIMALLOC
    mi_free(pointer);
#else
    std::free(pointer);
#endif
}

}  // namespace millrace
