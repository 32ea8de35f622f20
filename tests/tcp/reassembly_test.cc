#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "runtime/shard_memory.h"
#include "seq_ranges.h"
#include "tcp/reassembly.h"

using namespace millrace;
using millrace::test::range;
using millrace::test::ShardMemory;

namespace {

struct Receiver {
    explicit Receiver(SeqNumber start, uint64_t bytes_max = uint64_t{64} << 20)
        : memory(bytes_max), next(start) {}
    ~Receiver() {
        held.clear(memory.heap);
        CHECK(taken_bytes() == 0);
    }

    bool insert(SeqNumber seq, std::string_view text) {
        return held.insert(memory.heap, seq, as_bytes(text));
    }
    // Everything that has become contiguous.
    std::string take() {
        next = held.contiguous_from(next);
        std::string text;
        while (ReassemblyChunk* chunk = held.take_ready(next)) {
            text += as_text({chunk->bytes(), chunk->length});
            Reassembly::free_chunk(memory.heap, chunk);
        }
        return text;
    }
    std::vector<SeqRange> blocks(uint32_t count_max = 4) const {
        std::array<SeqRange, 4> room;
        const uint32_t count = held.sack_blocks(next, std::span(room).first(count_max));
        return {room.begin(), room.begin() + count};
    }
    uint64_t taken_bytes() { return sum(&LedgerLine::bytes); }
    uint64_t chunk_count() { return sum(&LedgerLine::objects); }
    uint64_t sum(Counter LedgerLine::*counter) {
        uint64_t total = 0;
        for (const LedgerLine& line : memory.ledger.lines()) {
            if (line.name.starts_with("heap")) total += (line.*counter).read();
        }
        return total;
    }

    ShardMemory memory;
    Reassembly held;
    SeqNumber next;
};

// What a peer that follows no rule can make us take beside four times what it sent.
constexpr uint64_t taken_spare = 20 * 1024;

}  // namespace

TEST_CASE("reassembly: bytes out of order wait for those before them") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({103}, "def"));
    CHECK(receiver.take().empty());
    CHECK(receiver.held.contiguous_from({100}) == SeqNumber{100});
    CHECK(receiver.held.bytes_held() == 3);
    REQUIRE(receiver.insert({100}, "abc"));
    CHECK(receiver.held.contiguous_from({100}) == SeqNumber{106});
    CHECK(receiver.take() == "abcdef");
    CHECK(receiver.held.empty());
    CHECK(receiver.held.bytes_held() == 0);
}

TEST_CASE("reassembly: bytes before the next expected are ready, in order") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({100}, "abc"));
    REQUIRE(receiver.insert({110}, "xyz"));
    CHECK_FALSE(receiver.held.has_ready({100}));
    CHECK(receiver.held.ready_bytes({100}) == 0);
    CHECK(receiver.held.has_ready({103}));
    CHECK(receiver.held.ready_bytes({103}) == 3);
    CHECK(receiver.take() == "abc");
    CHECK(receiver.held.take_ready({103}) == nullptr);
}

TEST_CASE("reassembly: where two segments overlap the first arrival wins") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({102}, "CD"));
    REQUIRE(receiver.insert({106}, "GH"));
    REQUIRE(receiver.insert({101}, "bcdefghi"));
    CHECK(receiver.held.bytes_held() == 8);
    REQUIRE(receiver.insert({100}, "?????????????"));
    CHECK(receiver.take() == "?bCDefGHi????");
}

TEST_CASE("reassembly: a duplicate changes nothing") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({105}, "hello"));
    const uint64_t before = receiver.taken_bytes();
    REQUIRE(receiver.insert({105}, "HELLO"));
    REQUIRE(receiver.insert({106}, "ELL"));
    CHECK(receiver.held.bytes_held() == 5);
    CHECK(receiver.taken_bytes() == before);
    REQUIRE(receiver.insert({100}, "01234"));
    CHECK(receiver.take() == "01234hello");
}

TEST_CASE("reassembly: an empty segment is nothing") {
    Receiver receiver({100});
    CHECK(receiver.insert({105}, ""));
    CHECK(receiver.held.empty());
}

TEST_CASE("reassembly: what goes on where a chunk ends fills its spare room") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({101}, "a"));
    REQUIRE(receiver.insert({102}, "bcd"));
    CHECK(receiver.chunk_count() == 1);
    REQUIRE(receiver.insert({100}, "0"));
    CHECK(receiver.take() == "0abcd");
}

