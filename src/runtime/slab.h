// Fixed-size objects cut from a shard's arena, and a heap of such classes for short byte runs.
// Owned by: one shard; never touched from another thread.
// Holds:    an object comes from a chunk of its class only; a freed one is the next handed out
//           (it's still in the cache); every allocation is counted in the ledger; objects at rest
//           are poisoned for AddressSanitizer.
// Not here: running out is an answer (null), never an abort: the caller names the policy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "base/assert.h"
#include "runtime/arena.h"
#include "runtime/ledger.h"
#include "runtime/poison.h"

namespace millrace {

class SlabClass {
public:
    // `object_bytes` is rounded up to a multiple of 8; at most a chunk.
    SlabClass(Arena& arena, LedgerLine& line, uint32_t object_bytes);
    ~SlabClass();  // gives every chunk back; asserts nothing about objects still out
    SlabClass(const SlabClass&) = delete;
    SlabClass& operator=(const SlabClass&) = delete;

    void* try_allocate() {
        if (free_ == nullptr && !refill()) return nullptr;
        FreeObject* object = free_;
        unpoison(object, object_bytes_);
        free_ = object->next;
        line_.objects.add();
        line_.bytes.add(object_bytes_);
        return object;
    }
    void free(void* pointer) {
        FreeObject* object = static_cast<FreeObject*>(pointer);
        object->next = free_;
        free_ = object;
        poison(object, object_bytes_);
        line_.objects.subtract();
        line_.bytes.subtract(object_bytes_);
    }
    uint32_t object_bytes() const { return object_bytes_; }

private:
    struct FreeObject { FreeObject* next; };

    bool refill();  // one fresh object; untouched pages of the chunk stay untouched

    Arena& arena_;
    LedgerLine& line_;
    FreeObject* free_ = nullptr;
    std::byte* chunks_ = nullptr;     // through Arena::link
    std::byte* fresh_ = nullptr;      // the newest chunk's part that was never handed out
    std::byte* fresh_end_ = nullptr;
    uint32_t object_bytes_;
};

// Typed objects of one class.
template <class T>
class Slab {
public:
    Slab(Arena& arena, LedgerLine& line) : objects_(arena, line, sizeof(T)) {}

    template <class... Arguments>
    T* try_make(Arguments&&... arguments) {
        void* memory = objects_.try_allocate();
        return memory == nullptr ? nullptr : new (memory) T(std::forward<Arguments>(arguments)...);
    }
    void destroy(T* object) {
        object->~T();
        objects_.free(object);
    }

private:
    static_assert(alignof(T) <= 8);
    SlabClass objects_;
};

// Byte runs of any length: classes of 16 bytes' distance up to 512, then four a doubling up to
// 32 KiB; longer runs come from cold memory in whole pages, charged to the arena's budget. A class
// has a ledger line ("heap 96") and owns no memory before its first allocation.
class Heap {
public:
    Heap(Arena& arena, Ledger& ledger);
    ~Heap();
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // 8-aligned; null when the budget is used up. `free` takes the length that was asked for
    // (or `rounded` of it).
    void* try_allocate(uint32_t bytes);
    void free(void* pointer, uint32_t bytes);
    // What an allocation of `bytes` really gives: use it all.
    static uint32_t rounded(uint32_t bytes);

    Arena& arena() { return arena_; }

private:
    static constexpr uint32_t class_count = 56;  // 32 fine ones, 24 of four a doubling
    static constexpr uint32_t class_bytes_max = 32 * 1024;
    static uint32_t class_index(uint32_t bytes);
    static uint32_t class_bytes(uint32_t index);

    Arena& arena_;
    LedgerLine& large_line_;
    alignas(SlabClass) std::array<std::byte, sizeof(SlabClass) * class_count> classes_;
    SlabClass& slab(uint32_t index) {
        return *std::launder(reinterpret_cast<SlabClass*>(&classes_[index * sizeof(SlabClass)]));
    }
};

}  // namespace millrace
