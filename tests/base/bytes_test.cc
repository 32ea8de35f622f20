#include <doctest/doctest.h>

#include <array>

#include "base/bytes.h"
#include "base/hash.h"

using namespace millrace;

TEST_CASE("bytes: fields are read big-endian and in order") {
    const std::array<uint8_t, 9> wire{0x01, 0x02, 0x03, 0xde, 0xad, 0xbe, 0xef, 'o', 'k'};
    ByteReader in(wire);
    CHECK(in.u8() == 0x01);
    CHECK(in.u16() == 0x0203);
    CHECK(in.u32() == 0xdeadbeef);
    CHECK(in.remaining() == 2);
    CHECK(as_text(in.rest()) == "ok");
    CHECK(as_text(in.take(2)) == "ok");
    CHECK(in.remaining() == 0);
    CHECK(in.take(0).empty());
}

TEST_CASE("bytes: what was written is read back") {
    std::array<uint8_t, 16> room{};
    ByteWriter out(room);
    out.u8(0xff);
    out.u16(0x8001);
    out.u32(0x80000001);
    out.text("abc");
    out.bytes({});
    CHECK(out.written() == 10);
    CHECK(out.remaining() == 6);
    CHECK(out.position() == room.data() + 10);
    ByteReader in(Bytes(room).first(out.written()));
    CHECK(in.u8() == 0xff);
    CHECK(in.u16() == 0x8001);
    CHECK(in.u32() == 0x80000001);
    CHECK(as_text(in.rest()) == "abc");
}

TEST_CASE("bytes: an empty reader has nothing and an empty writer takes nothing") {
    CHECK(ByteReader(Bytes{}).remaining() == 0);
    CHECK(ByteReader(Bytes{}).rest().empty());
    ByteWriter out(std::span<uint8_t>{});
    out.text("");
    CHECK(out.written() == 0);
}

TEST_CASE("bytes: text keeps its bytes, zeroes included") {
    const std::string_view text("a\0b", 3);
    CHECK(as_bytes(text).size() == 3);
    CHECK(as_text(as_bytes(text)) == text);
}

TEST_CASE("hash: the same text hashes differently under another key") {
    CHECK(hash_text("a/b", HashKey{1}) == hash_text("a/b", HashKey{1}));
    CHECK(hash_text("a/b", HashKey{1}) != hash_text("a/b", HashKey{2}));
    CHECK(hash_text("a/b", HashKey{1}) != hash_text("a/c", HashKey{1}));
    CHECK(hash_text("", HashKey{1}) != hash_text("", HashKey{2}));
}
