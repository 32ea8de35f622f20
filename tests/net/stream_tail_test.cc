#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "net/stream_tail.h"
#include "runtime/shard_memory.h"

using namespace millrace;
using millrace::test::ShardMemory;

namespace {

using Status = StreamTail::Status;
using Messages = std::vector<std::string>;

struct TailMemory : ShardMemory {
    explicit TailMemory(uint64_t bytes_max = uint64_t{64} << 20) : ShardMemory(bytes_max) {}

    uint64_t bytes_out() const {
        uint64_t bytes = 0;
        for (const LedgerLine& line : ledger.lines()) bytes += line.bytes.read();
        return bytes;
    }
};

// Framed like MQTT: a type byte, a length of one to three bytes, content.
std::string message(size_t content_bytes, char fill) {
    std::string text = "M";
    size_t left = content_bytes;
    do {
        text += static_cast<char>((left & 127) | (left > 127 ? 128 : 0));
        left >>= 7;
    } while (left > 0);
    return text + std::string(content_bytes, fill);
}
Result<uint32_t> frame(Bytes bytes) {
    if (bytes[0] != 'M') return fail(Errc::malformed);
    uint32_t content = 0;
    for (uint32_t index = 1; index <= 3; ++index) {
        if (index >= bytes.size()) return fail(Errc::incomplete);
        content |= uint32_t{bytes[index] & 127u} << ((index - 1) * 7);
        if ((bytes[index] & 128) != 0) continue;
        if (content > 50'000) return fail(Errc::too_large);
        return index + 1 + content;
    }
    return fail(Errc::malformed);
}

struct Receiver {
    TailMemory& memory;
    StreamTail tail{};
    Messages messages{};

    ~Receiver() { tail.clear(memory.heap); }
    Status feed(std::string_view text) {
        // A copy of exactly that length, so that a sanitizer sees a read past its end.
        const std::vector<uint8_t> exact(text.begin(), text.end());
        return tail.feed(memory.heap, exact, frame, [&](Bytes whole) {
            messages.emplace_back(as_text(whole));
            return true;
        });
    }
};

const Messages mixed_messages{message(0, 'a'),   message(0, 'b'),   message(1, 'c'),
                              message(127, 'd'), message(0, 'e'),   message(128, 'f'),
                              message(2, 'g'),   message(300, 'h'), message(0, 'i')};

std::string joined(const Messages& messages) {
    std::string text;
    for (const std::string& one : messages) text += one;
    return text;
}

}  // namespace

TEST_CASE("stream tail: whole messages are handed on where they lie") {
    TailMemory memory;
    StreamTail tail;
    const std::string stream = joined(mixed_messages);
    const uint8_t* next = as_bytes(stream).data();
    const Status status = tail.feed(memory.heap, as_bytes(stream), frame, [&](Bytes whole) {
        CHECK(whole.data() == next);
        next += whole.size();
        return true;
    });
    CHECK(status == Status::ok);
    CHECK(next == as_bytes(stream).data() + stream.size());
    CHECK(tail.empty());
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("stream tail: a stream cut at any one point gives the same messages") {
    TailMemory memory;
    const std::string stream = joined(mixed_messages);
    for (size_t cut = 0; cut <= stream.size(); ++cut) {
        Receiver receiver{memory};
        REQUIRE(receiver.feed(stream.substr(0, cut)) == Status::ok);
        REQUIRE(receiver.feed(stream.substr(cut)) == Status::ok);
        REQUIRE(receiver.messages == mixed_messages);
        REQUIRE(receiver.tail.empty());
        REQUIRE(memory.bytes_out() == 0);
    }
}

TEST_CASE("stream tail: short messages cut at any two points give the same messages") {
    TailMemory memory;
    const Messages messages{message(0, 'a'), message(0, 'b'), message(3, 'c'),
                            message(130, 'd'), message(0, 'e'), message(0, 'f')};
    const std::string stream = joined(messages);
    for (size_t first = 0; first <= stream.size(); ++first) {
        for (size_t second = first; second <= stream.size(); ++second) {
            Receiver receiver{memory};
            receiver.feed(stream.substr(0, first));
            receiver.feed(stream.substr(first, second - first));
            receiver.feed(stream.substr(second));
            REQUIRE(receiver.messages == messages);
            REQUIRE(receiver.tail.empty());
        }
    }
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("stream tail: byte by byte, each message comes with its last byte") {
    TailMemory memory;
    Receiver receiver{memory};
    size_t end_of_next = 0;
    size_t fed = 0;
    for (size_t index = 0; index < mixed_messages.size(); ++index) {
        end_of_next += mixed_messages[index].size();
        for (; fed < end_of_next; ++fed) {
            REQUIRE(receiver.messages.size() == index);
            const std::string stream = joined(mixed_messages);
            REQUIRE(receiver.feed(stream.substr(fed, 1)) == Status::ok);
        }
    }
    CHECK(receiver.messages == mixed_messages);
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("stream tail: random messages in random pieces come out whole") {
    TailMemory memory;
    Prng random(21);
    for (int round = 0; round < 200; ++round) {
        Messages sent;
        for (uint32_t count = 1 + random.below(20); count > 0; --count) {
            const uint32_t bound = random.chance(0.1) ? 40'000 : random.chance(0.3) ? 300 : 4;
            sent.push_back(message(random.below(bound), static_cast<char>('a' + count)));
        }
        const std::string stream = joined(sent);
        const uint32_t piece_max = random.chance(0.5) ? 20 : 5'000;
        Receiver receiver{memory};
        for (size_t at = 0; at < stream.size();) {
            const size_t bytes = 1 + random.below(piece_max);
            REQUIRE(receiver.feed(stream.substr(at, bytes)) == Status::ok);
            at += bytes;
        }
        REQUIRE(receiver.messages == sent);
        REQUIRE(memory.bytes_out() == 0);
    }
}

TEST_CASE("stream tail: memory follows what has arrived, not what was announced") {
    TailMemory memory;
    Receiver receiver{memory};
    const std::string large = message(50'000, 'x');
    receiver.feed(large.substr(0, 10));
    CHECK(memory.bytes_out() <= 64);
    for (size_t at = 10; at < large.size(); at += 100) {
        receiver.feed(large.substr(at, 100));
        REQUIRE(memory.bytes_out() <= 3 * (at + 100) + 64);
    }
    CHECK(receiver.messages == Messages{large});
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("stream tail: wrong and too long messages end the stream wherever it is cut") {
    TailMemory memory;
    const std::string too_long = "M\xff\xff\x7f";
    const std::string never_ends = "M\xff\xff\xff\x01";
    const std::pair<std::string, Status> cases[] = {{"X", Status::malformed},
                                                    {never_ends, Status::malformed},
                                                    {too_long, Status::too_large}};
    for (const auto& [bad, expected] : cases) {
        const std::string stream = message(0, 'a') + message(5, 'b') + bad;
        for (size_t cut = 0; cut <= stream.size(); ++cut) {
            Receiver receiver{memory};
            Status status = receiver.feed(stream.substr(0, cut));
            if (status == Status::ok) status = receiver.feed(stream.substr(cut));
            REQUIRE(status == expected);
            REQUIRE(receiver.messages.size() == 2);
        }
        CHECK(memory.bytes_out() == 0);
    }
}

TEST_CASE("stream tail: a stop is obeyed at once, from the tail as well") {
    TailMemory memory;
    const std::string stream = message(3, 'a') + message(3, 'b');
    for (size_t cut = 0; cut < 5; ++cut) {
        StreamTail tail;
        int taken = 0;
        const auto stop = [&](Bytes) {
            ++taken;
            return false;
        };
        CHECK(tail.feed(memory.heap, as_bytes(stream).first(cut), frame, stop) == Status::ok);
        CHECK(tail.feed(memory.heap, as_bytes(stream).subspan(cut), frame, stop) ==
              Status::stopped);
        CHECK(taken == 1);
        tail.clear(memory.heap);
        CHECK(memory.bytes_out() == 0);
    }
}

TEST_CASE("stream tail: what a stop left is told, wherever the stopping message was cut") {
    TailMemory memory;
    const std::string first = message(3, 'a');
    const std::string stream = first + message(3, 'b') + "M";
    for (size_t cut = 0; cut < first.size(); ++cut) {
        StreamTail tail;
        Bytes rest;
        const auto stop = [&](Bytes) { return false; };
        tail.feed(memory.heap, as_bytes(stream).first(cut), frame, stop, &rest);
        REQUIRE(tail.feed(memory.heap, as_bytes(stream).subspan(cut), frame, stop, &rest) ==
                Status::stopped);
        CHECK(as_text(rest) == stream.substr(first.size()));
        CHECK(tail.empty());
    }
    CHECK(memory.bytes_out() == 0);
}

TEST_CASE("stream tail: without memory it says so, and can still be cleared") {
    TailMemory memory(Arena::chunk_bytes * 2);
    while (memory.arena->try_take_chunk() != nullptr) {}
    Receiver receiver{memory};
    CHECK(receiver.feed(message(0, 'a') + message(9, 'b')) == Status::ok);
    CHECK(receiver.messages.size() == 2);  // whole messages need no memory
    CHECK(receiver.feed(message(0, 'c') + "M") == Status::exhausted);
    CHECK(receiver.messages.size() == 3);
    receiver.tail.clear(memory.heap);
    CHECK(receiver.tail.empty());
}

TEST_CASE("stream tail: memory that ends while a tail grows leaves the tail to be cleared") {
    TailMemory memory(Arena::chunk_bytes * 4);
    Receiver receiver{memory};
    const std::string large = message(50'000, 'x');
    CHECK(receiver.feed(large.substr(0, 100)) == Status::ok);
    while (memory.arena->try_take_chunk() != nullptr) {}
    Status status = Status::ok;
    for (size_t at = 100; at < large.size() && status == Status::ok; at += 100) {
        status = receiver.feed(large.substr(at, 100));
    }
    CHECK(status == Status::exhausted);
    CHECK_FALSE(receiver.tail.empty());
    receiver.tail.clear(memory.heap);
    CHECK(memory.bytes_out() == 0);
    CHECK(receiver.messages.empty());
}

TEST_CASE("stream tail: clearing in the middle of a message gives its memory back") {
    TailMemory memory;
    Receiver receiver{memory};
    receiver.feed(message(100, 'x').substr(0, 50));
    CHECK_FALSE(receiver.tail.empty());
    CHECK(memory.bytes_out() > 0);
    receiver.tail.clear(memory.heap);
    CHECK(receiver.tail.empty());
    CHECK(memory.bytes_out() == 0);
    CHECK(receiver.feed(message(1, 'y')) == Status::ok);
    CHECK(receiver.messages == Messages{message(1, 'y')});
}
