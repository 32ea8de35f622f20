#include "server/log_options.h"

#include "base/log.h"

namespace millrace {
namespace {

constexpr LogLevel next_level(LogLevel level) {
    switch (level) {
    case LogLevel::error: return LogLevel::warning;
    case LogLevel::warning: return LogLevel::info;
    case LogLevel::info: return LogLevel::debug;
    case LogLevel::debug: return LogLevel::error;
    }
    return LogLevel::info;
}

}  // namespace

void apply_log_options(const LogOptions& options) {
    log_level_min.store(options.level, std::memory_order_relaxed);
    log_format.store(options.format, std::memory_order_relaxed);
}

void set_log_file_descriptor(int file_descriptor) {
    log_file_descriptor.store(file_descriptor, std::memory_order_relaxed);
}

void step_log_level() {
    const LogLevel level = next_level(log_level_min.load(std::memory_order_relaxed));
    log_level_min.store(level, std::memory_order_relaxed);
    log_always(LogLevel::info, 0, "log level changed", field("log_level", log_level_name(level)));
}

}  // namespace millrace
