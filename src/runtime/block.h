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
    // Told of every arena chunk that becomes a standard block for the first time, so that a
    // backend can register it. Set once at start-up; may stay empty.
    struct Registrar {
        void* context = nullptr;
        int32_t (*register_memory)(void* context, std::byte* memory, uint32_t bytes) = nullptr;
    };
    void set_registrar(Registrar registrar) { registrar_ = registrar; }

private:
    void recycle(Block& block);

    Heap& heap_;
    LedgerLine& line_;
    Registrar registrar_;
    Block* spare_ = nullptr;     // standard blocks at rest, linked through bytes()
    uint32_t spare_count_ = 0;   // kept at rest at the most: the rest goes back to the arena,
                                 // unless it is registered
};

// Fills blocks by bump allocation: what one stream commits in a row is adjacent in memory.
class BlockStream {
public:
    explicit BlockStream(BlockPool& pool) : pool_(pool) {}
    ~BlockStream() { close(); }
    BlockStream(const BlockStream&) = delete;
    BlockStream& operator=(const BlockStream&) = delete;

    // Room for `bytes`, valid until the next call; empty when memory is used up.
    std::span<uint8_t> try_reserve(uint32_t bytes);
    // Makes the first `bytes` of the reserved room a slice. The stream's own reference keeps it
    // alive until the stream moves to another block: take a reference (BlockPool::hold) before.
    Slice commit(uint32_t bytes);
    void close();  // lets go of the current block

private:
    BlockPool& pool_;
    Block* current_ = nullptr;
};

}  // namespace millrace
