// Work that another thread gives a shard: done a little each turn, between what the turn is for.
// Owned by: shared by who waits for it and the shard that does it. step() runs on the shard, and
//           nothing else of a task's own is touched by anybody until wait_until() has said "done".
// Holds:    a step is bounded, however much a shard holds: a turn has one step of one task. Who
//           gave up waiting costs the shard at most the step at hand.
// Not here: what tasks do (broker/inspect/).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

namespace millrace {

class Broker;

class ShardTask {
public:
    // About so many elements (sessions, subscriptions, buckets of a table) are looked at in a step.
    static constexpr uint32_t elements_per_step = 64;
    // And about so many bytes of ids and filters copied; a page of a list ends after so many.
    static constexpr size_t text_bytes_per_step = 64 * 1024;
    static constexpr size_t text_bytes_per_page = 1024 * 1024;
    // A page of a list that finds little ends after so many all the same, so that who waits for it
    // gets an answer.
    static constexpr uint32_t looks_per_page_max = 20'000;

    virtual ~ShardTask() = default;

    // On the shard, in a turn: a part of the work. True when all is done.
    virtual bool step(Broker& broker) = 0;

    // On the waiting thread. False: not done by then, or never; the shard drops it.
    bool wait_until(std::chrono::steady_clock::time_point deadline);

private:
    friend class TaskQueue;
    enum class State : uint8_t { waiting, done, dropped };

    void finish(State state);

    std::mutex mutex_;
    std::condition_variable changed_;
    State state_ = State::waiting;           // under the mutex
    std::atomic<bool> is_given_up_{false};   // relaxed: the shard may see it late
};

// The tasks of one shard. It takes its lock only while there are any.
class TaskQueue {
public:
    static constexpr size_t count_max = 64;

    // From any thread, which then wakes the shard. False: there are too many, or the shard has left.
    bool post(std::shared_ptr<ShardTask> task);

    // For the shard. Relaxed: a task that it misses comes with a wake-up.
    bool empty() const { return count_.load(std::memory_order_relaxed) == 0; }
    // One step of the task that has waited longest.
    void run_step(Broker& broker);
    // The shard does nothing more: whoever waits needn't.
    void close();

private:
    std::shared_ptr<ShardTask> take();
    void put_back(std::shared_ptr<ShardTask> task);

    std::mutex mutex_;
    std::deque<std::shared_ptr<ShardTask>> tasks_;  // under the mutex, as the next
    bool is_closed_ = false;
    std::atomic<uint32_t> count_{0};   // written under the mutex
};

}  // namespace millrace
