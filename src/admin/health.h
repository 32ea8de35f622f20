// Whether all shards turn, for whoever asks by HTTP: asks the shards and waits a moment for them.
// Owned by: the admin thread.
// Holds:    however often it's asked, the shards are asked ten times a second at most. It waits
//           `answer_time` once for a shard that hangs: while a question stands, nobody waits longer
//           than that since it was put.
// Not here: the service manager's watchdog (server/watchdog.h), which has questions of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "admin/subject.h"
#include "base/time.h"

namespace millrace {

class HealthCheck {
public:
    // Time, so that a test needs none.
    struct Clock {
        Instant (*now)();
        void (*sleep)(Duration);
    };
    static const Clock real_clock;
    static constexpr Duration answer_time = Duration::s(1);
    static constexpr Duration between_questions = Duration::ms(100);

    struct Verdict {
        std::vector<uint32_t> silent;  // shards that don't turn, in order
        Duration since_question;
    };

    explicit HealthCheck(AdminSubject& subject, Clock clock = real_clock)
        : subject_(subject), clock_(clock) {}

    Verdict look();

private:
    AdminSubject& subject_;
    const Clock clock_;
    std::optional<uint32_t> question_;  // the last one
    Instant asked_{};                   // valid with it
};

}  // namespace millrace
