// The log's level and format while the process runs. millrace/log.h has what a host may set.
// Owned by: nobody; functions. Thread: any.
#pragma once

#include "millrace/log.h"

namespace millrace {

// One step towards more lines, and from the most back to the fewest: error, warning, info, debug,
// error. Says on the log which level it is now, whatever the level.
void step_log_level();

}  // namespace millrace
