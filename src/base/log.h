// Lines for a person and for programs, on standard error: what happened and its fields, as text or
// as JSON (log_line.h has both).
//   log_info("client closed", field("client", id), field("reason", "peer_reset"));
// Owned by: the process; any thread may log. A line is one write(2), so lines never mix.
// Holds:    nothing is allocated.
// Not here: the hot path. A write may wait for whoever reads standard error; what a peer can
//           cause goes through MR_LOG_LIMITED.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <string_view>

#include <unistd.h>

#include "base/log_line.h"
#include "base/log_ring.h"

namespace millrace {

// Of the whole process, whoever else is in it: a library's host sets them (millrace/log.h), and
// nobody else does. Relaxed: a line more or less during a change does no harm.
inline std::atomic<LogLevel> log_level_min{LogLevel::info};
inline std::atomic<LogFormat> log_format{LogFormat::text};
inline std::atomic<int> log_file_descriptor{2};

// Set by a shard's thread for itself: each of its lines has it as a field `shard`.
inline thread_local int32_t log_shard = -1;

// At most so many lines a second, all threads together. The rest is counted.
class LogLimit {
public:
    explicit constexpr LogLimit(uint32_t lines_per_second) : lines_max_(lines_per_second) {}

    // Whether a line may be written at that second (of any clock); a refused one is counted.
    bool pass(uint32_t second) {
        // The second and its lines stand in one word, so that one exchange decides. Relaxed: they
        // order nothing but themselves.
        uint64_t seen = state_.load(std::memory_order_relaxed);
        for (;;) {
            const uint64_t lines = (seen >> 32) == second ? seen & UINT32_MAX : 0;
            if (lines >= lines_max_) {
                suppressed_.fetch_add(1, std::memory_order_relaxed);
                return false;
            }
            const uint64_t wanted = (uint64_t{second} << 32) | (lines + 1);
            if (state_.compare_exchange_weak(seen, wanted, std::memory_order_relaxed)) return true;
        }
    }
    // Lines refused since this was last asked.
    uint64_t take_suppressed() { return suppressed_.exchange(0, std::memory_order_relaxed); }

private:
    const uint32_t lines_max_;
    std::atomic<uint64_t> state_{0};
    std::atomic<uint64_t> suppressed_{0};
};

inline bool log_wants(LogLevel level) {
    return level >= log_level_min.load(std::memory_order_relaxed);
}

// The last lines, where somebody wants them (log_ring.h).
inline constinit LogRing log_ring;

template <std::same_as<LogField>... Fields>
LogLine log_line_of(LogFormat format, LogLevel level, std::chrono::system_clock::time_point now,
                    uint64_t suppressed, LogEvent event, const Fields&... fields) {
    LogLine line(format, level, now, event);
    if (log_shard >= 0) line.add(field("shard", log_shard));
    if (suppressed > 0) line.add_suppressed(suppressed);
    (line.add(fields), ...);
    return line;
}

// Whatever the level.
template <std::same_as<LogField>... Fields>
void log_always(LogLevel level, uint64_t suppressed, LogEvent event, const Fields&... fields) {
    const LogFormat format = log_format.load(std::memory_order_relaxed);
    const auto now = std::chrono::system_clock::now();
    LogLine line = log_line_of(format, level, now, suppressed, event, fields...);
    const std::string_view text = line.finish();
    if (log_ring.is_keeping()) {
        if (format == LogFormat::json) {
            log_ring.put(now, level, event.text(), line.fields());
        } else {  // made a second time, which costs less than its write
            LogLine json = log_line_of(LogFormat::json, level, now, suppressed, event, fields...);
            json.finish();
            log_ring.put(now, level, event.text(), json.fields());
        }
    }
    // A log that can't be written has nowhere to say so.
    [[maybe_unused]] const ssize_t written =
        ::write(log_file_descriptor.load(std::memory_order_relaxed), text.data(), text.size());
}

template <std::same_as<LogField>... Fields>
void log_at(LogLevel level, LogEvent event, const Fields&... fields) {
    if (log_wants(level)) log_always(level, 0, event, fields...);
}

template <std::same_as<LogField>... Fields>
void log_limited(LogLimit& limit, LogLevel level, LogEvent event, const Fields&... fields) {
    if (!log_wants(level)) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).count();
    if (!limit.pass(static_cast<uint32_t>(seconds))) return;
    log_always(level, limit.take_suppressed(), event, fields...);
}

template <std::same_as<LogField>... Fields>
void log_debug(LogEvent event, const Fields&... fields) {
    log_at(LogLevel::debug, event, fields...);
}
template <std::same_as<LogField>... Fields>
void log_info(LogEvent event, const Fields&... fields) {
    log_at(LogLevel::info, event, fields...);
}
template <std::same_as<LogField>... Fields>
void log_warning(LogEvent event, const Fields&... fields) {
    log_at(LogLevel::warning, event, fields...);
}
template <std::same_as<LogField>... Fields>
void log_error(LogEvent event, const Fields&... fields) {
    log_at(LogLevel::error, event, fields...);
}

}  // namespace millrace

// MR_LOG_LIMITED(LogLevel::warning, 5, "client refused", field("client", id)): at most five lines a
// second from this place in the code. Its fields are made only when the level is wanted.
#define MR_LOG_LIMITED(level, lines_per_second, ...)                                        \
    do {                                                                                    \
        static constinit ::millrace::LogLimit mr_log_limit{lines_per_second};               \
        if (::millrace::log_wants(level)) {                                                 \
            ::millrace::log_limited(mr_log_limit, (level), __VA_ARGS__);                    \
        }                                                                                   \
    } while (false)