TEST_CASE("reassembly: a long run of small segments makes few chunks") {
    Receiver receiver({0});
    std::string expected = "0";
    for (uint32_t index = 0; index < 10'000; ++index) {
        const std::string text{static_cast<char>('a' + index % 26), static_cast<char>(index)};
        expected += text;
        REQUIRE(receiver.insert({1 + 2 * index}, text));
    }
    CHECK(receiver.chunk_count() <= 12);
    CHECK(receiver.taken_bytes() <= 2 * receiver.held.bytes_held());
    REQUIRE(receiver.insert({0}, "0"));
    CHECK(receiver.take() == expected);
}

TEST_CASE("reassembly: without memory nothing changes") {
    Receiver receiver({100}, Arena::chunk_bytes);  // one class of objects can exist
    REQUIRE(receiver.insert({110}, "0123456789"));
    const std::string longer(300, 'x');
    CHECK_FALSE(receiver.insert({105}, longer));
    CHECK_FALSE(receiver.insert({115}, longer));
    CHECK(receiver.held.bytes_held() == 10);
    CHECK(receiver.held.contiguous_from({110}) == SeqNumber{120});
    CHECK(receiver.blocks() == std::vector{range(110, 120)});
    REQUIRE(receiver.insert({100}, "abcdefghij"));
    CHECK(receiver.take() == "abcdefghij0123456789");
}

