// Which shards know a hash: of a client id (who holds the session), or of an exact filter (who
// has subscribers). Eight bytes an entry in an open table with linear probing.
// Owned by: the hash's home shard.
// Holds:    a (hash, shard) pair stands once. The table grows in small steps: entries move from
//           the old table to the new a few with each call, so that no call pauses.
// Not here: the text that was hashed. Two texts with one hash look like one here; callers check
//           against the text on the shard that knows it.
#pragma once

#include <cstdint>

#include "runtime/cold_memory.h"
#include "runtime/ledger.h"

namespace millrace {

class ShardsByHash {
public:
    ShardsByHash(Ledger& ledger, std::string_view name) : line_(ledger.line(name)) {}
    ~ShardsByHash() {
        drop(current_);
        drop(old_);
    }
    ShardsByHash(const ShardsByHash&) = delete;
    ShardsByHash& operator=(const ShardsByHash&) = delete;

    uint64_t count() const { return current_.count + old_.count; }

    // False when there's no memory.
    bool insert(uint64_t hash, uint32_t shard) {
        const uint64_t entry = entry_of(hash, shard);
        if (find(current_, entry) != nullptr || find(old_, entry) != nullptr) return true;
        if ((current_.count + 1) * 4 > current_.capacity * 3 && !grow()) return false;
        place(current_, entry);
        migrate();
        line_.objects.add();
        return true;
    }
    bool erase(uint64_t hash, uint32_t shard) {
        migrate();
        const uint64_t entry = entry_of(hash, shard);
        if (!remove(current_, entry) && !remove(old_, entry)) return false;
        line_.objects.subtract();
        return true;
    }
    bool contains(uint64_t hash, uint32_t shard) const {
        const uint64_t entry = entry_of(hash, shard);
        return find(current_, entry) != nullptr || find(old_, entry) != nullptr;
    }
    // The shards as a bit mask.
    uint64_t mask(uint64_t hash) const { return mask_in(current_, hash) | mask_in(old_, hash); }

private:
    // 0 marks a free slot, so the shard is stored plus one.
    static uint64_t entry_of(uint64_t hash, uint32_t shard) { return hash << 8 | (shard + 1); }
    struct Table {
        uint64_t* slots = nullptr;
        uint64_t capacity = 0;  // a power of two, or 0
        uint64_t count = 0;
    };
    static uint64_t first_slot(const Table& table, uint64_t entry) {
        // The home shard is hash % shards: mix, so that its entries don't cluster.
        return ((entry >> 8) * 0x9e3779b97f4a7c15u >> 20) & (table.capacity - 1);
    }
    static uint64_t* find(const Table& table, uint64_t entry) {
        if (table.count == 0) return nullptr;
        for (uint64_t slot = first_slot(table, entry); table.slots[slot] != 0;
             slot = (slot + 1) & (table.capacity - 1)) {
            if (table.slots[slot] == entry) return &table.slots[slot];
        }
        return nullptr;
    }
    static uint64_t mask_in(const Table& table, uint64_t hash) {
        uint64_t mask = 0;
        if (table.count == 0) return mask;
        for (uint64_t slot = first_slot(table, hash << 8); table.slots[slot] != 0;
             slot = (slot + 1) & (table.capacity - 1)) {
            if (table.slots[slot] >> 8 == hash) mask |= uint64_t{1} << ((table.slots[slot] & 0xff) - 1);
        }
        return mask;
    }
    static void place(Table& table, uint64_t entry) {
        uint64_t slot = first_slot(table, entry);
        while (table.slots[slot] != 0) slot = (slot + 1) & (table.capacity - 1);
        table.slots[slot] = entry;
        ++table.count;
    }
    // Backward-shift deletion: no tombstones.
    static bool remove(Table& table, uint64_t entry) {
        uint64_t* found = find(table, entry);
        if (found == nullptr) return false;
        uint64_t hole = static_cast<uint64_t>(found - table.slots);
        for (uint64_t slot = (hole + 1) & (table.capacity - 1); table.slots[slot] != 0;
             slot = (slot + 1) & (table.capacity - 1)) {
            const uint64_t wanted = first_slot(table, table.slots[slot]);
            if (((slot - wanted) & (table.capacity - 1)) >= ((slot - hole) & (table.capacity - 1))) {
                table.slots[hole] = table.slots[slot];
                hole = slot;
            }
        }
        table.slots[hole] = 0;
        --table.count;
        return true;
    }
    bool grow() {
        while (old_.count > 0) migrate();  // only when the growth outruns the small steps
        drop(old_);
        const uint64_t capacity = current_.capacity == 0 ? 64 : current_.capacity * 2;
        auto* slots = static_cast<uint64_t*>(cold_allocate_zeroed(capacity * sizeof(uint64_t)));
        if (slots == nullptr) return false;
        line_.bytes.add(capacity * sizeof(uint64_t));
        old_ = current_;
        migrated_ = 0;
        current_ = {slots, capacity, 0};
        return true;
    }
    void migrate() {
        for (uint32_t step = 0; step < 8 && old_.capacity != 0; ++step) {
            if (old_.count == 0) {
                drop(old_);
                return;
            }
            // Taking an entry out by remove() keeps the old table's probe chains whole.
            if (const uint64_t entry = old_.slots[migrated_]; entry != 0) {
                remove(old_, entry);
                place(current_, entry);
            } else {
                migrated_ = (migrated_ + 1) & (old_.capacity - 1);
            }
        }
    }
    void drop(Table& table) {
        if (table.slots == nullptr) return;
        line_.bytes.subtract(table.capacity * sizeof(uint64_t));
        cold_free(table.slots);
        table = {};
    }

    LedgerLine& line_;
    Table current_;
    Table old_;               // being emptied into current_
    uint64_t migrated_ = 0;   // slots of old_ before it are empty
};

}  // namespace millrace
