// A hash table whose chains run through its elements; it grows by linear hashing (W. Litwin,
// "Linear hashing: a new tool for file and table addressing", VLDB 1980): one bucket is split at a
// time, so no insertion pays for the whole table, at any size.
// Owned by: whoever holds it, one thread. It borrows its elements, which may not move meanwhile.
// Holds:    insert never fails: without memory for more buckets the chains get longer, and the
//           growth is caught up later. An empty table owns no memory but itself. While it isn't
//           empty it doesn't shrink, so elements only move to higher buckets: an incremental walk
//           misses none that stays, but may see one twice.
// Not here: keys and hashing. The caller passes a keyed hash (hash.h) with good low bits.
//
//   directory ──► segment 0 [bucket 0 .. 1023]  segment 1 [bucket 1024 .. 2047]  ...
//                     │
//                     ▼ element ──► element          next pointers live in the elements
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"

namespace millrace {

// Where a table's buckets come from. `allocate` gives 8-aligned memory or null; `free` takes the
// bytes that were asked for.
struct SegmentMemory {
    void* context = nullptr;
    void* (*allocate)(void* context, uint32_t bytes) = [](void*, uint32_t bytes) {
        return std::malloc(bytes);
    };
    void (*free)(void* context, void* memory, uint32_t bytes) = [](void*, void* memory, uint32_t) {
        std::free(memory);
    };
};

// Traits: static T*& next(T&);                  the link, free for the table's use
//         static uint64_t hash(const T&);       stored or computed; never changes meanwhile
template <class T, class Traits>
class IntrusiveHashTable {
public:
    explicit IntrusiveHashTable(SegmentMemory memory = {}) : memory_(memory) {}
    ~IntrusiveHashTable() { give_back(); }
    IntrusiveHashTable(const IntrusiveHashTable&) = delete;
    IntrusiveHashTable& operator=(const IntrusiveHashTable&) = delete;

    uint64_t count() const { return count_; }
    bool empty() const { return count_ == 0; }
    uint32_t bucket_count() const { return bucket_count_; }

    // The first element of that hash for which `equal(const T&)` holds; null when there's none.
    template <class Equal>
    T* find(uint64_t hash, Equal&& equal) const {
        for (T* element = bucket(address(hash)); element != nullptr;
             element = Traits::next(*element)) {
            if (Traits::hash(*element) == hash && equal(static_cast<const T&>(*element))) {
                return element;
            }
        }
        return nullptr;
    }

    // The caller has made sure that no equal element is there, or wants both.
    void insert(T& element) {
        T*& first = bucket(address(Traits::hash(element)));
        Traits::next(element) = first;
        first = &element;
        ++count_;
        // Two splits an insertion at the most: enough to catch up after memory was short.
        for (int splits = 0; splits < 2 && count_ > bucket_count_; ++splits) {
            if (!try_split()) return;
        }
    }

    // The element is in this table.
    void erase(T& element) {
        T** link = &bucket(address(Traits::hash(element)));
        while (*link != &element) {
            MR_ASSERT(*link != nullptr);
            link = &Traits::next(**link);
        }
        *link = Traits::next(element);
        Traits::next(element) = nullptr;
        if (--count_ == 0) give_back();
    }

    // Visits at most `buckets_max` buckets from `cursor` on (0 at first; any value is safe) and
    // returns the cursor to go on from; 0 when the end was reached. `visit(T&)` may erase the
    // element that it's given, even destroy it; it may not insert or erase another one (a split
    // would move the chain under the walk).
    template <class Visit>
    uint32_t for_each_from(uint32_t cursor, uint32_t buckets_max, Visit&& visit) {
        for (; buckets_max > 0 && cursor < bucket_count_; ++cursor, --buckets_max) {
            T* element = bucket(cursor);
            while (element != nullptr) {
                T* next = Traits::next(*element);
                visit(*element);
                element = next;
            }
        }
        return cursor < bucket_count_ ? cursor : 0;
    }

    // A walk with pauses, in the order of the hashes' reversed bits, which is the order in which
    // buckets split: whatever the table grows or empties meanwhile, what stays in it is visited
    // exactly once. Visits the elements of one bucket, at least those whose place isn't before
    // `place` (0 at first; any value is safe), and returns the place at which the next bucket
    // begins; 0 when the end was reached. The same rules for `visit`.
    template <class Visit>
    uint64_t for_each_at(uint64_t place, Visit&& visit) {
        const uint32_t index = address(place_of(place));  // reversing twice changes nothing
        for (T* element = bucket(index); element != nullptr;) {
            T* next = Traits::next(*element);
            visit(*element);
            element = next;
        }
        // This many bits choose the bucket.
        const uint32_t wide_bits = static_cast<uint32_t>(std::bit_width(mask_));
        const bool is_split = (index | (mask_ ^ mask_ >> 1)) < bucket_count_;
        const uint32_t shift = 64 - (is_split ? wide_bits : wide_bits - 1);
        return ((place >> shift) + 1) << shift;
    }
    static uint64_t place_of(uint64_t hash) {
        uint64_t reversed = __builtin_bswap64(hash);
        reversed = (reversed >> 4 & 0x0f0f0f0f0f0f0f0f) | (reversed & 0x0f0f0f0f0f0f0f0f) << 4;
        reversed = (reversed >> 2 & 0x3333333333333333) | (reversed & 0x3333333333333333) << 2;
        return (reversed >> 1 & 0x5555555555555555) | (reversed & 0x5555555555555555) << 1;
    }

