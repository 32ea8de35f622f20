// The processor time of one thread, readable from the others.
// Owned by: whoever outlives the thread and its readers. begin() and end() on the thread itself.
#pragma once

#include <pthread.h>

#include <atomic>
#include <ctime>
#include <optional>

#include "base/time.h"

namespace millrace {

class ThreadClock {
public:
    void begin() {
        if (::pthread_getcpuclockid(::pthread_self(), &clock_) != 0) return;
        state_.store(State::running, std::memory_order_release);
    }
    // The clock goes with the thread; what it showed last stays.
    void end() {
        if (state() != State::running) return;
        last_.store(show(), std::memory_order_relaxed);
        state_.store(State::ended, std::memory_order_release);
    }
    bool has_ended() const { return state() == State::ended; }
    // Empty before begin(), and in the moment when it ends.
    std::optional<Duration> read() const {
        if (state() == State::running) {
            const int64_t shown = show();
            if (state() == State::running && shown >= 0) return Duration::ns(shown);
        }
        if (state() == State::ended) return Duration::ns(last_.load(std::memory_order_relaxed));
        return std::nullopt;
    }

private:
    enum class State : uint8_t { none, running, ended };

    State state() const { return state_.load(std::memory_order_acquire); }
    int64_t show() const {
        timespec time{};
        if (::clock_gettime(clock_, &time) != 0) return -1;
        return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    }

    clockid_t clock_{};               // written before `state_` says running
    std::atomic<int64_t> last_{0};    // nanoseconds; valid once `state_` says ended
    std::atomic<State> state_{State::none};
};

}  // namespace millrace
