// What grew between two snapshots, by class and by shard.
// Owned by: values. Thread: any; pure.
// Holds:    only lines that differ are in it, the largest growth of bytes first. Classes are sums
//           over the shards and what they share.
// Not here: where snapshots come from.
//
// An object stands in the line of its kind, and mostly in the heap's line of its length ("heap 96")
// too, which is rounded up. So that a kind that explains a length's growth comes before it, growth
// of a length counts half in the order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "admin/memory_snapshot.h"

namespace millrace {

struct MemoryChange {
    std::optional<uint32_t> shard;  // nullopt: of a sum, or of what the shards share
    std::string name;
    int64_t objects = 0;
    int64_t bytes = 0;
    int64_t reserved_bytes = 0;

    bool operator==(const MemoryChange&) const = default;
};

struct MemoryDiff {
    std::vector<MemoryChange> classes;
    std::vector<MemoryChange> shards;  // and what they share
    int64_t resident_bytes = 0;
    int64_t huge_page_bytes = 0;
    int64_t virtual_bytes = 0;
    std::optional<int64_t> heap_committed_bytes;
    // They are of two processes: what the first had went with it.
    bool restarted = false;
};

MemoryDiff diff_memory(const MemorySnapshot& from, const MemorySnapshot& to);

// Which snapshots were compared, as the answer names them.
struct ComparedSnapshots {
    std::string from_id;
    double from_time = 0;
    std::string to_id;  // "now" for one that wasn't kept
    double to_time = 0;
};
// One JSON object in one line.
std::string to_json(const MemoryDiff& diff, const ComparedSnapshots& compared);

}  // namespace millrace
