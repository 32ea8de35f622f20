#include "server/notify.h"

#include <fmt/format.h>
#include <unistd.h>

#ifdef MR_WITH_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "runtime/clock.h"

namespace millrace {
namespace {

#ifdef MR_WITH_SYSTEMD
void tell(const std::string& message) {
    static_cast<void>(::sd_notify(0, message.c_str()));
}
#else
void tell(const std::string&) {}
#endif

std::string one_line(std::string_view status) {
    std::string line(status);
    for (char& letter : line) {
        if (static_cast<unsigned char>(letter) < 0x20) letter = ' ';
    }
    return line;
}

}  // namespace

std::string ready_message(std::string_view status, int64_t process) {
    return fmt::format("READY=1\nSTATUS={}\nMAINPID={}", one_line(status), process);
}

std::string reloading_message(Instant now) {
    return fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.nanoseconds / 1'000);
}

std::string stopping_message(Duration time_max, bool has_watchdog) {
    const std::string watchdog =
        has_watchdog ? fmt::format("\nWATCHDOG_USEC={}", time_max.to_us()) : "";
    return fmt::format("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}{}", time_max.to_us(),
                       watchdog);
}

std::string status_message(std::string_view status) {
    return fmt::format("STATUS={}", one_line(status));
}

void notify_ready(std::string_view status) { tell(ready_message(status, ::getpid())); }
void notify_reloading() { tell(reloading_message(monotonic_now())); }
void notify_stopping(Duration time_max) {
    tell(stopping_message(time_max, watchdog_timeout().has_value()));
}
void notify_status(std::string_view status) { tell(status_message(status)); }
void notify_alive() { tell("WATCHDOG=1"); }

std::optional<Duration> watchdog_timeout() {
#ifdef MR_WITH_SYSTEMD
    uint64_t timeout_us = 0;
    // A number past that would be a mistake, and no watchdog.
    constexpr uint64_t timeout_us_max = 365ull * 86'400 * 1'000'000;
    if (::sd_watchdog_enabled(0, &timeout_us) > 0 && timeout_us <= timeout_us_max) {
        return Duration::us(static_cast<int64_t>(timeout_us));
    }
#endif
    return std::nullopt;
}

}  // namespace millrace
