// Blocks of encoded output that many send rings refer to, and the streams that fill them.
// Owned by: one shard; never touched from another thread, so the counts are plain integers.
// Holds:    bytes handed out by commit() never change or move while a reference is counted;
//           a block is recycled when its count reaches zero and no stream writes into it.
// Not here: what the bytes are. Sharing between shards: bytes are copied through the mailbox.
//
//   stream ──► block  [header | frame | frame | frame | room ...]
//                               ▲───────▲ one Slice: adjacent frames merge in a send ring
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "runtime/slab.h"

namespace millrace {

struct Block {
    uint32_t reference_count;
    uint32_t capacity_bytes;   // after this header
    uint32_t used_bytes;
    int32_t registered_index;  // of the io_uring fixed buffer that holds it, -1 when none

    uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
    const uint8_t* bytes() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};
static_assert(sizeof(Block) == 16);

// A run of bytes in a block. Borrows: whoever keeps one holds a counted reference to the block.
struct Slice {
    Block* block = nullptr;
    uint32_t offset = 0;
    uint32_t length = 0;

    const uint8_t* data() const { return block->bytes() + offset; }
    Bytes bytes() const { return {data(), length}; }
    bool empty() const { return length == 0; }
    Slice from(uint32_t skip) const { return {block, offset + skip, length - skip}; }
};

class BlockPool {
public:
    // Standard blocks are a chunk of the arena each; a longer frame gets a block of its own.
    BlockPool(Heap& heap, Ledger& ledger);
    ~BlockPool();
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    // A block with room for `bytes`, counted once for the caller. Null when memory is used up.
    Block* try_take(uint32_t bytes);
    void hold(Block& block) { ++block.reference_count; }
    void release(Block& block) {
        MR_ASSERT(block.reference_count > 0);
        if (--block.reference_count == 0) recycle(block);
    }
    // Takes `count` standard blocks (16 at most) from the arena now: output can then be written
    // when the arena has run out of chunks. Start-up.
    void keep_ready(uint32_t count);
    // Told of every arena chunk that becomes a standard block for the first time, so that a
    // backend can register it. Answers an index, and the chunk stays in the pool for ever, or -1,
    // and the chunk may go back to the arena (it's new again when it returns). Set once at
    // start-up; may stay empty.
    struct Registrar {
        void* context = nullptr;
        int32_t (*register_memory)(void* context, std::byte* memory, uint32_t bytes) = nullptr;
    };
    void set_registrar(Registrar registrar) { registrar_ = registrar; }

    static constexpr uint32_t standard_capacity_bytes =
        Arena::chunk_bytes - static_cast<uint32_t>(sizeof(Block));

private:
    static constexpr uint32_t spare_count_max = 16;  // 1 MiB: a busy turn's blocks, ready again

    Block* try_take_standard();
    Block* try_take_fresh();
    void keep(Block& block);
    Block* try_take_long(uint32_t bytes);
    void recycle(Block& block);
    void give_back_standard(Block& block);

    Heap& heap_;
    LedgerLine& line_;
    Registrar registrar_;
    Block* spare_ = nullptr;     // standard blocks at rest, linked through bytes()
    uint32_t spare_count_ = 0;   // from spare_count_max on, blocks go back to the arena unless
                                 // they are registered
};

// Fills blocks by bump allocation: what one stream commits in a row is adjacent in memory. A block
// that nobody else refers to any more is filled again from its start, which keeps it in the cache,
// but only where that costs little adjacency: when it's nearly full or the turn has ended.
class BlockStream {
public:
    explicit BlockStream(BlockPool& pool) : pool_(pool) {}
    ~BlockStream() { close(); }
    BlockStream(const BlockStream&) = delete;
    BlockStream& operator=(const BlockStream&) = delete;

    // Room for `bytes` (at least one), valid until the next call; empty when memory is used up.
    std::span<uint8_t> try_reserve(uint32_t bytes);
    // Makes the first `bytes` of the reserved room a slice. The stream's own reference keeps it
    // valid until the next try_reserve() or rewind_if_unused(): take a reference
    // (BlockPool::hold) before.
    Slice commit(uint32_t bytes);
    // At the end of a turn: starts over in the current block if only the stream refers to it.
    void rewind_if_unused();
    void close();  // lets go of the current block

private:
    bool is_exclusive() const { return current_->reference_count == 1; }
    uint32_t room() const { return current_->capacity_bytes - current_->used_bytes; }

    BlockPool& pool_;
    Block* current_ = nullptr;
};

}  // namespace millrace
