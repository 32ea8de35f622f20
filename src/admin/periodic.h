// Work that is done again and again on a thread of its own, such as taking a record each hour.
// Owned by: who starts it. The work runs on its thread alone, never twice at once.
// Holds:    after stop() or the destructor the work doesn't run any more. Rounds that came due while
//           one ran are left out.
// Not here: what the work is, and telling that it failed.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/time.h"

namespace millrace {

struct PeriodicOptions {
    std::string thread_name;        // at most 15 bytes
    Duration first_after;
    Duration interval;
};

class Periodic {
public:
    Periodic(PeriodicOptions options, std::function<void()> work);
    ~Periodic() { stop(); }
    Periodic(const Periodic&) = delete;
    Periodic& operator=(const Periodic&) = delete;

    // Waits for a round that runs. May be called twice.
    void stop();

private:
    void run();

    const PeriodicOptions options_;
    const std::function<void()> work_;
    std::mutex mutex_;
    std::condition_variable ends_;
    bool is_ending_ = false;  // under mutex_
    std::thread thread_;
};

}  // namespace millrace
