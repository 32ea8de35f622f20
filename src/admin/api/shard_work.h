// Tasks given to shards, and the wait for them.
// Owned by: nobody; functions, on a worker.
// Holds:    nobody waits longer than `answer_time` for a shard that hangs.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "admin/api/error.h"
#include "admin/subject.h"

namespace millrace {

constexpr std::chrono::milliseconds shard_answer_time{3'000};

// Waits for it. An error names the shard.
ApiResult<void> run_on_shard(AdminSubject& subject, uint32_t shard,
                             const std::shared_ptr<ShardTask>& task,
                             std::chrono::milliseconds answer_time = shard_answer_time);

// One task a shard, all at once: make(shard) gives a shared_ptr to it. They are in the shards'
// order. With an error the others are given up: what they change some shards may have changed.
template <class Task, class Make>
ApiResult<std::vector<std::shared_ptr<Task>>> run_on_all_shards(
    AdminSubject& subject, Make&& make,
    std::chrono::milliseconds answer_time = shard_answer_time);

tl::unexpected<ApiError> shard_is_busy(uint32_t shard);
tl::unexpected<ApiError> shard_is_silent(uint32_t shard);

template <class Task, class Make>
ApiResult<std::vector<std::shared_ptr<Task>>> run_on_all_shards(
    AdminSubject& subject, Make&& make, std::chrono::milliseconds answer_time) {
    const auto deadline = std::chrono::steady_clock::now() + answer_time;
    std::vector<std::shared_ptr<Task>> tasks;
    // The others' answers are of no use any more.
    const auto give_up = [&] {
        for (const auto& task : tasks) task->wait_until(std::chrono::steady_clock::time_point{});
    };
    for (uint32_t shard = 0; shard < subject.shards().size(); ++shard) {
        tasks.push_back(make(shard));
        if (subject.post(shard, tasks.back())) continue;
        give_up();
        return shard_is_busy(shard);
    }
    for (uint32_t shard = 0; shard < tasks.size(); ++shard) {
        if (tasks[shard]->wait_until(deadline)) continue;
        give_up();
        return shard_is_silent(shard);
    }
    return tasks;
}

}  // namespace millrace
