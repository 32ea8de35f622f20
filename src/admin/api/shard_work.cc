#include "admin/api/shard_work.h"

#include <fmt/format.h>

namespace millrace {

tl::unexpected<ApiError> shard_is_busy(uint32_t shard) {
    return refuse(ApiFault::unavailable, fmt::format("shard {}", shard),
                  "it has too many such questions already, or has ended: ask again");
}

tl::unexpected<ApiError> shard_is_silent(uint32_t shard) {
    return refuse(ApiFault::unavailable, fmt::format("shard {}", shard),
                  "it didn't answer in time: ask again, and look at /healthz");
}

ApiResult<void> run_on_shard(AdminSubject& subject, uint32_t shard,
                             const std::shared_ptr<ShardTask>& task,
                             std::chrono::milliseconds answer_time) {
    const auto deadline = std::chrono::steady_clock::now() + answer_time;
    if (!subject.post(shard, task)) return shard_is_busy(shard);
    if (!task->wait_until(deadline)) return shard_is_silent(shard);
    return {};
}

}  // namespace millrace
