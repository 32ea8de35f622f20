// Why a configuration is refused, as its message; empty when it's accepted.
// Owned by: nobody; values. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "millrace/config.h"
#include "server/config_file.h"

namespace millrace::test {

inline std::string refusal(const Config& config) {
    const std::optional<Error> error = config.validate();
    return error ? error->message : "";
}
// Of a file "a.toml" with this text.
inline std::string fault_in(std::string_view toml) {
    const Outcome<Config> config = parse_config(toml, "a.toml");
    return config ? "" : config.error().message;
}

}  // namespace millrace::test
