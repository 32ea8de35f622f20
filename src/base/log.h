// Lines for a person to read, on standard error: "2026-03-01T12:00:00.123456Z info  text".
// Owned by: the process; any thread may log. A line is one write(2), so lines never mix.
// Holds:    nothing is allocated. A line has at most 1,024 bytes: what is longer is cut. Control
//           characters become '?', so that a peer's bytes can't forge a line.
// Not here: the hot path. A write may wait for whoever reads standard error; what a peer can
//           cause goes through MR_LOG_LIMITED.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace millrace {

enum class LogLevel : uint8_t { debug, info, warning, error };

// Set at start-up by the main program. Relaxed: a line more or less during a change does no harm.
inline std::atomic<LogLevel> log_level_min{LogLevel::info};
inline std::atomic<int> log_file_descriptor{2};

constexpr std::string_view log_level_name(LogLevel level) {
    switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
    }
    return "";
}

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

// One line of fixed room; what doesn't fit is cut.
class LogLine {
public:
    LogLine(LogLevel level, std::chrono::system_clock::time_point now) {
        namespace chrono = std::chrono;
        const auto day = chrono::floor<chrono::days>(now);
        const chrono::year_month_day date{day};
        const chrono::hh_mm_ss time{chrono::floor<chrono::microseconds>(now - day)};
        add("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z {:<7} ", static_cast<int>(date.year()),
            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
            time.hours().count(), time.minutes().count(), time.seconds().count(),
            time.subseconds().count(), log_level_name(level));
    }

    template <class... Arguments>
    void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        const size_t begin = used_;
        const auto result = fmt::format_to_n(text_.data() + used_, text_bytes_max - used_, format,
                                             std::forward<Arguments>(arguments)...);
        used_ = static_cast<size_t>(result.out - text_.data());
        for (size_t index = begin; index < used_; ++index) {
            const auto letter = static_cast<unsigned char>(text_[index]);
            if (letter < 0x20 || letter == 0x7f) text_[index] = '?';
        }
    }

    // The line with its end, valid as long as this object.
    std::string_view finish() {
        text_[used_] = '\n';
        return {text_.data(), used_ + 1};
    }

private:
    static constexpr size_t text_bytes_max = 1023;  // and the end of the line

    std::array<char, text_bytes_max + 1> text_;
    size_t used_ = 0;
};

inline void log_write(LogLine& line) {
    const std::string_view text = line.finish();
    // A log that can't be written has nowhere to say so.
    [[maybe_unused]] const ssize_t written =
        ::write(log_file_descriptor.load(std::memory_order_relaxed), text.data(), text.size());
}

inline bool log_wants(LogLevel level) {
    return level >= log_level_min.load(std::memory_order_relaxed);
}

template <class... Arguments>
void log_at(LogLevel level, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!log_wants(level)) return;
    LogLine line(level, std::chrono::system_clock::now());
    line.add(format, std::forward<Arguments>(arguments)...);
    log_write(line);
}

template <class... Arguments>
void log_limited(LogLimit& limit, LogLevel level, fmt::format_string<Arguments...> format,
                 Arguments&&... arguments) {
    if (!log_wants(level)) return;
    const auto now = std::chrono::system_clock::now();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    if (!limit.pass(static_cast<uint32_t>(seconds))) return;
    LogLine line(level, now);
    if (const uint64_t suppressed = limit.take_suppressed(); suppressed > 0) {
        line.add("({} more like this were left out) ", suppressed);
    }
    line.add(format, std::forward<Arguments>(arguments)...);
    log_write(line);
}

template <class... Arguments>
void log_debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    log_at(LogLevel::debug, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void log_info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    log_at(LogLevel::info, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void log_warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    log_at(LogLevel::warning, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void log_error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    log_at(LogLevel::error, format, std::forward<Arguments>(arguments)...);
}

}  // namespace millrace

// MR_LOG_LIMITED(LogLevel::warning, 5, "refused {}", name): at most five lines a second from this
// place in the code.
#define MR_LOG_LIMITED(level, lines_per_second, ...)                          \
    do {                                                                      \
        static ::millrace::LogLimit mr_log_limit{lines_per_second};           \
        ::millrace::log_limited(mr_log_limit, (level), __VA_ARGS__);          \
    } while (false)
