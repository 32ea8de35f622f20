#include <cstring>
#include <vector>

#include "runtime/block.h"
#include "shard_memory.h"

using namespace millrace;
using millrace::test::ShardMemory;

namespace {

struct Blocks : ShardMemory {
    explicit Blocks(uint64_t bytes_max = 16 << 20) : ShardMemory(bytes_max), pool(heap, ledger) {}

    BlockPool pool;
};

Slice write(BlockStream& stream, std::string_view text) {
    const auto room = stream.try_reserve(static_cast<uint32_t>(text.size()));
    REQUIRE(room.size() == text.size());
    std::memcpy(room.data(), text.data(), text.size());
    return stream.commit(static_cast<uint32_t>(text.size()));
}

// Reserves and commits `bytes` and returns the slice.
Slice fill(BlockStream& stream, uint32_t bytes) {
    const auto room = stream.try_reserve(bytes);
    REQUIRE(room.size() == bytes);
    std::memset(room.data(), 0x77, bytes);
    return stream.commit(bytes);
}

}  // namespace

TEST_CASE("block pool: a standard block is one chunk with the header in front") {
    Blocks blocks;
    Block* block = blocks.pool.try_take(100);
    REQUIRE(block != nullptr);
    CHECK(reinterpret_cast<uint64_t>(block) % Arena::chunk_bytes == 0);
    CHECK(block->capacity_bytes == Arena::chunk_bytes - 16);
    CHECK(block->reference_count == 1);
    CHECK(block->used_bytes == 0);
    CHECK(block->registered_index == -1);
    std::memset(block->bytes(), 1, block->capacity_bytes);
    CHECK(blocks.line("blocks").objects.read() == 1);
    CHECK(blocks.line("blocks").bytes.read() == Arena::chunk_bytes);
    blocks.pool.release(*block);
    CHECK(blocks.line("blocks").objects.read() == 0);
    CHECK(blocks.line("blocks").bytes.read() == 0);
}

TEST_CASE("block pool: a block stays until its last reference is released") {
    Blocks blocks;
    Block* block = blocks.pool.try_take(1);
    blocks.pool.hold(*block);
    blocks.pool.release(*block);
    CHECK(blocks.line("blocks").objects.read() == 1);
    CHECK(blocks.pool.try_take(1) != block);
    blocks.pool.release(*block);
    CHECK(blocks.pool.try_take(1) == block);
}

TEST_CASE("block pool: a longer frame gets a block of its own from the heap") {
    Blocks blocks;
    Block* block = blocks.pool.try_take(1 << 20);
    REQUIRE(block != nullptr);
    CHECK(block->capacity_bytes >= 1 << 20);
    std::memset(block->bytes(), 1, block->capacity_bytes);
    CHECK(blocks.line("heap large").objects.read() == 1);
    CHECK(blocks.line("blocks").reserved_bytes.read() == 0);
    blocks.pool.release(*block);
    CHECK(blocks.line("heap large").objects.read() == 0);
    CHECK(blocks.arena->charged_bytes() == 0);
}

TEST_CASE("block pool: exhaustion gives null and a release makes room") {
    Blocks blocks(2 * Arena::chunk_bytes);
    Block* first = blocks.pool.try_take(1);
    REQUIRE(blocks.pool.try_take(1) != nullptr);
    CHECK(blocks.pool.try_take(1) == nullptr);
    CHECK(blocks.pool.try_take(100'000) == nullptr);
    CHECK(blocks.pool.try_take(UINT32_MAX) == nullptr);
    blocks.pool.release(*first);
    CHECK(blocks.pool.try_take(1) == first);
}

TEST_CASE("block pool: only some blocks are kept at rest, the rest goes to the arena") {
    Blocks blocks;
    std::vector<Block*> taken;
    for (int count = 0; count < 100; ++count) taken.push_back(blocks.pool.try_take(1));
    CHECK(blocks.arena->taken_bytes() == 100 * Arena::chunk_bytes);
    for (Block* block : taken) blocks.pool.release(*block);
    CHECK(blocks.arena->taken_bytes() == 16 * Arena::chunk_bytes);
    CHECK(blocks.line("blocks").reserved_bytes.read() == 16 * Arena::chunk_bytes);
}

TEST_CASE("block pool: registered chunks are registered once and stay") {
    Blocks blocks;
    std::vector<std::byte*> registered;
    blocks.pool.set_registrar(
        {.context = &registered,
         .register_memory = [](void* context, std::byte* memory, uint32_t bytes) {
             CHECK(bytes == Arena::chunk_bytes);
             auto& list = *static_cast<std::vector<std::byte*>*>(context);
             list.push_back(memory);
             return static_cast<int32_t>(list.size() - 1);
         }});
    for (int round = 0; round < 3; ++round) {
        std::vector<Block*> taken;
        for (int count = 0; count < 40; ++count) {
            Block* block = blocks.pool.try_take(1);
            REQUIRE(block->registered_index >= 0);
            CHECK(registered[static_cast<size_t>(block->registered_index)] ==
                  reinterpret_cast<std::byte*>(block));
            taken.push_back(block);
        }
        for (Block* block : taken) blocks.pool.release(*block);
    }
    CHECK(registered.size() == 40);
    CHECK(blocks.arena->taken_bytes() == 40 * Arena::chunk_bytes);
}

TEST_CASE("block stream: what is committed in a row is adjacent") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    const Slice first = write(stream, "hello ");
    const Slice second = write(stream, "world");
    CHECK(first.block == second.block);
    CHECK(first.offset + first.length == second.offset);
    CHECK(as_text({first.data(), 11}) == "hello world");
    CHECK(as_text(second.from(2).bytes()) == "rld");
}

TEST_CASE("block stream: less may be committed than was reserved, and nothing too") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    REQUIRE(stream.try_reserve(1000).size() == 1000);
    const Slice first = stream.commit(10);
    REQUIRE(stream.try_reserve(1000).size() == 1000);
    CHECK(stream.commit(0).empty());
    CHECK(write(stream, "x").offset == first.offset + 10);
}

