// The configuration as a TOML file, and what the command line changes in it.
// Owned by: values. Thread: any; main uses it before the shards start.
// Holds:    a configuration comes out complete and valid, or not at all: then the error has the
//           file, line and column, or the flag, with the key, its value and what is accepted.
// Not here: ranges (config_keys.cc).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "millrace/config.h"

namespace millrace {

// A key that a flag of the command line sets. `values` has one entry, but for lists.
struct ConfigOverride {
    std::string flag;  // as a message names it: "--listen"
    std::string key;   // "listen"
    std::vector<std::string> values;
};

// `name` stands for the text in messages.
Outcome<Config> parse_config(std::string_view toml, const std::string& name);
Outcome<Config> read_config_file(const std::string& path);

// The file's configuration (the defaults when there's no path) with the overrides on top. The
// result is valid as a whole; a file alone needn't be, when a flag mends it.
Outcome<Config> make_config(const std::optional<std::string>& path,
                            std::span<const ConfigOverride> overrides);

}  // namespace millrace
