#include "load/totals.h"

#include <algorithm>

namespace millrace {

LoadTotals add_up(std::span<const LoadTotals> shards) {
    using Words = std::array<uint64_t, sizeof(LoadTotals) / sizeof(uint64_t)>;
    Words sum{};
    LoadTotals special;
    special.commands_done = UINT64_MAX;
    special.phase = UINT64_MAX;
    for (const LoadTotals& shard : shards) {
        const Words words = std::bit_cast<Words>(shard);
        for (size_t index = 0; index < sum.size(); ++index) sum[index] += words[index];
        special.commands_done = std::min(special.commands_done, shard.commands_done);
        special.phase = std::min(special.phase, shard.phase);
        special.last_accepted_ns = std::max(special.last_accepted_ns, shard.last_accepted_ns);
        special.last_delivered_ns = std::max(special.last_delivered_ns, shard.last_delivered_ns);
        if (shard.first_published_ns == 0) continue;
        special.first_published_ns =
            special.first_published_ns == 0
                ? shard.first_published_ns
                : std::min(special.first_published_ns, shard.first_published_ns);
    }
    LoadTotals total = std::bit_cast<LoadTotals>(sum);
    total.commands_done = special.commands_done;
    total.phase = special.phase;
    total.last_accepted_ns = special.last_accepted_ns;
    total.last_delivered_ns = special.last_delivered_ns;
    total.first_published_ns = special.first_published_ns;
    return total;
}

}  // namespace millrace
