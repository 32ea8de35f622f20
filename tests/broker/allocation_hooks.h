// Counts what the program asks of general allocators: operator new, malloc and mimalloc.
// Owned by: the allocation test, which has one thread.
// Not here: sanitized builds, where the sanitizer owns malloc: there nothing is counted.
#pragma once

#include <cstdint>

namespace millrace::test {

extern uint64_t allocation_count;

// False when this build can't count.
bool counts_allocations();

}  // namespace millrace::test
