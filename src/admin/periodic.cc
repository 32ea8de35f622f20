#include "admin/periodic.h"

#include <chrono>

#include "runtime/placement.h"
#include "runtime/thread_signals.h"

namespace millrace {

Periodic::Periodic(PeriodicOptions options, std::function<void()> work)
    : options_(std::move(options)), work_(std::move(work)), thread_([this] { run(); }) {}

void Periodic::stop() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        is_ending_ = true;
    }
    ends_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Periodic::run() {
    using Clock = std::chrono::steady_clock;
    const auto span = [](Duration duration) {
        return std::chrono::nanoseconds(duration.nanoseconds);
    };
    name_this_thread(options_.thread_name);
    leave_signals_to_others();
    Clock::time_point next = Clock::now() + span(options_.first_after);
    std::unique_lock<std::mutex> lock(mutex_);
    while (!ends_.wait_until(lock, next, [&] { return is_ending_; })) {
        lock.unlock();
        work_();
        lock.lock();
        const Clock::time_point now = Clock::now();
        while (next <= now) next += span(options_.interval);
    }
}

}  // namespace millrace
