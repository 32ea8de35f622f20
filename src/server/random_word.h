// A number that nobody can guess, for the keys of hashes and generators.
// Thread: any.
#pragma once

#include <cstdint>

namespace millrace {

// From the system's generator; should it fail, from the clock.
uint64_t random_word();

}  // namespace millrace
