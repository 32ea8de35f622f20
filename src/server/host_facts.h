// What the machine offers: cores, memory, open files, huge pages.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "millrace/config.h"

namespace millrace {

struct HostFacts {
    std::vector<uint32_t> cpus;          // that this process may use
    uint64_t memory_bytes = 0;
    uint64_t open_files_max = 0;         // after raising the soft limit to the hard one
    uint64_t huge_pages_free = 0;        // of the default size
    uint64_t huge_page_bytes = 0;
};

HostFacts read_host_facts();

// What a configuration comes to on this host.
struct ShardPlan {
    uint32_t count = 1;
    std::vector<uint32_t> cpus;          // the core of each shard; empty: not pinned
    uint64_t memory_bytes_each = 0;
    uint32_t connections_max_each = 0;
};
ShardPlan plan_shards(const Config& config, const HostFacts& host);

}  // namespace millrace
