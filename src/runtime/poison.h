// Marks memory at rest as out of bounds for AddressSanitizer, so that it catches a use after free
// in our own pools as it does for malloc. Costs nothing in other builds.
// Owned by: nobody. Thread: any.
// Not here: valgrind.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MR_WITH_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MR_WITH_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef MR_WITH_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace millrace {

inline void poison([[maybe_unused]] const void* memory, [[maybe_unused]] size_t bytes) {
#ifdef MR_WITH_ADDRESS_SANITIZER
    __asan_poison_memory_region(memory, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] size_t bytes) {
#ifdef MR_WITH_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace millrace
