// Packing a session's state for another shard of the same process: plain values and byte runs.
// Owned by: a value. Thread: one.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"

namespace millrace {

class ParcelWriter {
public:
    template <class T>
    void put(const T& value) {
        static_assert(std::is_trivially_copyable_v<T>);
        append(&value, sizeof(T));
    }
    void put_bytes(Bytes bytes) {
        put(static_cast<uint32_t>(bytes.size()));
        append(bytes.data(), bytes.size());
    }
    Bytes bytes() const { return bytes_; }

private:
    void append(const void* data, size_t bytes) {
        const auto* from = static_cast<const uint8_t*>(data);
        bytes_.insert(bytes_.end(), from, from + bytes);
    }
    std::vector<uint8_t> bytes_;
};

class ParcelReader {
public:
    explicit ParcelReader(Bytes bytes) : rest_(bytes) {}
    bool empty() const { return rest_.empty(); }

    template <class T>
    T take() {
        MR_ASSERT(rest_.size() >= sizeof(T));
        T value;
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    Bytes take_bytes() {
        const uint32_t length = take<uint32_t>();
        MR_ASSERT(rest_.size() >= length);
        const Bytes taken = rest_.first(length);
        rest_ = rest_.subspan(length);
        return taken;
    }

private:
    Bytes rest_;
};

}  // namespace millrace
