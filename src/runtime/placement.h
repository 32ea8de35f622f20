// Which processor a thread runs on, and its name in the tools that list threads.
// Owned by: nobody; acts on the calling thread.
// Not here: how many shards there are and which processor each gets (server).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace {

// "0-3,8" to {0, 1, 2, 3, 8}: in the order written, no processor twice. Spaces around numbers are
// fine.
Outcome<std::vector<uint32_t>> parse_cpu_list(std::string_view text);

// The processors that this process may use, ascending. Empty when the kernel won't say.
std::vector<uint32_t> allowed_cpus();

Outcome<void> pin_this_thread(uint32_t cpu);

// The kernel keeps 15 bytes of it.
void name_this_thread(std::string_view name);

}  // namespace millrace
