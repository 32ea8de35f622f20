// What a shard remembers while it sheds its connections one by one (broker_drain.cc).
// Owned by: the shard's Broker, from begin_drain() on.
// Holds:    `leaving` has exactly the connections in state `leaving`; so its memory goes with the
//           rate times how long a goodbye takes, not with how many connections there are.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "broker/shed_pace.h"
#include "net/connection.h"
#include "runtime/timer_wheel.h"

namespace millrace {

// What waits in sessions and ends with the process.
struct LeftBehind {
    uint64_t messages = 0;
    uint64_t sessions = 0;  // that have some
};

// One connection between its turn and its goodbye.
struct Leaving {
    uint64_t round;            // the mark that it waits for
    uint32_t fence = 0;        // valid with has_fence
    bool is_marked = false;    // that mark is back: what was acknowledged before its turn is here
    bool has_fence = false;    // all of that is sent: packets up to number `fence`
    bool is_late = false;      // timeouts.drain has passed: no acknowledgement is waited for
};

struct Drain {
    explicit Drain(const ShedPace& of_shard) : pace(of_shard) {}

    ShedPace pace;
    TimerEntry timer;
    uint32_t cursor = 0;       // where in the table of sessions the next one is looked for
    std::unordered_map<Connection*, Leaving> leaving;
    // Had their turn while other shards were being asked for them: leave when that is answered.
    std::unordered_set<Connection*> held;
    // One mark serves all that have had their turn when it leaves. A connection stands in one of
    // these from its turn on, even when it has gone meanwhile.
    uint64_t round = 0;                    // of the mark that is out, or was last
    std::vector<Connection*> marked;       // wait for that one
    std::vector<Connection*> unmarked;     // wait for the next one
};

}  // namespace millrace
