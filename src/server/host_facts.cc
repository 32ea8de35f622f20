#include "server/host_facts.h"

#include <algorithm>

#include <sys/resource.h>
#include <unistd.h>

#include "runtime/meminfo.h"
#include "runtime/placement.h"

namespace millrace {

namespace {

uint64_t raise_open_files() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1'024;
    if (limit.rlim_cur < limit.rlim_max) {
        const rlimit raised{limit.rlim_max, limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    }
    return limit.rlim_cur;
}

}  // namespace

HostFacts read_host_facts() {
    HostFacts facts;
    facts.cpus = allowed_cpus();
    if (facts.cpus.empty()) facts.cpus.push_back(0);
    const Meminfo memory = read_meminfo();
    facts.memory_bytes = memory.total_bytes;
    facts.open_files_max = raise_open_files();
    facts.huge_pages_free = memory.huge_pages_free;
    facts.huge_page_bytes = memory.huge_page_bytes;
    return facts;
}

ShardPlan plan_shards(const Config& config, const HostFacts& host) {
    const ShardOptions& options = config.shards;
    ShardPlan plan;
    const std::vector<uint32_t>& cpus = options.cpus.empty() ? host.cpus : options.cpus;
    plan.count = options.count != 0 ? options.count
                                    : std::min<uint32_t>(64, static_cast<uint32_t>(cpus.size()));
    for (uint32_t shard = 0; shard < plan.count; ++shard) {
        plan.cpus.push_back(cpus[shard % cpus.size()]);
    }
    plan.memory_bytes_each = options.memory_bytes_max != 0
                                 ? options.memory_bytes_max
                                 : host.memory_bytes / 2 / plan.count;
    plan.connections_max_each = options.connections_max;
    // Each shard's ring has a table of its own, which the open-file limit bounds; its sockets use
    // no descriptor beside it. Our own TCP knows no descriptors.
    if (config.net == "uring") {
        plan.connections_max_each =
            static_cast<uint32_t>(std::min<uint64_t>(options.connections_max, host.open_files_max));
    }
    return plan;
}

}  // namespace millrace
