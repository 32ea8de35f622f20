// Where the log goes, and how much of it. Of the whole process: of every server in it, and of the
// program that embeds them, which alone decides. Until it says otherwise, lines of level `info` and
// above go to standard error as text, a write(2) each.
// Thread:   any, at any time.
// Not here: what is logged: src/server/README.md lists the events.
#pragma once

#include "millrace/config.h"

namespace millrace {

// Neither Server::create() nor start() calls it: config.log is what the host makes of it.
void apply_log_options(const LogOptions& options);

// A descriptor of the host's, open for writing as long as a server lives; -1 drops every line.
void set_log_file_descriptor(int file_descriptor);

}  // namespace millrace
