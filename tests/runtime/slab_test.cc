#include <cstring>
#include <set>
#include <vector>

#include "base/prng.h"
#include "shard_memory.h"

using namespace millrace;
using millrace::test::make_arena;
using millrace::test::resident_bytes;
using millrace::test::ShardMemory;

TEST_CASE("slab: objects don't overlap and a chunk is filled to its end") {
    auto arena = make_arena(Arena::chunk_bytes);
    Ledger ledger;
    SlabClass objects(*arena, ledger.line("objects"), 30);
    CHECK(objects.object_bytes() == 32);
    std::set<std::byte*> seen;
    while (void* object = objects.try_allocate()) {
        std::memset(object, 0xff, 32);
        seen.insert(static_cast<std::byte*>(object));
    }
    CHECK(seen.size() == Arena::chunk_bytes / 32);
    std::byte* previous = nullptr;
    for (std::byte* object : seen) {
        if (previous != nullptr) CHECK(object - previous >= 32);
        previous = object;
    }
    CHECK(ledger.line("objects").objects.read() == 2048);
    CHECK(ledger.line("objects").bytes.read() == Arena::chunk_bytes);
    CHECK(ledger.line("objects").reserved_bytes.read() == Arena::chunk_bytes);
    for (std::byte* object : seen) objects.free(object);
    CHECK(ledger.line("objects").objects.read() == 0);
    CHECK(ledger.line("objects").bytes.read() == 0);
}

TEST_CASE("slab: the object freed last is the next one handed out") {
    auto arena = make_arena(1 << 20);
    Ledger ledger;
    SlabClass objects(*arena, ledger.line("objects"), 48);
    void* first = objects.try_allocate();
    void* second = objects.try_allocate();
    objects.free(first);
    objects.free(second);
    CHECK(objects.try_allocate() == second);
    CHECK(objects.try_allocate() == first);
}

TEST_CASE("slab: an exhausted class gives null and works again after a free") {
    auto arena = make_arena(Arena::chunk_bytes);
    Ledger ledger;
    SlabClass objects(*arena, ledger.line("objects"), 32 * 1024);
    void* first = objects.try_allocate();
    REQUIRE(first != nullptr);
    REQUIRE(objects.try_allocate() != nullptr);
    CHECK(objects.try_allocate() == nullptr);
    objects.free(first);
    CHECK(objects.try_allocate() == first);
}

TEST_CASE("slab: a class that goes gives its chunks back") {
    auto arena = make_arena(2 * Arena::chunk_bytes);
    Ledger ledger;
    for (int round = 0; round < 3; ++round) {
        SlabClass objects(*arena, ledger.line("objects"), 40000);
        REQUIRE(objects.try_allocate() != nullptr);
        REQUIRE(objects.try_allocate() != nullptr);
        CHECK(arena->taken_bytes() == arena->bytes_max());
    }
    CHECK(arena->taken_bytes() == 0);
    CHECK(ledger.line("objects").reserved_bytes.read() == 0);
}

TEST_CASE("slab: typed objects are constructed and destroyed") {
    struct Traced {
        explicit Traced(int* alive) : alive(alive) { ++*alive; }
        ~Traced() { --*alive; }
        int* alive;
    };
    auto arena = make_arena(1 << 20);
    Ledger ledger;
    Slab<Traced> slab(*arena, ledger.line("traced"));
    int alive = 0;
    Traced* object = slab.try_make(&alive);
    REQUIRE(object != nullptr);
    CHECK(alive == 1);
    slab.destroy(object);
    CHECK(alive == 0);
    CHECK(ledger.line("traced").objects.read() == 0);
}

TEST_CASE("slab: memory grows with the objects handed out, not with the chunks") {
    auto arena = make_arena(64 << 20);
    Ledger ledger;
    const uint64_t before = resident_bytes();
    std::vector<std::unique_ptr<SlabClass>> classes;
    for (uint32_t index = 0; index < 200; ++index) {
        classes.push_back(std::make_unique<SlabClass>(*arena, ledger.line("objects"), 64));
        REQUIRE(classes.back()->try_allocate() != nullptr);
    }
    CHECK(arena->taken_bytes() == 200 * Arena::chunk_bytes);  // 12.5 MiB
    CHECK(resident_bytes() - before < 4 << 20);
}

