// A keyed 64-bit hash over bytes (XXH3). The key is drawn at start-up, so that a peer can't
// choose names that collide.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace {

struct HashKey {
    uint64_t value = 0;
};

inline uint64_t hash_text(std::string_view text, HashKey key) {
    return XXH3_64bits_withSeed(text.data(), text.size(), key.value);
}

}  // namespace millrace
