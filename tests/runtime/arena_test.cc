#include <cstring>
#include <vector>

#include "shard_memory.h"

using namespace millrace;
using millrace::test::make_arena;
using millrace::test::resident_bytes;

TEST_CASE("arena: chunks are aligned, writable and apart") {
    auto arena = make_arena(1 << 20);
    std::vector<std::byte*> chunks;
    while (std::byte* chunk = arena->try_take_chunk()) {
        CHECK(reinterpret_cast<uint64_t>(chunk) % Arena::chunk_bytes == 0);
        std::memset(chunk, static_cast<int>(chunks.size()), Arena::chunk_bytes);
        chunks.push_back(chunk);
    }
    REQUIRE(chunks.size() == 16);
    for (size_t index = 0; index < chunks.size(); ++index) {
        CHECK(chunks[index][0] == static_cast<std::byte>(index));
        CHECK(chunks[index][Arena::chunk_bytes - 1] == static_cast<std::byte>(index));
    }
    for (std::byte* chunk : chunks) arena->give_back_chunk(chunk);
    CHECK(arena->taken_bytes() == 0);
}

TEST_CASE("arena: a used-up arena gives null and gives again what came back") {
    auto arena = make_arena(3 * Arena::chunk_bytes);
    std::byte* first = arena->try_take_chunk();
    std::byte* second = arena->try_take_chunk();
    std::byte* third = arena->try_take_chunk();
    REQUIRE(third != nullptr);
    CHECK(arena->try_take_chunk() == nullptr);
    CHECK(arena->taken_bytes() == arena->bytes_max());
    arena->give_back_chunk(second);
    arena->give_back_chunk(first);
    CHECK(arena->try_take_chunk() == first);  // the newest first
    CHECK(arena->try_take_chunk() == second);
    CHECK(arena->try_take_chunk() == nullptr);
}

TEST_CASE("arena: a budget that is no multiple of a chunk is rounded down") {
    auto arena = make_arena(2 * Arena::chunk_bytes + 5000);
    CHECK(arena->bytes_max() == 2 * Arena::chunk_bytes);
    CHECK(arena->try_take_chunk() != nullptr);
    CHECK(arena->try_take_chunk() != nullptr);
    CHECK(arena->try_take_chunk() == nullptr);
}

TEST_CASE("arena: a budget below one chunk is refused with the accepted range") {
    auto arena = Arena::create({.bytes_max = 100, .huge_pages = HugePages::off});
    REQUIRE(!arena.has_value());
    CHECK(arena.error().code == Errc::invalid_argument);
    CHECK(arena.error().message.find("65536") != std::string::npos);
}

TEST_CASE("arena: charges and chunks share one budget") {
    auto arena = make_arena(4 * Arena::chunk_bytes);
    REQUIRE(arena->try_take_chunk() != nullptr);
    CHECK(!arena->try_charge(3 * Arena::chunk_bytes + 1));
    CHECK(arena->charged_bytes() == 0);
    CHECK(arena->try_charge(2 * Arena::chunk_bytes + 1));
    CHECK(arena->try_take_chunk() == nullptr);
    arena->refund(1);
    CHECK(arena->try_take_chunk() != nullptr);
    CHECK(!arena->try_charge(1));
}

TEST_CASE("arena: a chunk's link keeps what its owner put there until it is given back") {
    auto arena = make_arena(1 << 20);
    std::byte* first = arena->try_take_chunk();
    std::byte* second = arena->try_take_chunk();
    CHECK(arena->link(second) == nullptr);
    arena->link(second) = first;
    CHECK(arena->link(second) == first);
    arena->give_back_chunk(second);
    CHECK(arena->try_take_chunk() == second);
    CHECK(arena->link(second) == nullptr);
}

TEST_CASE("arena: with huge pages wanted, every chunk works whether or not the pool has any") {
    auto arena = make_arena(8 << 20, HugePages::when_any);
    uint32_t count = 0;
    while (std::byte* chunk = arena->try_take_chunk()) {
        std::memset(chunk, 0x5a, Arena::chunk_bytes);
        ++count;
    }
    CHECK(count == 128);
    CHECK(arena->huge_page_bytes() % (2 << 20) == 0);
    CHECK(arena->huge_page_bytes() <= arena->bytes_max());
}

TEST_CASE("arena: pages that nobody touched cost no memory") {
    auto arena = make_arena(256 << 20);
    const uint64_t before = resident_bytes();
    while (arena->try_take_chunk() != nullptr) {
    }
    CHECK(resident_bytes() - before < 4 << 20);
}
