// Where the server's memory is at one moment: every line of every shard's ledger, what the shards
// share, the process and the kernel's part.
// Owned by: values. Thread: any.
// Holds:    lines of slightly different moments, never torn values: shards write on meanwhile.
//           What was made by to_json() is read by parse_memory_snapshot() as it was.
// Not here: keeping snapshots (memory_history.h), comparing them (memory_diff.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/subject.h"

namespace millrace {

struct MemoryLine {
    std::string name;
    uint64_t objects = 0;
    uint64_t bytes = 0;
    uint64_t reserved_bytes = 0;

    bool operator==(const MemoryLine&) const = default;
};

struct MemorySnapshot {
    double time = 0;     // since the epoch, as the next
    double started = 0;  // of the process: snapshots of two processes differ by more than a growth

    std::vector<std::vector<MemoryLine>> shards;  // in the order of their index
    std::vector<MemoryLine> shared;               // of no shard alone

    // Of the process; huge pages aren't resident to the kernel. Nullopt: nobody says.
    uint64_t resident_bytes = 0;
    uint64_t huge_page_bytes = 0;
    uint64_t virtual_bytes = 0;
    std::optional<uint64_t> heap_committed_bytes;
    std::optional<uint64_t> heap_used_bytes;

    KernelMemory kernel;

    bool operator==(const MemorySnapshot&) const = default;
};

// Of now.
MemorySnapshot take_memory_snapshot(const AdminSubject& subject);

// One JSON object in one line.
std::string to_json(const MemorySnapshot& snapshot);
// Of any text: a file may be broken, or somebody else's. The message says what is wrong with it.
Outcome<MemorySnapshot> parse_memory_snapshot(std::string_view json);

}  // namespace millrace
