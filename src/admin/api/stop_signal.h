// Tells threads that wait that they needn't any more.
// Owned by: whoever stops them, for longer than they live. Thread: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace millrace {

class StopSignal {
public:
    void raise() {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_raised_ = true;
        raised_.notify_all();
    }
    bool is_raised() const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return is_raised_;
    }
    // True when it was raised before `span` has passed.
    bool wait_for(std::chrono::milliseconds span) const {
        std::unique_lock<std::mutex> lock(mutex_);
        return raised_.wait_for(lock, span, [&] { return is_raised_; });
    }

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable raised_;
    bool is_raised_ = false;   // under the mutex
};

}  // namespace millrace
