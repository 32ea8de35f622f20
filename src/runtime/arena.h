// One shard's memory: a reserved range of addresses, committed chunk by chunk.
// Owned by: one shard; never touched from another thread.
// Holds:    never more than `bytes_max` is taken, as chunks and as charges for what its owner
//           took from elsewhere; a chunk is 64 KiB, aligned to its own size, and has no header:
//           what is known about it stands in a table beside the range, so that an untouched
//           page stays untouched and objects fill a chunk to its end.
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

    // A pointer of the taken chunk's owner, to keep its chunks in a list.
    std::byte*& link(std::byte* chunk) { return links_[index_of(chunk)]; }

    // Counts memory from elsewhere against this budget. False, and nothing counted, when it
    // doesn't fit.
    bool try_charge(uint64_t bytes);
    void refund(uint64_t bytes);

    uint64_t bytes_max() const { return bytes_max_; }
    uint64_t taken_bytes() const { return taken_bytes_; }      // as chunks
    uint64_t charged_bytes() const { return charged_bytes_; }
    uint64_t huge_page_bytes() const { return huge_page_bytes_; }  // of what was committed

private:
    Arena() = default;

    uint64_t index_of(const std::byte* chunk) const {
        return static_cast<uint64_t>(chunk - base_) / chunk_bytes;
    }
    bool fits(uint64_t bytes) const { return bytes <= bytes_max_ - taken_bytes_ - charged_bytes_; }
    bool commit_step();
    bool try_commit_huge_page(std::byte* place);

    std::byte* mapping_ = nullptr;    // what the kernel gave; base_ is its aligned part
    uint64_t mapping_bytes_ = 0;
    std::byte* base_ = nullptr;       // reserved range
    std::byte** links_ = nullptr;     // one a chunk, in the mapping's last part
    uint64_t bytes_max_ = 0;
    uint64_t taken_bytes_ = 0;
    uint64_t charged_bytes_ = 0;
    uint64_t fresh_offset_ = 0;       // chunks below were taken at least once
    uint64_t committed_offset_ = 0;   // pages below are mapped
    uint64_t reserved_bytes_ = 0;     // of the range: bytes_max_ in whole steps
    uint64_t huge_page_bytes_ = 0;
    HugePages huge_pages_ = HugePages::off;
    std::byte* free_ = nullptr;       // given back, newest first, through their links
};

}  // namespace millrace
