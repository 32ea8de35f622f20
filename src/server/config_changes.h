// Which keys differ between the configuration in force and one that is wanted, and what comes of it
// while a server runs.
// Owned by: values. Thread: any.
// Holds:    every key that differs stands in exactly one of the two lists, in the order of
//           config_keys().
// Not here: which key can change (config_keys.cc), handing values to the shards (live_settings.h).
#pragma once

#include "millrace/server.h"

namespace millrace {

struct ConfigChanges {
    Config merged;  // what was in force, with the live values of what was wanted
    std::vector<ConfigChange> changed;
    std::vector<ConfigChange> refused;
};

// Both are valid.
ConfigChanges compare_configs(const Config& in_force, const Config& wanted);

}  // namespace millrace
