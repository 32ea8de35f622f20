#include "admin/health.h"

#include <algorithm>
#include <thread>

#include "runtime/clock.h"

namespace millrace {

const HealthCheck::Clock HealthCheck::real_clock{
    monotonic_now, [](Duration span) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(span.nanoseconds));
    }};

HealthCheck::Verdict HealthCheck::look() {
    // A question that somebody hasn't answered stands. Otherwise a new one, but for a moment after
    // the last.
    const bool is_answered = !question_ || subject_.silent_since(*question_).empty();
    const bool is_fresh = question_ && clock_.now() - asked_ < between_questions;
    if (is_answered && !is_fresh) {
        asked_ = clock_.now();
        question_ = subject_.ask();
    }
    constexpr Duration pause_max = Duration::ms(5);
    Duration pause = Duration::us(50);
    while (true) {
        std::vector<uint32_t> silent = subject_.silent_since(*question_);
        const Duration since = clock_.now() - asked_;
        if (silent.empty() || since >= answer_time) return {std::move(silent), since};
        clock_.sleep(pause);
        pause = std::min(pause * 2, pause_max);
    }
}

}  // namespace millrace