TEST_CASE("block stream: what doesn't fit moves on, and held bytes stay as they were") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    const Slice first = write(stream, "kept");
    blocks.pool.hold(*first.block);
    fill(stream, 40'000);
    const Slice next = fill(stream, 40'000);
    CHECK(next.block != first.block);
    CHECK(next.offset == 0);
    CHECK(as_text(first.bytes()) == "kept");
    CHECK(blocks.line("blocks").objects.read() == 2);
    blocks.pool.release(*first.block);
    CHECK(blocks.line("blocks").objects.read() == 1);
}

TEST_CASE("block stream: a nearly full block that nobody holds is used again from its start") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    const Slice first = fill(stream, 1000);
    const Slice second = fill(stream, 55'000);
    CHECK(second.offset == 1000);  // not rewound while there's plenty of room
    const Slice third = fill(stream, 1000);
    CHECK(third.block == first.block);
    CHECK(third.offset == 0);
    CHECK(blocks.line("blocks").objects.read() == 1);
}

TEST_CASE("block stream: a nearly full block that is held is filled to its end") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    const Slice first = fill(stream, 60'000);
    blocks.pool.hold(*first.block);
    const Slice second = fill(stream, 5000);
    CHECK(second.block == first.block);
    CHECK(second.offset == 60'000);
    blocks.pool.release(*first.block);
}

TEST_CASE("block stream: at the end of a turn an unused block is rewound, a used one isn't") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    stream.rewind_if_unused();  // with no block: nothing to do
    const Slice first = write(stream, "first");
    blocks.pool.hold(*first.block);
    stream.rewind_if_unused();
    CHECK(write(stream, "second").offset == 5);
    blocks.pool.release(*first.block);
    stream.rewind_if_unused();
    CHECK(write(stream, "third").offset == 0);
}

TEST_CASE("block stream: a long block is let go when it isn't needed any more") {
    Blocks blocks;
    BlockStream stream(blocks.pool);
    const Slice longer = fill(stream, 200'000);
    CHECK(longer.length == 200'000);
    CHECK(blocks.line("heap large").objects.read() == 1);
    stream.rewind_if_unused();
    CHECK(blocks.line("heap large").objects.read() == 0);
    fill(stream, 200'000);
    const Slice next = write(stream, "short");
    CHECK(next.block->capacity_bytes == BlockPool::standard_capacity_bytes);
    CHECK(blocks.line("heap large").objects.read() == 0);
}

TEST_CASE("block stream: exhaustion gives an empty span and the stream recovers") {
    Blocks blocks(Arena::chunk_bytes);
    BlockStream stream(blocks.pool);
    const Slice first = fill(stream, 60'000);
    blocks.pool.hold(*first.block);
    CHECK(stream.try_reserve(10'000).empty());
    CHECK(fill(stream, 100).offset == 60'000);
    blocks.pool.release(*first.block);
    CHECK(fill(stream, 10'000).offset == 0);
}

TEST_CASE("block stream: closing gives its block back") {
    Blocks blocks;
    {
        BlockStream stream(blocks.pool);
        write(stream, "x");
        stream.close();
        CHECK(blocks.line("blocks").objects.read() == 0);
        write(stream, "y");
        CHECK(blocks.line("blocks").objects.read() == 1);
    }
    CHECK(blocks.line("blocks").objects.read() == 0);
}
