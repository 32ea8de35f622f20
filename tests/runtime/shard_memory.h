// The memory of one shard, small enough that a test can use it up.
#pragma once

#include <cstdint>
#include <fstream>
#include <memory>

#include <unistd.h>

#include <doctest/doctest.h>

#include "runtime/arena.h"
#include "runtime/ledger.h"
#include "runtime/slab.h"

namespace millrace::test {

inline std::unique_ptr<Arena> make_arena(uint64_t bytes_max,
                                         HugePages huge_pages = HugePages::off) {
    auto arena = Arena::create({.bytes_max = bytes_max, .huge_pages = huge_pages});
    REQUIRE(arena.has_value());
    return std::move(*arena);
}

struct ShardMemory {
    explicit ShardMemory(uint64_t bytes_max) : arena(make_arena(bytes_max)), heap(*arena, ledger) {}

    const LedgerLine& line(std::string_view name) { return ledger.line(name); }

    std::unique_ptr<Arena> arena;
    Ledger ledger;
    Heap heap;
};

inline uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    uint64_t total_pages = 0;
    uint64_t resident_pages = 0;
    statm >> total_pages >> resident_pages;
    return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace millrace::test
