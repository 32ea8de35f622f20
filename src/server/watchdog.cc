#include "server/watchdog.h"

#include <algorithm>

#include "base/assert.h"

namespace millrace {

Watchdog::Watchdog(Duration timeout, Instant now)
    // A millisecond at least, or the main thread would do nothing else.
    : interval_(std::max(timeout / 4, Duration::ms(1))), asked_(now), next_look_(now + interval_) {
    MR_ASSERT(timeout > Duration{});
}

Watchdog::Verdict Watchdog::look(Instant now, std::span<const uint32_t> silent) {
    MR_ASSERT(now >= next_look_);
    // From now on, not from when it was due: after a sleep of the whole machine there's nothing to
    // make up for, and everybody gets the time to answer.
    next_look_ = now + interval_;
    Verdict verdict;
    const Duration since_question = now - asked_;
    for (const uint32_t index : silent) verdict.silent.push_back({index, since_question});
    for (const uint32_t index : silent_) {
        const bool is_silent = std::find(silent.begin(), silent.end(), index) != silent.end();
        if (!is_silent) verdict.answered.push_back({index, since_question});
    }
    silent_.assign(silent.begin(), silent.end());
    verdict.is_alive = silent.empty();
    // The question stands until everybody has answered it.
    if (verdict.is_alive) asked_ = now;
    return verdict;
}

}  // namespace millrace
