// SIGHUP: the configuration file is read again, and what can change does.
// Owned by: the main thread.
// Holds:    whatever stands in the file, the server runs on; the log says what came of it, with one
//           line for each key.
// Not here: which key can change (config_keys.cc), how values reach the shards (server.cc).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "millrace/server.h"
#include "server/config_file.h"

namespace millrace {

// `path` and `overrides` as at the start: a key that a flag sets keeps its value. Returns what was
// read: its live keys are in force. Nullopt: nothing has changed.
std::optional<Config> reload_from_file(Server& server, const std::optional<std::string>& path,
                                       std::span<const ConfigOverride> overrides);

}  // namespace millrace
