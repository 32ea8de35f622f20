#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "net/send_ring.h"
#include "runtime/shard_memory.h"

using namespace millrace;
using millrace::test::ShardMemory;

namespace {

struct RingMemory : ShardMemory {
    explicit RingMemory(uint64_t bytes_max = uint64_t{64} << 20)
        : ShardMemory(bytes_max), blocks(heap, ledger) {}

    BlockPool blocks;
};

// A block that holds the text, counted once for the caller.
Block& make_block(RingMemory& memory, std::string_view text) {
    Block* block = memory.blocks.try_take(static_cast<uint32_t>(text.size()));
    REQUIRE(block != nullptr);
    std::memcpy(block->bytes(), text.data(), text.size());
    block->used_bytes = static_cast<uint32_t>(text.size());
    return *block;
}

std::string content(const SendRing& ring) {
    std::string text;
    for (uint32_t index = 0; index < ring.slot_count(); ++index) {
        text += as_text(ring.at(index).bytes());
    }
    return text;
}

}  // namespace

TEST_CASE("send ring: a queued slice keeps its block until its last byte is consumed") {
    RingMemory memory;
    Block& block = make_block(memory, "hello");
    SendRing ring;
    CHECK(ring.empty());
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 0, 5}));
    CHECK(block.reference_count == 2);
    CHECK(ring.bytes_queued() == 5);
    ring.consume(memory.heap, memory.blocks, 4);
    CHECK(block.reference_count == 2);
    CHECK(content(ring) == "o");
    ring.consume(memory.heap, memory.blocks, 1);
    CHECK(block.reference_count == 1);
    CHECK(ring.empty());
    CHECK(ring.bytes_queued() == 0);
    memory.blocks.release(block);
}

TEST_CASE("send ring: a slice that begins where the newest ends joins its slot") {
    RingMemory memory;
    Block& block = make_block(memory, "abcdef");
    SendRing ring;
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 0, 2}));
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 2, 2}));
    CHECK(ring.slot_count() == 1);
    CHECK(block.reference_count == 2);
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 5, 1}));  // a gap before it
    CHECK(ring.slot_count() == 2);
    CHECK(block.reference_count == 3);
    CHECK(content(ring) == "abcdf");
    ring.clear(memory.heap, memory.blocks);
    CHECK(block.reference_count == 1);
    memory.blocks.release(block);
}

TEST_CASE("send ring: adjacent slices of different blocks don't join") {
    RingMemory memory;
    Block& one = make_block(memory, "ab");
    Block& two = make_block(memory, "cdef");
    SendRing ring;
    REQUIRE(ring.push(memory.heap, memory.blocks, {&one, 0, 2}));
    REQUIRE(ring.push(memory.heap, memory.blocks, {&two, 2, 2}));
    CHECK(ring.slot_count() == 2);
    CHECK(content(ring) == "abef");
    ring.clear(memory.heap, memory.blocks);
    memory.blocks.release(one);
    memory.blocks.release(two);
}

TEST_CASE("send ring: a slice joins a slot that is partly sent") {
    RingMemory memory;
    Block& block = make_block(memory, "abcd");
    SendRing ring;
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 0, 2}));
    ring.consume(memory.heap, memory.blocks, 1);
    REQUIRE(ring.push(memory.heap, memory.blocks, {&block, 2, 2}));
    CHECK(ring.slot_count() == 1);
    CHECK(content(ring) == "bcd");
    ring.clear(memory.heap, memory.blocks);
    memory.blocks.release(block);
}

TEST_CASE("send ring: gather gives the oldest bytes first and stops at its room") {
    RingMemory memory;
    Block& block = make_block(memory, "a-b-c-d");
    SendRing ring;
    std::array<iovec, 3> vectors{};
    CHECK(ring.gather(vectors) == 0);
    for (uint32_t offset = 0; offset < 7; offset += 2) {
        REQUIRE(ring.push(memory.heap, memory.blocks, {&block, offset, 1}));
    }
    CHECK(ring.gather(vectors) == 3);
    CHECK(vectors[0].iov_base == block.bytes());
    CHECK(vectors[2].iov_base == block.bytes() + 4);
    CHECK(vectors[2].iov_len == 1);
    ring.consume(memory.heap, memory.blocks, 3);
    CHECK(ring.gather(vectors) == 1);
    CHECK(vectors[0].iov_base == block.bytes() + 6);
    ring.clear(memory.heap, memory.blocks);
    memory.blocks.release(block);
}

