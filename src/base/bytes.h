// Reading and writing big-endian fields in borrowed memory.
// Owned by: the caller; both borrow. Thread: any.
// Holds:    a reader never passes its end and a writer never passes its room: both assert, so
//           callers check `remaining()` where the length comes from a peer.
// Not here: what the fields mean.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/assert.h"

namespace millrace {

using Bytes = std::span<const uint8_t>;

inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class ByteReader {
public:
    explicit ByteReader(Bytes bytes) : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    size_t remaining() const { return static_cast<size_t>(end_ - next_); }
    Bytes rest() const { return {next_, remaining()}; }

    uint8_t u8() {
        MR_ASSERT(remaining() >= 1);
        return *next_++;
    }
    uint16_t u16() {
        MR_ASSERT(remaining() >= 2);
        const uint16_t value = static_cast<uint16_t>((next_[0] << 8) | next_[1]);
        next_ += 2;
        return value;
    }
    uint32_t u32() {
        const uint32_t high = u16();
        return (high << 16) | u16();
    }
    Bytes take(size_t bytes) {
        MR_ASSERT(remaining() >= bytes);
        const Bytes taken{next_, bytes};
        next_ += bytes;
        return taken;
    }

private:
    const uint8_t* next_;
    const uint8_t* end_;
};

class ByteWriter {
public:
    explicit ByteWriter(std::span<uint8_t> room)
        : begin_(room.data()), next_(room.data()), end_(room.data() + room.size()) {}

    size_t written() const { return static_cast<size_t>(next_ - begin_); }
    size_t remaining() const { return static_cast<size_t>(end_ - next_); }
    uint8_t* position() const { return next_; }

    void u8(uint8_t value) {
        MR_ASSERT(remaining() >= 1);
        *next_++ = value;
    }
    void u16(uint16_t value) {
        MR_ASSERT(remaining() >= 2);
        next_[0] = static_cast<uint8_t>(value >> 8);
        next_[1] = static_cast<uint8_t>(value);
        next_ += 2;
    }
    void u32(uint32_t value) {
        u16(static_cast<uint16_t>(value >> 16));
        u16(static_cast<uint16_t>(value));
    }
    void bytes(Bytes value) {
        MR_ASSERT(remaining() >= value.size());
        if (!value.empty()) std::memcpy(next_, value.data(), value.size());
        next_ += value.size();
    }
    void text(std::string_view value) { bytes(as_bytes(value)); }

private:
    uint8_t* begin_;
    uint8_t* next_;
    uint8_t* end_;
};

}  // namespace millrace
