// The template stack over our own TCP and DPDK: the broker's shard and the load generator.
// Not here: what it's told without DPDK in the build: assemble_without_dpdk.cc has the same
//           functions, which refuse.
#pragma once

#include "port/port.h"
#include "server/load_command.h"
#include "server/shard_host.h"

namespace millrace {

// Once a process, on the thread that outlives the shards' threads.
Outcome<std::unique_ptr<Port>> open_dpdk_port(const DpdkOptions& dpdk, uint32_t shard_count);

Outcome<std::unique_ptr<ShardHost>> make_dpdk_shard(const ShardSeat& seat, Port& port);

// `millrace load --net dpdk`; the process's exit status.
int run_dpdk_load(const LoadRequest& command);

}  // namespace millrace
