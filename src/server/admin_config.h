// The [admin] part of the configuration: its texts, and what they say together.
// Owned by: values. Thread: any.
// Holds:    what find_admin_fault() accepts is open to this host alone, or asks for a token.
// Not here: ranges of numbers (config_keys.cc), whether a port is free: that shows at the start.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "millrace/config.h"
#include "server/config_keys.h"

namespace millrace {

// As ConfigKey::put and ConfigKey::texts.
bool put_admin_listen(Config& config, std::string_view text);
bool put_admin_token_file(Config& config, std::string_view text);
bool put_history_dir(Config& config, std::string_view text);
std::vector<std::string> admin_listen_texts(const Config& config);

// 127.0.0.0/8 or ::1; also as ::ffff:127.0.0.1. No name is one.
bool is_loopback(const std::string& host);

// Its addresses are valid ones. Reads the token's file when there is a listener.
std::optional<ConfigFault> find_admin_fault(const Config& config);

}  // namespace millrace
