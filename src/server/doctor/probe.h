// What only the running kernel can tell: io_uring as a shard would set it up, and the clock.
// Owned by: nobody. Thread: any; it makes a ring and gives it back.
// Not here: a host that is known by a copy of its files; its release tells (read_facts.h).
#pragma once

#include "server/doctor/facts.h"

namespace millrace::doctor {

// Makes a small ring with everything a shard has, and says what came of it. Keeps what `known`
// has beyond that (what the release and the settings tell).
UringFacts probe_uring(const UringFacts& known);

// Nanoseconds of one reading of the monotonic clock.
uint64_t measure_clock_read_ns();

}  // namespace millrace::doctor
