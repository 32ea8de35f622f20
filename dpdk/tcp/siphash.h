// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash whose output can't be guessed without
// the key. For sequence numbers and cookies; tables use the faster hash.h.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace millrace {

struct SipKey {
    uint64_t low = 0;
    uint64_t high = 0;
};

uint64_t siphash(Bytes bytes, SipKey key);

}  // namespace millrace
