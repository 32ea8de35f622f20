// A network's state, which its dump() writes as text, as lines of the log: one for each counter.
// Owned by: nobody; called on the shard's thread.
// Holds:    somebody asked for it, so it's written whatever the level is.
#pragma once

#include <string_view>

namespace millrace {

// What stands at the beginning of a line is a heading; "  NAME NUMBER" stands under one.
void log_network_state(std::string_view text);

}  // namespace millrace
