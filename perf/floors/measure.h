// What a floor reports, and the clock of processor time behind it.
// Owned by: values; one thread.
// Holds:    a report is one line of JSON on standard output.
#pragma once

#include <cstdint>

#include "base/json_line.h"
#include "runtime/clock.h"

namespace millrace::floors {

// The processor time of this process and the monotonic clock, as they stood at one moment.
struct Moment {
    Instant wall;
    double user_s = 0;
    double system_s = 0;
};
Moment moment_now();

inline Duration duration_of(double seconds) {
    return Duration::ns(static_cast<int64_t>(seconds * 1e9));
}

// Ends the process with an error if it's still there after `seconds`, wherever it hangs.
void end_at_the_latest_after(double seconds);

class Report : public JsonLine {
public:
    // wall_s, user_s, system_s and cpu_s between the two, and `count` of `what` by each.
    void add_cost(const Moment& from, const Moment& to, const char* what, uint64_t count);
    void print() const;
};

}  // namespace millrace::floors
