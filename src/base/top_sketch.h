// The heaviest names of a stream in fixed memory, by the Space-Saving algorithm (Metwally, Agrawal,
// El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005).
// Owned by: values, 170 bytes an entry; one thread at a time. No allocation. A copy is a snapshot.
// Holds:    for a name that is counted: count - error <= what was really added <= count. For one
//           that isn't: it has at most count_min(). The counts' sum is total(), so that a name with
//           more than total() / capacity is always there.
// Not here: forgetting (recent_top.h), merging (top_list.h).
//
//   hash ──► index_ (open addressing) ──► entries_ ◄── heap_: the smallest count at the root
//
// An addition costs a look into the index and a step or two down the heap, at most its depth.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace millrace {

struct TopEntry {
    static constexpr uint32_t name_bytes_max = 128;

    uint64_t hash = 0;
    uint64_t count = 0;   // at most so much was added
    uint64_t error = 0;   // of it, what may belong to names that stood here before
    uint64_t part = 0;    // of what was added since it stands here, what the caller marked
    uint16_t name_bytes = 0;
    bool is_name_cut = false;  // the name is longer
    char name_text[name_bytes_max];

    std::string_view name() const { return {name_text, name_bytes}; }
};

template <uint32_t capacity>
class TopSketch {
    static_assert(capacity >= 2 && capacity <= 4'096 && std::has_single_bit(capacity));

public:
    // `part` of `weight` is of a kind that the caller wants to know by itself.
    void add(uint64_t hash, std::string_view name, uint64_t weight, uint64_t part = 0) {
        MR_ASSERT(part <= weight);
        total_ += weight;
        uint32_t slot = slot_of(hash);
        if (index_[slot] == 0) {
            if (count_ < capacity) {
                const uint32_t place = count_++;
                entries_[place].count = 0;
                take_over(place, hash, name, slot);
                rise(place, place);
            } else {
                const uint32_t place = heap_[0];
                forget(entries_[place].hash);
                slot = slot_of(hash);
                take_over(place, hash, name, slot);
            }
        }
        const uint32_t place = index_[slot] - 1u;
        entries_[place].count += weight;
        entries_[place].part += part;
        sink(places_[place], place);
    }

    void clear() {
        index_.fill(0);
        count_ = 0;
        total_ = 0;
    }

    uint64_t total() const { return total_; }
    // What a name that isn't counted has at most.
    uint64_t count_min() const { return count_ < capacity ? 0 : entries_[heap_[0]].count; }
    // In no order.
    std::span<const TopEntry> entries() const { return {entries_.data(), count_}; }

private:
    static constexpr uint32_t slot_count = capacity * 4;

    // Where `hash` stands in the index, or would.
    uint32_t slot_of(uint64_t hash) const {
        uint32_t slot = home_of(hash);
        while (index_[slot] != 0 && entries_[index_[slot] - 1u].hash != hash) slot = after(slot);
        return slot;
    }
    static uint32_t home_of(uint64_t hash) {
        return static_cast<uint32_t>((hash * 0x9e37'79b9'7f4a'7c15u) >> 32) & (slot_count - 1);
    }
    static uint32_t after(uint32_t slot) { return (slot + 1) & (slot_count - 1); }

    // Its former count becomes the newcomer's error.
    void take_over(uint32_t place, uint64_t hash, std::string_view name, uint32_t slot) {
        TopEntry& entry = entries_[place];
        entry.hash = hash;
        entry.error = entry.count;
        entry.part = 0;
        entry.is_name_cut = name.size() > TopEntry::name_bytes_max;
        entry.name_bytes = static_cast<uint16_t>(
            std::min<size_t>(name.size(), TopEntry::name_bytes_max));
        std::memcpy(entry.name_text, name.data(), entry.name_bytes);
        index_[slot] = static_cast<uint16_t>(place + 1);
    }

    // Takes it out of the index; what stands behind it moves up, so that no walk ends early.
    void forget(uint64_t hash) {
        uint32_t hole = slot_of(hash);
        MR_ASSERT(index_[hole] != 0);
        for (uint32_t slot = after(hole); index_[slot] != 0; slot = after(slot)) {
            const uint32_t home = home_of(entries_[index_[slot] - 1u].hash);
            const uint32_t way = (slot - home) & (slot_count - 1);
            if (way < ((slot - hole) & (slot_count - 1))) continue;  // its walk doesn't pass the hole
            index_[hole] = index_[slot];
            hole = slot;
        }
        index_[hole] = 0;
    }

    void put(uint32_t at, uint32_t place) {
        heap_[at] = static_cast<uint16_t>(place);
        places_[place] = static_cast<uint16_t>(at);
    }
    void rise(uint32_t at, uint32_t place) {
        while (at > 0 && entries_[heap_[(at - 1) / 2]].count > entries_[place].count) {
            put(at, heap_[(at - 1) / 2]);
            at = (at - 1) / 2;
        }
        put(at, place);
    }
    void sink(uint32_t at, uint32_t place) {
        const uint64_t count = entries_[place].count;
        for (uint32_t child = 2 * at + 1; child < count_; child = 2 * at + 1) {
            if (child + 1 < count_ &&
                entries_[heap_[child + 1]].count < entries_[heap_[child]].count) {
                ++child;
            }
            if (entries_[heap_[child]].count >= count) break;
            put(at, heap_[child]);
            at = child;
        }
        put(at, place);
    }

    std::array<uint16_t, slot_count> index_{};  // place in entries_ plus 1; 0: free
    std::array<uint16_t, capacity> heap_{};     // places, the smallest count first
    std::array<uint16_t, capacity> places_{};   // by place: where in heap_
    std::array<TopEntry, capacity> entries_;
    uint32_t count_ = 0;
    uint64_t total_ = 0;
};

}  // namespace millrace
