// From a 4-tuple to what stands for it: a cuckoo table of cache lines with eight references each.
// Owned by: one shard's stack. Borrows its nodes, which may not move meanwhile.
// Holds:    a slot is 8 bytes: 48 bits of address and 16 of the hash. A key stands in one of two
//           lines, mostly in its first, so a lookup touches one or two lines of the table and,
//           nearly always, only the right node. Every call does a bounded amount of work.
//           It grows by linear hashing: a round of growth splits one line an insertion until there
//           are twice as many, in the order of the lines, and takes memory as it gets there; so
//           no insertion pays for the whole, and there is never a second table beside the first.
//           A connection costs 9 to 17 bytes here.
// Not here: what a node is.
//
//   directory (one chunk)     segments (a chunk each, 1,024 lines)
//   [ * | * | * |   |  ]  ──► [ line: tag+node | tag+node | ... eight ] [ line ] ...
//
// Without memory to grow it goes on filling until a new key finds both its lines full and none of
// their nodes has room in its other line, which is at nine tenths of all slots or later. Growth
// goes on when there's memory again.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/slab.h"
#include "tcp/flow_key.h"

namespace millrace {

class FlowTable {
public:
    FlowTable(Arena& arena, LedgerLine& ledger_line, HashKey secret);
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    uint64_t hash(const FlowKey& key) const { return hash_flow(key, secret_); }
    // For a burst: asks for the lines that find() will read; and, when those have come, for the
    // node that it will compare.
    void prefetch(uint64_t hash) const;
    void prefetch_node(uint64_t hash) const;
    // Null when there's none.
    FlowNode* find(uint64_t hash, const FlowKey& key) const;
    // False, and no key added or lost, when there's no room. The key isn't there yet.
    bool try_insert(uint64_t hash, FlowNode& node);
    void erase(uint64_t hash, const FlowNode& node);  // it is there
    // Puts `now` where `before`, of the same key, stands.
    void replace(uint64_t hash, const FlowNode& before, FlowNode& now);

    uint64_t count() const { return count_; }
    uint32_t line_count() const { return line_count_; }
    // References that were moved so far, by growth or to make room: an insertion moves at most
    // nine. What insertions have cost beyond their own slots.
    uint64_t moved_count() const { return moved_count_; }

    static constexpr uint32_t slots_per_line = 8;

private:
    using Slot = uint64_t;  // 0: empty; else the node's address below, the tag in the upper 16 bits
    struct alignas(64) Line {
        std::array<Slot, slots_per_line> slots;
    };
    // The numbers of a key's two lines before they are cut to the table's size.
    struct Homes {
        uint32_t first;
        uint32_t second;
    };

    static constexpr uint32_t lines_per_segment = Arena::chunk_bytes / sizeof(Line);
    // 67 million slots a shard: what one chunk's directory leads to.
    static constexpr uint32_t segments_max = Arena::chunk_bytes / sizeof(Line*);

    static Homes homes_of(uint64_t hash);
    static Slot slot_of(uint64_t hash, const FlowNode& node);
    static FlowNode* node_of(Slot slot);
    static uint32_t matches(const Line& line, uint64_t hash);  // a bit for each slot with that tag
    static uint32_t full_slots(const Line& line);              // a bit for each
    static FlowNode* find_in(const Line& line, uint64_t hash, const FlowKey& key);

    uint32_t line_index(uint32_t home) const;
    Line& line_at(uint32_t index) const {
        return segments_[index / lines_per_segment][index % lines_per_segment];
    }
    Line& line_of(uint32_t home) const { return line_at(line_index(home)); }
    Slot& slot_with(uint64_t hash, const FlowNode& node);  // it is there

    bool try_begin();
    void grow_when_due();
    void split_next_line();
    bool try_take_segment();
    void ask_for_nodes(const Line& line) const;
    bool try_put(Line& line, Slot slot);
    Line* try_make_room(uint32_t index);

    Arena& arena_;
    LedgerLine& ledger_line_;
    HashKey secret_;
    Line** segments_ = nullptr;    // the directory; null before the first insertion
    uint32_t segment_count_ = 0;
    uint32_t line_count_ = 0;      // round_lines_ and those split in this round
    uint32_t round_lines_ = 0;     // a power of two: how many there were when the round began
    uint64_t count_ = 0;
    uint64_t moved_count_ = 0;
};

}  // namespace millrace
