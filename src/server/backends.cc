#include "server/backends.h"

namespace millrace {

bool is_back_end(std::string_view name) { return name == "uring" || name == "dpdk"; }

#ifdef MR_DPDK_VERSION
bool has_dpdk() { return true; }
std::string backends_text() { return "io_uring, dpdk " MR_DPDK_VERSION; }
#else
bool has_dpdk() { return false; }
std::string backends_text() { return "io_uring; no dpdk (libdpdk was not found at build time)"; }
#endif

}  // namespace millrace
