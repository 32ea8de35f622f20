// The template stack over io_uring: the broker's shard and the load generator.
#pragma once

#include "load/options.h"
#include "server/shard_host.h"

namespace millrace {

Outcome<std::unique_ptr<ShardHost>> make_uring_shard(const ShardSeat& seat);

// `millrace load`; the process's exit status.
int run_uring_load(const LoadOptions& options);

}  // namespace millrace
