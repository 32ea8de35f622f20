#include "server/reload.h"

#include <algorithm>
#include <filesystem>

#include "base/log.h"
#include "server/log_options.h"

namespace millrace {
namespace {

void log_result(const ReloadResult& result, const std::string& path) {
    for (const ConfigChange& change : result.changed) {
        log_info("key changed", field("key", change.key), field("value", change.wanted),
                 field("was", change.in_force));
    }
    for (const ConfigChange& change : result.refused) {
        log_warning("key needs a restart", field("key", change.key),
                    field("in_force", change.in_force), field("in_file", change.wanted));
    }
    log_info("configuration reloaded", field("file", path),
             field("changed", result.changed.size()), field("refused", result.refused.size()));
}

void log_failure(std::string_view error) {
    log_error("reload failed", field("error", error));
}

bool has_changed(const ReloadResult& result, std::string_view key) {
    return std::any_of(result.changed.begin(), result.changed.end(),
                       [&](const ConfigChange& change) { return change.key == key; });
}

}  // namespace

std::optional<Config> reload_from_file(Server& server, const std::optional<std::string>& path,
                                       std::span<const ConfigOverride> overrides) {
    if (!path) {
        log_failure("there is no file to read again: start with --config FILE");
        return std::nullopt;
    }
    // A pipe that was read at the start is empty now, which would mean "all defaults".
    std::error_code error;
    if (std::filesystem::exists(*path, error) && !std::filesystem::is_regular_file(*path, error)) {
        log_failure(*path + " is not a regular file");
        return std::nullopt;
    }
    Outcome<Config> wanted = make_config(path, overrides);
    if (!wanted) {
        log_failure(wanted.error().message);
        return std::nullopt;
    }
    const ReloadResult result = server.reload(*wanted);
    if (result.error) {
        log_failure(*path + ": " + result.error->message);
        return std::nullopt;
    }
    // A level that SIGUSR2 chose stays when the file says nothing new of it.
    LogOptions log{log_level_min.load(std::memory_order_relaxed), wanted->log.format};
    if (has_changed(result, "log.level")) log.level = wanted->log.level;
    apply_log_options(log);
    log_result(result, *path);
    return std::move(*wanted);
}

}  // namespace millrace
