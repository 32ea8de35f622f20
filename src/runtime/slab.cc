#include "runtime/slab.h"

#include <bit>

#include <fmt/format.h>

#include "runtime/cold_memory.h"

namespace millrace {

SlabClass::SlabClass(Arena& arena, LedgerLine& line, uint32_t object_bytes)
    : arena_(arena), line_(line) {
    MR_ASSERT(object_bytes > 0 && object_bytes <= Arena::chunk_bytes);
    object_bytes_ = (object_bytes + 7) / 8 * 8;
}

SlabClass::~SlabClass() {
    while (chunks_ != nullptr) {
        std::byte* chunk = chunks_;
        chunks_ = arena_.link(chunk);
        arena_.give_back_chunk(chunk);
        line_.reserved_bytes.subtract(Arena::chunk_bytes);
    }
}

bool SlabClass::refill() {
    if (static_cast<size_t>(fresh_end_ - fresh_) < object_bytes_) {
        std::byte* chunk = arena_.try_take_chunk();
        if (chunk == nullptr) return false;
        line_.reserved_bytes.add(Arena::chunk_bytes);
        arena_.link(chunk) = chunks_;
        chunks_ = chunk;
        fresh_ = chunk;
        fresh_end_ = chunk + Arena::chunk_bytes;
        poison(chunk, Arena::chunk_bytes);
    }
    // One at a time: linking objects ahead would touch their pages.
    FreeObject* object = reinterpret_cast<FreeObject*>(fresh_);
    unpoison(object, sizeof(FreeObject));
    object->next = nullptr;
    free_ = object;
    fresh_ += object_bytes_;
    return true;
}

Heap::Heap(Arena& arena, Ledger& ledger) : arena_(arena), large_line_(ledger.line("heap large")) {
    for (uint32_t index = 0; index < class_count; ++index) {
        const uint32_t bytes = class_bytes(index);
        LedgerLine& line = ledger.line(fmt::format("heap {}", bytes));
        new (&classes_[index * sizeof(SlabClass)]) SlabClass(arena, line, bytes);
    }
}

Heap::~Heap() {
    for (uint32_t index = 0; index < class_count; ++index) slab(index).~SlabClass();
}

void* Heap::try_allocate(uint32_t bytes) {
    if (bytes <= class_bytes_max) return slab(class_index(bytes)).try_allocate();
    const uint32_t whole = rounded(bytes);
    if (!arena_.try_charge(whole)) return nullptr;
    void* memory = cold_allocate(whole);
    if (memory == nullptr) {
        arena_.refund(whole);
        return nullptr;
    }
    large_line_.objects.add();
    large_line_.bytes.add(whole);
    large_line_.reserved_bytes.add(whole);
    return memory;
}

void Heap::free(void* pointer, uint32_t bytes) {
    if (bytes <= class_bytes_max) {
        slab(class_index(bytes)).free(pointer);
        return;
    }
    const uint32_t whole = rounded(bytes);
    cold_free(pointer);
    arena_.refund(whole);
    large_line_.objects.subtract();
    large_line_.bytes.subtract(whole);
    large_line_.reserved_bytes.subtract(whole);
}

uint32_t Heap::rounded(uint32_t bytes) {
    if (bytes <= class_bytes_max) return class_bytes(class_index(bytes));
    constexpr uint32_t page_bytes = 4096;
    if (bytes > UINT32_MAX - page_bytes) return bytes;
    return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

// Up to 512, index 0 is 16 bytes and each step 16 more. From there on the two bits below the
// highest one of `bytes - 1` pick one of four classes in its doubling.
uint32_t Heap::class_index(uint32_t bytes) {
    if (bytes == 0) return 0;
    const uint32_t last = bytes - 1;
    if (bytes <= 512) return last / 16;
    const uint32_t log2 = static_cast<uint32_t>(std::bit_width(last)) - 1;
    return 32 + (log2 - 9) * 4 + ((last >> (log2 - 2)) & 3);
}

uint32_t Heap::class_bytes(uint32_t index) {
    if (index < 32) return (index + 1) * 16;
    const uint32_t doubling = (index - 32) / 4;
    const uint32_t quarter = (index - 32) % 4 + 1;
    return (512u << doubling) + quarter * (128u << doubling);
}

}  // namespace millrace