    // The whole table in one go: for start-up, shutdown and tests. The same rules for `visit`.
    template <class Visit>
    void for_each(Visit&& visit) {
        for_each_from(0, UINT32_MAX, visit);
    }

private:
    static constexpr uint32_t segment_log2 = 10;
    static constexpr uint32_t segment_buckets = 1u << segment_log2;  // 8 KiB a segment
    static constexpr uint32_t segment_bytes = segment_buckets * sizeof(T*);
    static constexpr uint32_t inline_buckets = 16;
    static constexpr uint32_t buckets_max = 1u << 31;

    T*& bucket(uint32_t index) const {
        return directory_[index >> segment_log2][index & (segment_buckets - 1)];
    }
    // With 2^n <= bucket_count_ < 2^(n+1): n + 1 bits of the hash where that bucket exists
    // already, else n bits.
    uint32_t address(uint64_t hash) const {
        const uint32_t wide = static_cast<uint32_t>(hash) & mask_;
        return wide < bucket_count_ ? wide : wide & (mask_ >> 1);
    }

    bool try_split() {
        if (bucket_count_ == buckets_max || !make_bucket(bucket_count_)) return false;
        const uint32_t to = bucket_count_++;
        T** keep = &bucket(to & (mask_ >> 1));
        T** move = &bucket(to);
        for (T* element = *keep; element != nullptr; element = Traits::next(*element)) {
            T**& last = (static_cast<uint32_t>(Traits::hash(*element)) & mask_) == to ? move : keep;
            *last = element;
            last = &Traits::next(*element);
        }
        *keep = nullptr;
        *move = nullptr;
        if (bucket_count_ > mask_) mask_ = mask_ * 2 + 1;
        return true;
    }

    // Memory for the bucket that comes next. Its content is set by the split.
    bool make_bucket(uint32_t index) {
        if (index == inline_buckets) return leave_inline();
        if ((index & (segment_buckets - 1)) != 0) return true;
        const uint32_t segment = index >> segment_log2;
        if (segment == directory_capacity_ && !widen_directory()) return false;
        directory_[segment] = static_cast<T**>(memory_.allocate(memory_.context, segment_bytes));
        return directory_[segment] != nullptr;
    }

    bool leave_inline() {
        auto* segment = static_cast<T**>(memory_.allocate(memory_.context, segment_bytes));
        if (segment == nullptr) return false;
        std::copy_n(inline_segment_, inline_buckets, segment);
        directory_[0] = segment;
        return true;
    }

    bool widen_directory() {
        const uint32_t capacity = std::max(16u, directory_capacity_ * 2);
        auto* wider = static_cast<T***>(
            memory_.allocate(memory_.context, capacity * static_cast<uint32_t>(sizeof(T**))));
        if (wider == nullptr) return false;
        std::copy_n(directory_, directory_capacity_, wider);
        free_directory();
        directory_ = wider;
        directory_capacity_ = capacity;
        return true;
    }

    void free_directory() {
        if (directory_ == &inline_directory_) return;
        memory_.free(memory_.context, directory_,
                     directory_capacity_ * static_cast<uint32_t>(sizeof(T**)));
    }

    // Back to the inline buckets. Only called when there's no element, or never will be one again.
    void give_back() {
        if (bucket_count_ > inline_buckets) {
            const uint32_t segments = (bucket_count_ - 1) / segment_buckets + 1;
            for (uint32_t index = 0; index < segments; ++index) {
                memory_.free(memory_.context, directory_[index], segment_bytes);
            }
        }
        free_directory();
        inline_directory_ = inline_segment_;
        directory_ = &inline_directory_;
        directory_capacity_ = 1;
        std::fill_n(inline_segment_, inline_buckets, nullptr);
        bucket_count_ = inline_buckets;
        mask_ = inline_buckets * 2 - 1;
    }

    T* inline_segment_[inline_buckets] = {};  // the buckets, until there are more
    T** inline_directory_ = inline_segment_;
    T*** directory_ = &inline_directory_;
    uint64_t count_ = 0;
    uint32_t directory_capacity_ = 1;
    uint32_t bucket_count_ = inline_buckets;
    uint32_t mask_ = inline_buckets * 2 - 1;
    SegmentMemory memory_;
};

}  // namespace millrace
