// Whether the service is alive: it is while every shard's loop turns. The main thread asks them all
// now and then, wakes those who sleep, and looks a while later who hasn't answered.
// Owned by: the main thread.
// Holds:    the manager hears "alive" only when every shard has turned since the last question. So
//           one hung shard ends it, and the manager restarts the service after its time-out.
// Not here: a clock, signals, the manager (notify.h), the shards (millrace/server.h). Time and
//           answers come in, what is to be done goes out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"

namespace millrace {

class Watchdog {
public:
    // What one look concludes.
    struct Verdict {
        struct Shard {
            uint32_t index;
            Duration silent;   // since it was asked
        };

        bool is_alive = false;           // to be told to the manager, and the shards are asked again
        std::vector<Shard> silent;       // those who haven't answered
        std::vector<Shard> answered;     // who was silent at the last look and answers again
    };

    // The manager's time-out, over 0. Four looks fit into it, so that one slow answer is forgiven.
    // The shards have been asked at `now`.
    Watchdog(Duration timeout, Instant now);

    // When to look next.
    Instant next_look() const { return next_look_; }
    // At next_look() or later. `silent` are the shards that haven't answered, in order.
    Verdict look(Instant now, std::span<const uint32_t> silent);

private:
    const Duration interval_;
    Instant asked_;
    Instant next_look_;
    std::vector<uint32_t> silent_;   // at the last look
};

}  // namespace millrace
