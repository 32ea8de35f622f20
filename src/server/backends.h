// Which network back ends this build has.
// Owned by: nobody; constant. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// A word that `net` accepts, whether this build has that back end or not.
bool is_back_end(std::string_view name);
bool has_dpdk();
// "io_uring, dpdk 22.11.11", or why there's no dpdk.
std::string backends_text();

}  // namespace millrace
