#include <cstdio>

#include <fmt/format.h>

#include "server/assemble_dpdk.h"
#include "server/exit_codes.h"

namespace millrace {
namespace {

constexpr const char* refusal =
    "this millrace was built without DPDK: install libdpdk-dev and build again";

}  // namespace

Outcome<std::unique_ptr<Port>> open_dpdk_port(const DpdkOptions&, uint32_t) {
    return fail(Errc::unsupported, refusal);
}

Outcome<std::unique_ptr<ShardHost>> make_dpdk_shard(const ShardSeat&, Port&) {
    return fail(Errc::unsupported, refusal);
}

int run_dpdk_load(const LoadRequest&) {
    fmt::print(stderr, "load: {}\n", refusal);
    return to_int(ExitCode::usage);
}

}  // namespace millrace