TEST_CASE("reassembly: a duplicate needs no memory") {
    Receiver receiver({100}, Arena::chunk_bytes);
    const std::string text(1'000, 'x');
    REQUIRE(receiver.insert({200}, text));
    std::vector<void*> others;
    while (void* memory = receiver.memory.heap.try_allocate(1'024)) others.push_back(memory);
    CHECK(receiver.insert({200}, text));
    CHECK(receiver.insert({300}, text.substr(0, 900)));
    for (void* memory : others) receiver.memory.heap.free(memory, 1'024);
}

TEST_CASE("reassembly: a duplicate of two chunks needs no memory either") {
    Receiver receiver({100}, Arena::chunk_bytes);
    const std::string text(1'000, 'x');
    REQUIRE(receiver.insert({1'200}, text));
    REQUIRE(receiver.insert({200}, text));
    REQUIRE(receiver.chunk_count() == 2);
    REQUIRE(receiver.insert({5'000}, text));
    std::vector<void*> others;
    while (void* memory = receiver.memory.heap.try_allocate(1'024)) others.push_back(memory);
    CHECK(receiver.insert({700}, std::string(1'500, 'y')));
    CHECK(receiver.blocks() == std::vector{range(200, 2'200), range(5'000, 6'000)});
    for (void* memory : others) receiver.memory.heap.free(memory, 1'024);
}

TEST_CASE("reassembly: the part of a segment before all that is held can be delivered at once") {
    Receiver receiver({100});
    const Bytes bytes = as_bytes("abcdefgh");
    CHECK(as_text(receiver.held.before_all({100}, bytes)) == "abcdefgh");
    REQUIRE(receiver.insert({105}, "FG"));
    CHECK(as_text(receiver.held.before_all({100}, bytes)) == "abcde");
    CHECK(as_text(receiver.held.before_all({97}, bytes)) == "abcdefgh");
    CHECK(receiver.held.before_all({105}, bytes).empty());
    CHECK(receiver.held.before_all({106}, bytes).empty());
}

TEST_CASE("reassembly: the block with the most recent arrival is reported first") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({200}, "aa"));
    REQUIRE(receiver.insert({400}, "cc"));
    REQUIRE(receiver.insert({300}, "bb"));
    CHECK(receiver.blocks() == std::vector{range(300, 302), range(400, 402), range(200, 202)});
    REQUIRE(receiver.insert({202}, "aa"));
    CHECK(receiver.blocks() == std::vector{range(200, 204), range(300, 302), range(400, 402)});
    CHECK(receiver.blocks(2) == std::vector{range(200, 204), range(300, 302)});
    CHECK(receiver.blocks(0).empty());
}

TEST_CASE("reassembly: a duplicate makes its block the most recent") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({200}, "aa"));
    REQUIRE(receiver.insert({300}, "bb"));
    REQUIRE(receiver.insert({200}, "aa"));
    CHECK(receiver.blocks() == std::vector{range(200, 202), range(300, 302)});
}

TEST_CASE("reassembly: chunks that touch are reported as one block") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({300}, "cc"));
    REQUIRE(receiver.insert({298}, "bb"));
    REQUIRE(receiver.insert({400}, "dd"));
    REQUIRE(receiver.insert({296}, "aa"));
    CHECK(receiver.blocks() == std::vector{range(296, 302), range(400, 402)});
}

TEST_CASE("reassembly: what is ready is no block") {
    Receiver receiver({100});
    REQUIRE(receiver.insert({100}, "aa"));
    REQUIRE(receiver.insert({200}, "bb"));
    receiver.next = receiver.held.contiguous_from({100});
    CHECK(receiver.blocks() == std::vector{range(200, 202)});
}

TEST_CASE("reassembly: of many blocks the four most recent are reported") {
    Receiver receiver({0});
    for (uint32_t index = 1; index <= 20; ++index) REQUIRE(receiver.insert({index * 10}, "x"));
    CHECK(receiver.blocks() ==
          std::vector{range(200, 201), range(190, 191), range(180, 181), range(170, 171)});
}

TEST_CASE("reassembly: a gap after every byte takes little memory and few chunks") {
    Receiver receiver({0});
    bool refused = false;
    for (uint32_t index = 1; index < 100'000; ++index) {
        if (!receiver.insert({2 * index}, "x")) refused = true;
    }
    CHECK(refused);
    CHECK(receiver.chunk_count() <= Reassembly::chunks_spare + 2);
    CHECK(receiver.taken_bytes() <= 4 * receiver.held.bytes_held() + taken_spare);
}

TEST_CASE("reassembly: bytes before all others are kept even when there are too many chunks") {
    Receiver receiver({0});
    for (uint32_t index = 1; index < 1'000; ++index) receiver.insert({2 * index}, "x");
    const uint64_t chunks = receiver.chunk_count();
    REQUIRE(receiver.insert({0}, "a"));
    CHECK(receiver.chunk_count() == chunks);
    CHECK(receiver.take() == "a");
    REQUIRE(receiver.insert({1}, "b"));
    CHECK(receiver.take() == "bx");
}

TEST_CASE("reassembly: with too many chunks a segment that replaces some is kept") {
    Receiver receiver({0});
    for (uint32_t index = 1; index < 1'000; ++index) receiver.insert({3 * index}, "x");
    const uint64_t chunks = receiver.chunk_count();
    REQUIRE_FALSE(receiver.insert({5'000}, "y"));
    REQUIRE(receiver.insert({20}, "abcdefg"));
    CHECK(receiver.chunk_count() < chunks);
    REQUIRE(receiver.insert({5'000}, "y"));
}

TEST_CASE("reassembly: segments that come backwards with gaps take few chunks") {
    Receiver receiver({0});
    for (uint32_t index = 50'000; index > 0; --index) receiver.insert({2 * index}, "x");
    CHECK(receiver.chunk_count() <= Reassembly::chunks_spare + 2);
    CHECK(receiver.taken_bytes() <= 4 * receiver.held.bytes_held() + taken_spare);
    CHECK(receiver.held.bytes_held() >= Reassembly::chunks_spare);
}

TEST_CASE("reassembly: with every other segment lost nothing is refused") {
    Receiver receiver({0});
    const std::string text(536, 'x');
    for (uint32_t index = 1; index < 500; index += 2) {
        REQUIRE(receiver.insert({index * 536}, text));
    }
    CHECK(receiver.taken_bytes() <= 2 * receiver.held.bytes_held());
}

namespace {

// What has arrived of each byte of a run, and which copy of it came first.
struct ReassemblyModel {
    explicit ReassemblyModel(uint32_t length) : bytes(length) {}

    void insert(uint32_t begin, const std::string& text) {
        for (uint32_t index = 0; index < text.size(); ++index) {
            auto& byte = bytes[begin + index];
            if (!byte) byte = static_cast<uint8_t>(text[index]);
        }
    }
    // How many bytes from `at` on are there.
    uint32_t run_from(uint32_t at) const {
        uint32_t end = at;
        while (end < bytes.size() && bytes[end]) ++end;
        return end - at;
    }
    uint32_t held_from(uint32_t at) const {
        return static_cast<uint32_t>(std::count_if(bytes.begin() + at, bytes.end(),
                                                   [](const auto& byte) { return !!byte; }));
    }

    void forget_highest(uint32_t count) {
        REQUIRE(count <= bytes.size());
        for (size_t at = bytes.size(); count > 0; --at) {
            if (!bytes[at - 1]) continue;
            bytes[at - 1].reset();
            --count;
        }
    }

    std::vector<std::optional<uint8_t>> bytes;
};

void check_blocks(const Receiver& receiver, const ReassemblyModel& model, SeqNumber origin,
                  uint32_t newest) {
    const uint32_t next = receiver.next - origin;
    const std::vector<SeqRange> blocks = receiver.blocks();
    for (const SeqRange& block : blocks) {
        const uint32_t begin = block.begin - origin;
        REQUIRE(begin > next);
        REQUIRE_FALSE(model.bytes[begin - 1].has_value());
        REQUIRE(model.run_from(begin) == block.bytes());
    }
    // The segment that has just come is in the first block, unless it was in order.
    if (newest >= next + model.run_from(next)) {
        REQUIRE_FALSE(blocks.empty());
        REQUIRE(blocks[0].contains(origin + newest));
    }
    REQUIRE(blocks.empty() == (model.held_from(next) == model.run_from(next)));
}

// Segments of random places and lengths, each with other bytes for the same place, until all of
// the run has been delivered.
void run_reassembly_model(uint64_t seed) {
    Prng prng(seed);
    Receiver receiver({0});
    const uint32_t length = 2'000 + prng.below(20'000);
    const uint32_t longest = 50 + prng.below(3'000);
    const SeqNumber origin{prng.chance(0.6) ? 0u - prng.below(length)
                                            : static_cast<uint32_t>(prng.next())};
    receiver.next = origin;
    ReassemblyModel model(length);
    uint32_t delivered = 0;
    const bool pauses = prng.chance(0.3);
    while (delivered < length) {
        const uint32_t contiguous = receiver.next - origin;
        const uint32_t left = length - contiguous;
        // What is in order comes often enough that the run ends.
        const uint32_t begin = contiguous + (left == 0 || prng.chance(0.1) ? 0 : prng.below(left));
        std::string text(std::min(1 + prng.below(longest), length - begin), ' ');
        for (char& byte : text) byte = static_cast<char>(prng.next());
        const bool kept = receiver.insert(origin + begin, text);
        if (kept) model.insert(begin, text);
        else REQUIRE(receiver.chunk_count() >= Reassembly::chunks_spare);
        // The last chunk may have had to make place for bytes before all others.
        const uint32_t evicted = model.held_from(delivered) - receiver.held.bytes_held();
        if (evicted > 0) {
            REQUIRE(receiver.chunk_count() >= Reassembly::chunks_spare);
            REQUIRE(kept);
            model.forget_highest(evicted);
        }
        REQUIRE(receiver.taken_bytes() <= 4 * receiver.held.bytes_held() + taken_spare);
        receiver.next = receiver.held.contiguous_from(receiver.next);
        const uint32_t next = receiver.next - origin;
        REQUIRE(next == contiguous + model.run_from(contiguous));
        REQUIRE(receiver.held.ready_bytes(receiver.next) == next - delivered);
        if (kept) check_blocks(receiver, model, origin, begin);
        if (pauses && next < length && prng.chance(0.8)) continue;
        for (const char byte : receiver.take()) {
            REQUIRE(model.bytes[delivered] == static_cast<uint8_t>(byte));
            ++delivered;
        }
        REQUIRE(delivered == next);
    }
    REQUIRE(receiver.held.empty());
}

}  // namespace

TEST_CASE("reassembly: every byte of random segments is delivered once, as it first came") {
    for (uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        run_reassembly_model(seed);
    }
}

TEST_CASE("reassembly: no mix of small segments takes more memory than it may") {
    for (uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        Prng prng(seed);
        Receiver receiver({0});
        const uint32_t longest = 1 + prng.below(40);
        for (int step = 0; step < 4'000; ++step) {
            const std::string text(1 + prng.below(longest), 'x');
            receiver.insert({1 + prng.below(200'000)}, text);
            REQUIRE(receiver.taken_bytes() <= 4 * receiver.held.bytes_held() + taken_spare);
        }
    }
}
