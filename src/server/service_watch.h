// The service manager's watchdog over a running server: asks the shards, tells the manager while all
// of them answer, and the log who doesn't.
// Owned by: the main thread, for less time than the server.
// Holds:    without a manager that watches, it does nothing and wakes nobody.
// Not here: the judgement (watchdog.h), the manager's protocol (notify.h).
#pragma once

#include <optional>

#include "millrace/server.h"
#include "server/watchdog.h"

namespace millrace {

class ServiceWatch {
public:
    explicit ServiceWatch(Server& server);

    // When look_if_due() has something to do; Instant::never() without a watchdog.
    Instant next_look() const;
    void look_if_due();

private:
    Server& server_;
    std::optional<Watchdog> watchdog_;
};

}  // namespace millrace
