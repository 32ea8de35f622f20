#include "admin/event_log.h"

#include <algorithm>

#include "base/json_line.h"
#include "base/log_line.h"

namespace millrace {
namespace {

std::string event_json(const LoggedEvent& event) {
    const std::chrono::duration<double> time = event.time.time_since_epoch();
    JsonLine line;
    line.add("number", event.number);
    line.add_decimal("time", time.count(), 6);
    line.add_text("level", log_level_name(event.level));
    line.add_text("message", event.event);
    line.add("fields", "{" + event.fields + "}");
    return line.object();
}

}  // namespace

std::string events_json(const LogRing& ring, uint64_t after, uint32_t limit) {
    const uint64_t newest = ring.last_number();
    if (after > newest) after = 0;
    // What must have been pushed out needn't be looked for.
    const uint64_t kept_after = newest - std::min<uint64_t>(newest, LogRing::entries_max);
    uint64_t number = std::max(after, kept_after);
    uint64_t lost = number - after;
    std::string events;
    LoggedEvent found;
    for (uint32_t count = 0; count < limit; ++number) {
        const LogRing::Answer answer = ring.read(number + 1, found);
        if (answer == LogRing::Answer::not_yet) break;
        if (answer == LogRing::Answer::gone) {
            ++lost;
            continue;
        }
        if (count++ > 0) events += ',';
        events += event_json(found);
    }
    JsonLine line;
    line.add("events", "[" + events + "]");
    line.add("next", number);
    line.add("lost", lost);
    return line.object();
}

}  // namespace millrace
