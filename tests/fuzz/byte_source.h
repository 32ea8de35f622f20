// Numbers out of a fuzzer's bytes; zeros when they have run out, so that every input ends.
// Owned by: one run. Thread: one.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace {

class ByteSource {
public:
    explicit ByteSource(Bytes bytes) : in_(bytes) {}

    bool empty() const { return in_.remaining() == 0; }
    // 0 <= result < bound. Takes as many bytes as the bound needs.
    uint32_t below(uint32_t bound) {
        uint32_t value = 0;
        for (uint32_t left = bound - 1; left > 0; left >>= 8) {
            value = value << 8 | (empty() ? 0u : in_.u8());
        }
        return value % bound;
    }

private:
    ByteReader in_;
};

}  // namespace millrace
