// Every key of the configuration once: its name, what it accepts, and how it is read and written.
// Owned by: nobody; constant data. Thread: any.
// Holds:    the file, the command line and Config::validate() all go by this table, so a range
//           stands in one place. A key's name is "table.field", or "field" at the top level.
// Not here: what one key demands of another (config_validate.cc), the TOML syntax (config_file.cc).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "millrace/config.h"

namespace millrace {

enum class KeyKind : uint8_t {
    integer,
    boolean,
    text,
    texts,  // a list
};

struct ConfigKey {
    std::string_view name;
    KeyKind kind;
    // A running server takes another value (Server::reload()). Whom the change concerns, and why
    // the others can't: the table in README.md.
    bool live = false;

    // Of integers and booleans.
    uint64_t smallest = 0;
    uint64_t largest = 0;
    bool zero_too = false;      // 0 is accepted beside smallest..largest
    bool power_of_two = false;  // but for the 0 that zero_too allows
    uint64_t (*get)(const Config&) = nullptr;
    void (*set)(Config&, uint64_t) = nullptr;

    // Of texts.
    std::string_view accepted_text;
    // Sets a text, or adds one to a list; false when the text isn't accepted.
    bool (*put)(Config&, std::string_view) = nullptr;
    void (*clear)(Config&) = nullptr;  // lists only
    std::vector<std::string> (*texts)(const Config&) = nullptr;  // one, but for lists
};

std::span<const ConfigKey> config_keys();
const ConfigKey* find_config_key(std::string_view name);  // null when there's no such key
bool is_config_table(std::string_view name);              // "mqtt", "queues", ...

bool accepts(const ConfigKey& key, uint64_t value);
// In words, for a message: "1 to 65535", "a power of two from 64 to 32768".
std::string accepted_values(const ConfigKey& key);
// Sets a key from its text as the command line has it, or adds to a list; false when it isn't
// accepted.
bool put_config_value(Config& config, const ConfigKey& key, std::string_view value);
// As a message shows it: 1024, true, "uring", ["a/#", "b"]. Not too long.
std::string value_text(const ConfigKey& key, const Config& config);
bool has_same_value(const ConfigKey& key, const Config& left, const Config& right);
// `from` is valid.
void copy_value(const ConfigKey& key, const Config& from, Config& to);
// A value for a message: quoted, in one line and not too long.
std::string quoted(std::string_view text);

// Why a configuration is refused. `value` is as a message shows it.
struct ConfigFault {
    std::string key;
    std::string value;
    std::string accepted;

    // "mqtt.maximum_qos = 3: accepted is 0 to 2"
    std::string text() const { return key + " = " + value + ": accepted is " + accepted; }
};

// A value that the key of that name doesn't accept. `value` as a message shows it.
ConfigFault fault_of(std::string_view name, std::string value);

// The first key whose value a server can't run with, or that contradicts another.
std::optional<ConfigFault> find_config_fault(const Config& config);

// Reads decimal digits only. Empty for anything else and for what doesn't fit.
std::optional<uint64_t> parse_number(std::string_view text);
bool is_ip_address(const std::string& host);
// "127.0.0.1:1883", "[::1]:1883".
std::optional<ListenAddress> parse_listen_address(std::string_view text);
std::string to_text(const ListenAddress& address);

}  // namespace millrace
