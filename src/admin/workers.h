// Threads for requests that may take long, so that the listener's own never waits.
// Owned by: the listener. post() on its thread; the work runs on a worker, at most `thread_count` at
//           once, the others wait in their order.
// Holds:    stop() returns when no work runs; what hadn't begun never does.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace {

class Workers {
public:
    static constexpr size_t thread_count = 4;

    ~Workers() { stop(); }

    void start();
    void post(std::function<void()> work);
    void stop();

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> waiting_;  // under the mutex, as the next
    bool is_ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace millrace
