// Ranges of sequence numbers, written as plain ones.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <cstdint>

#include "tcp/seq.h"

namespace millrace::test {

inline SeqRange range(uint32_t begin, uint32_t end) { return {{begin}, {end}}; }

}  // namespace millrace::test
