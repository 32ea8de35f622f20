#include "runtime/block.h"

#include "runtime/poison.h"

namespace millrace {
namespace {

// A standard block at rest keeps the link to the next one in its bytes.
Block*& next_spare(Block& block) {
    return *reinterpret_cast<Block**>(block.bytes());
}

}  // namespace

// The ledger line counts all blocks; `reserved_bytes` counts only the chunks of standard ones,
// because long blocks are reserved by the heap and stand in its lines.
BlockPool::BlockPool(Heap& heap, Ledger& ledger) : heap_(heap), line_(ledger.line("blocks")) {}

BlockPool::~BlockPool() {
    while (spare_ != nullptr) {
        Block& block = *spare_;
        unpoison(block.bytes(), block.capacity_bytes);
        spare_ = next_spare(block);
        give_back_standard(block);
    }
}

Block* BlockPool::try_take(uint32_t bytes) {
    Block* block = bytes <= standard_capacity_bytes ? try_take_standard() : try_take_long(bytes);
    if (block == nullptr) return nullptr;
    block->reference_count = 1;
    block->used_bytes = 0;
    line_.objects.add();
    line_.bytes.add(sizeof(Block) + block->capacity_bytes);
    return block;
}

Block* BlockPool::try_take_standard() {
    if (spare_ != nullptr) {
        Block* block = spare_;
        unpoison(block->bytes(), block->capacity_bytes);
        spare_ = next_spare(*block);
        --spare_count_;
        return block;
    }
    return try_take_fresh();
}

Block* BlockPool::try_take_fresh() {
    std::byte* chunk = heap_.arena().try_take_chunk();
    if (chunk == nullptr) return nullptr;
    line_.reserved_bytes.add(Arena::chunk_bytes);
    int32_t registered_index = -1;
    if (registrar_.register_memory != nullptr) {
        registered_index =
            registrar_.register_memory(registrar_.context, chunk, Arena::chunk_bytes);
    }
    return new (chunk) Block{.reference_count = 0,
                             .capacity_bytes = standard_capacity_bytes,
                             .used_bytes = 0,
                             .registered_index = registered_index};
}

Block* BlockPool::try_take_long(uint32_t bytes) {
    constexpr uint32_t header_bytes = sizeof(Block);
    if (bytes > UINT32_MAX - header_bytes) return nullptr;
    const uint32_t whole = Heap::rounded(header_bytes + bytes);
    void* memory = heap_.try_allocate(whole);
    if (memory == nullptr) return nullptr;
    return new (memory) Block{.reference_count = 0,
                              .capacity_bytes = whole - header_bytes,
                              .used_bytes = 0,
                              .registered_index = -1};
}

void BlockPool::recycle(Block& block) {
    line_.objects.subtract();
    line_.bytes.subtract(sizeof(Block) + block.capacity_bytes);
    if (block.capacity_bytes != standard_capacity_bytes) {
        heap_.free(&block, static_cast<uint32_t>(sizeof(Block)) + block.capacity_bytes);
        return;
    }
    if (spare_count_ >= spare_count_max && block.registered_index < 0) {
        give_back_standard(block);
        return;
    }
    keep(block);
}

void BlockPool::keep(Block& block) {
    next_spare(block) = spare_;
    poison(block.bytes(), block.capacity_bytes);
    spare_ = &block;
    ++spare_count_;
}

void BlockPool::keep_ready(uint32_t count) {
    MR_ASSERT(count <= spare_count_max);
    while (spare_count_ < count) {
        Block* block = try_take_fresh();
        if (block == nullptr) return;
        keep(*block);
    }
}

void BlockPool::give_back_standard(Block& block) {
    heap_.arena().give_back_chunk(reinterpret_cast<std::byte*>(&block));
    line_.reserved_bytes.subtract(Arena::chunk_bytes);
}

std::span<uint8_t> BlockStream::try_reserve(uint32_t bytes) {
    MR_ASSERT(bytes > 0);
    if (current_ != nullptr) {
        const bool nearly_full = room() < current_->capacity_bytes / 4;
        if (nearly_full || room() < bytes) rewind_if_unused();
    }
    if (current_ == nullptr || room() < bytes) {
        Block* next = pool_.try_take(bytes);
        if (next == nullptr) return {};
        close();
        current_ = next;
    }
    return {current_->bytes() + current_->used_bytes, bytes};
}

Slice BlockStream::commit(uint32_t bytes) {
    MR_ASSERT(current_ != nullptr);
    MR_ASSERT(bytes <= room());
    const Slice slice{current_, current_->used_bytes, bytes};
    current_->used_bytes += bytes;
    return slice;
}

void BlockStream::rewind_if_unused() {
    if (current_ == nullptr || !is_exclusive()) return;
    if (current_->capacity_bytes > BlockPool::standard_capacity_bytes) {
        close();  // made for one long frame: not worth keeping
        return;
    }
    current_->used_bytes = 0;
}

void BlockStream::close() {
    if (current_ == nullptr) return;
    pool_.release(*current_);
    current_ = nullptr;
}

}  // namespace millrace