TEST_CASE("heap: rounding is enough, close, and rounds to itself") {
    for (uint32_t bytes = 0; bytes <= 70000; ++bytes) {
        const uint32_t rounded = Heap::rounded(bytes);
        REQUIRE(rounded >= bytes);
        REQUIRE(rounded % 8 == 0);
        REQUIRE(Heap::rounded(rounded) == rounded);
        if (bytes > 512)
            REQUIRE(rounded <= bytes + bytes / 4 + 1);
        else if (bytes > 0)
            REQUIRE(rounded < bytes + 16);
    }
    CHECK(Heap::rounded(0) == 16);
    CHECK(Heap::rounded(512) == 512);
    CHECK(Heap::rounded(513) == 640);
    CHECK(Heap::rounded(32 * 1024) == 32 * 1024);
    CHECK(Heap::rounded(32 * 1024 + 1) == 36 * 1024);
    CHECK(Heap::rounded(UINT32_MAX) == UINT32_MAX);
}

TEST_CASE("heap: an empty heap has taken nothing") {
    ShardMemory memory(1 << 20);
    CHECK(memory.arena->taken_bytes() == 0);
    CHECK(memory.ledger.lines().size() == 57);
}

TEST_CASE("heap: random lengths keep their bytes and the ledger returns to zero") {
    struct Run {
        uint8_t* memory;
        uint32_t bytes;
        uint8_t mark;
    };
    ShardMemory memory(64 << 20);
    Prng prng(7);
    std::vector<Run> runs;
    for (uint32_t step = 0; step < 50'000; ++step) {
        if (runs.size() < 200 || prng.below(2) == 0) {
            const uint32_t bytes = prng.below(1u << (4 + prng.below(13)));
            auto* place = static_cast<uint8_t*>(memory.heap.try_allocate(bytes));
            REQUIRE(place != nullptr);
            REQUIRE(reinterpret_cast<uint64_t>(place) % 8 == 0);
            const uint8_t mark = static_cast<uint8_t>(step);
            std::memset(place, mark, Heap::rounded(bytes));
            runs.push_back({place, bytes, mark});
        } else {
            const uint32_t index = prng.below(static_cast<uint32_t>(runs.size()));
            const Run run = runs[index];
            REQUIRE(run.memory[0] == run.mark);
            REQUIRE(run.memory[Heap::rounded(run.bytes) - 1] == run.mark);
            memory.heap.free(run.memory, step % 2 == 0 ? run.bytes : Heap::rounded(run.bytes));
            runs[index] = runs.back();
            runs.pop_back();
        }
    }
    for (const Run& run : runs) memory.heap.free(run.memory, run.bytes);
    for (const LedgerLine& line : memory.ledger.lines()) {
        CHECK(line.objects.read() == 0);
        CHECK(line.bytes.read() == 0);
    }
    CHECK(memory.arena->charged_bytes() == 0);
}

TEST_CASE("heap: long runs are counted against the same budget and it recovers") {
    ShardMemory memory(4 * Arena::chunk_bytes);
    void* small = memory.heap.try_allocate(100);
    REQUIRE(small != nullptr);
    void* large = memory.heap.try_allocate(150'000);
    REQUIRE(large != nullptr);
    CHECK(memory.line("heap large").objects.read() == 1);
    CHECK(memory.line("heap large").bytes.read() == Heap::rounded(150'000));
    CHECK(memory.line("heap 112").objects.read() == 1);
    CHECK(memory.heap.try_allocate(60'000) == nullptr);
    CHECK(memory.heap.try_allocate(UINT32_MAX) == nullptr);
    CHECK(memory.heap.try_allocate(1000) == nullptr);  // its class has no chunk yet
    memory.heap.free(large, 150'000);
    CHECK(memory.line("heap large").reserved_bytes.read() == 0);
    void* again = memory.heap.try_allocate(1000);
    CHECK(again != nullptr);
    memory.heap.free(again, 1000);
    memory.heap.free(small, 100);
}
