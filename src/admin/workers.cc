#include "admin/workers.h"

#include "runtime/placement.h"
#include "runtime/thread_signals.h"

namespace millrace {

void Workers::start() {
    for (size_t index = 0; index < thread_count; ++index) {
        threads_.emplace_back([this] { run(); });
    }
}

void Workers::post(std::function<void()> work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(work));
    changed_.notify_one();
}

void Workers::stop() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_ending_ = true;
        waiting_.clear();
        changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void Workers::run() {
    name_this_thread("millrace-work");
    leave_signals_to_others();
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
        changed_.wait(lock, [&] { return is_ending_ || !waiting_.empty(); });
        if (is_ending_) return;
        const std::function<void()> work = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace millrace