TEST_CASE("send ring: it refuses past its most slots, and nothing changes") {
    RingMemory memory;
    Block& block = make_block(memory, std::string(2 * SendRing::slots_max + 2, 'x'));
    SendRing ring;
    for (uint32_t slot = 0; slot < SendRing::slots_max; ++slot) {
        REQUIRE(ring.push(memory.heap, memory.blocks, {&block, slot * 2, 1}));
    }
    CHECK_FALSE(ring.push(memory.heap, memory.blocks, {&block, 2 * SendRing::slots_max, 1}));
    CHECK(ring.slot_count() == SendRing::slots_max);
    CHECK(ring.bytes_queued() == SendRing::slots_max);
    CHECK(block.reference_count == SendRing::slots_max + 1);
    // What joins the newest slot still fits.
    CHECK(ring.push(memory.heap, memory.blocks, {&block, 2 * SendRing::slots_max - 1, 1}));
    ring.clear(memory.heap, memory.blocks);
    CHECK(block.reference_count == 1);
    memory.blocks.release(block);
}

TEST_CASE("send ring: without memory for a slot it refuses, and what is queued stays") {
    RingMemory memory(8 * Arena::chunk_bytes);
    Block& block = make_block(memory, "0123456789abcdef");
    while (memory.arena->try_take_chunk() != nullptr) {}  // nothing is left
    SendRing ring;
    uint32_t pushed = 0;
    while (pushed < 8 && ring.push(memory.heap, memory.blocks, {&block, pushed * 2, 1})) ++pushed;
    // The first slot needs no memory; no more than that may be promised.
    CHECK(pushed >= 1);
    CHECK(pushed < 8);
    CHECK(ring.slot_count() == pushed);
    CHECK(block.reference_count == pushed + 1);
    CHECK(content(ring) == std::string("02468ace").substr(0, pushed));
    ring.clear(memory.heap, memory.blocks);
    memory.blocks.release(block);
}

TEST_CASE("send ring: it agrees with a plain queue of bytes over random operations") {
    RingMemory memory;
    std::string text;
    for (int index = 0; index < 1'000; ++index) text += static_cast<char>('a' + index % 26);
    Block* blocks[3];
    for (Block*& block : blocks) block = &make_block(memory, text);
    SendRing ring;
    std::string model;
    Prng random(12);
    for (int step = 0; step < 50'000; ++step) {
        const bool fills = (step / 1'000) % 2 == 0;
        if (random.chance(fills ? 0.7 : 0.3)) {
            const uint32_t offset = random.below(900);
            const uint32_t length = 1 + random.below(random.chance(0.1) ? 100 : 3);
            Block& block = *blocks[random.below(3)];
            REQUIRE(ring.push(memory.heap, memory.blocks, {&block, offset, length}));
            model += text.substr(offset, length);
        } else if (!model.empty()) {
            const uint32_t most = std::min<uint32_t>(200, static_cast<uint32_t>(model.size()));
            const uint32_t bytes = random.below(most + 1);
            ring.consume(memory.heap, memory.blocks, bytes);
            model.erase(0, bytes);
        }
        REQUIRE(ring.bytes_queued() == model.size());
        if (step % 50 == 0) REQUIRE(content(ring) == model);
    }
    ring.clear(memory.heap, memory.blocks);
    CHECK(ring.empty());
    for (Block* block : blocks) {
        CHECK(block->reference_count == 1);
        memory.blocks.release(*block);
    }
}

TEST_CASE("send ring: an empty ring owns no memory") {
    RingMemory memory;
    Block& block = make_block(memory, std::string(1'000, 'x'));
    const auto heap_bytes = [&] {
        uint64_t bytes = 0;
        for (const LedgerLine& line : memory.ledger.lines()) bytes += line.bytes.read();
        return bytes;
    };
    const uint64_t before = heap_bytes();
    SendRing ring;
    for (uint32_t slot = 0; slot < 300; ++slot) {
        REQUIRE(ring.push(memory.heap, memory.blocks, {&block, slot * 2, 1}));
    }
    CHECK(heap_bytes() > before);
    ring.consume(memory.heap, memory.blocks, 300);
    CHECK(heap_bytes() == before);
    memory.blocks.release(block);
}
