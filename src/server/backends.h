// Which network back ends this build has.
// Owned by: nobody; constant. Thread: any.
#pragma once

#include <string>

namespace millrace {

bool has_dpdk();
// "io_uring, dpdk 22.11.11", or why there's no dpdk.
std::string backends_text();

}  // namespace millrace
