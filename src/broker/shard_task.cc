#include "broker/shard_task.h"

#include <utility>

namespace millrace {

bool ShardTask::wait_until(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_until(lock, deadline, [&] { return state_ != State::waiting; });
    if (state_ == State::done) return true;
    is_given_up_.store(true, std::memory_order_relaxed);
    return false;
}

void ShardTask::finish(State state) {
    // Notified under the lock: afterwards the waiting side may let go of the last reference.
    const std::lock_guard<std::mutex> lock(mutex_);
    state_ = state;
    changed_.notify_all();
}

bool TaskQueue::post(std::shared_ptr<ShardTask> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_closed_ || tasks_.size() >= count_max) return false;
    tasks_.push_back(std::move(task));
    count_.store(static_cast<uint32_t>(tasks_.size()), std::memory_order_relaxed);
    return true;
}

std::shared_ptr<ShardTask> TaskQueue::take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (tasks_.empty()) return nullptr;
    std::shared_ptr<ShardTask> task = std::move(tasks_.front());
    tasks_.pop_front();
    count_.store(static_cast<uint32_t>(tasks_.size()), std::memory_order_relaxed);
    return task;
}

void TaskQueue::put_back(std::shared_ptr<ShardTask> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    count_.store(static_cast<uint32_t>(tasks_.size()), std::memory_order_relaxed);
}

void TaskQueue::run_step(Broker& broker) {
    std::shared_ptr<ShardTask> task = take();
    if (task == nullptr || task->is_given_up_.load(std::memory_order_relaxed)) return;
    if (task->step(broker)) {
        task->finish(ShardTask::State::done);
    } else {
        put_back(std::move(task));
    }
}

void TaskQueue::close() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_closed_ = true;
    }
    while (const std::shared_ptr<ShardTask> task = take()) task->finish(ShardTask::State::dropped);
}

}  // namespace millrace
