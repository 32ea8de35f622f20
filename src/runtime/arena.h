// One shard's memory: a reserved range of addresses, committed chunk by chunk.
// Owned by: one shard; never touched from another thread.
// Holds:    never more than `bytes_max` is taken; a chunk is 64 KiB, aligned to its own size.
// Not here: cutting chunks into objects (slab.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.h"

namespace millrace {

enum class HugePages : uint8_t {
    off,       // plain pages
    when_any,  // hugetlb pages while the pool has some, plain pages from then on
};

struct ArenaOptions {
    uint64_t bytes_max = uint64_t{1} << 30;
    HugePages huge_pages = HugePages::when_any;
};

class Arena {
public:
    static constexpr uint32_t chunk_bytes = 64 * 1024;

    static Outcome<std::unique_ptr<Arena>> create(const ArenaOptions& options);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Null when the budget is used up.
    std::byte* try_take_chunk();
    void give_back_chunk(std::byte* chunk);

    uint64_t bytes_max() const { return bytes_max_; }
    uint64_t taken_bytes() const { return taken_bytes_; }
    uint64_t huge_page_bytes() const { return huge_page_bytes_; }  // of what was committed

private:
    Arena() = default;

    std::byte* base_ = nullptr;       // reserved range
    uint64_t bytes_max_ = 0;
    uint64_t taken_bytes_ = 0;
    uint64_t fresh_offset_ = 0;       // chunks below were taken at least once
    uint64_t committed_offset_ = 0;   // pages below are mapped
    uint64_t huge_page_bytes_ = 0;
    HugePages huge_pages_ = HugePages::off;
    struct FreeChunk { FreeChunk* next; };
    FreeChunk* free_ = nullptr;       // link stands in the free chunk's first bytes
};

}  // namespace millrace
