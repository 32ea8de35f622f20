// Which signals a thread of ours takes.
// Owned by: nobody; acts on the calling thread and those that it starts later.
// Holds:    SIGPROF is never blocked: it says where a profile's sample was due, and the kernel
//           gives one that is blocked to another thread, which would be blamed.
// Not here: the program's own signals (server/signals.h).
#pragma once

namespace millrace {

// For threads beside the shards: signals are for the program's own threads, but for SIGPROF.
void leave_signals_to_others();

}  // namespace millrace
