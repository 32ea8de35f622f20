#include "server/notify.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "server/config_keys.h"

namespace millrace {
namespace {

std::string_view text_of(const char* variable) {
    const char* text = std::getenv(variable);
    return text == nullptr ? std::string_view() : text;
}

// One datagram (sd_notify(3)). Not by libsystemd: while the manager reads nothing its sd_notify()
// waits for ever, and no signal is taken.
void tell(const std::string& message) {
    const std::string_view path = text_of("NOTIFY_SOCKET");
    sockaddr_un manager{};
    manager.sun_family = AF_UNIX;
    if (path.size() < 2 || (path[0] != '/' && path[0] != '@')) return;
    if (path.size() >= sizeof(manager.sun_path)) return;
    std::memcpy(manager.sun_path, path.data(), path.size());
    if (path[0] == '@') manager.sun_path[0] = '\0';   // an abstract name, which has no end mark

    const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    const auto address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    static_cast<void>(::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&manager), address_bytes));
    ::close(descriptor);
}

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

std::string stopping_message(Duration time_max) {
    return fmt::format("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}", time_max.to_us());
}

void notify_ready(std::string_view status) { tell(ready_message(status, ::getpid())); }
void notify_reloading() { tell(reloading_message(monotonic_now())); }
void notify_stopping(Duration time_max) { tell(stopping_message(time_max)); }
void notify_alive() { tell("WATCHDOG=1"); }

std::optional<Duration> parse_watchdog(std::string_view timeout_us, std::string_view process,
                                       int64_t own) {
    // A number past that would be a mistake, and no watchdog.
    constexpr uint64_t timeout_us_max = 365ull * 86'400 * 1'000'000;
    const auto timeout = parse_number(timeout_us);
    if (!timeout || *timeout == 0 || *timeout > timeout_us_max) return std::nullopt;
    if (!process.empty() && parse_number(process) != static_cast<uint64_t>(own)) return std::nullopt;
    return Duration::us(static_cast<int64_t>(*timeout));
}

std::optional<Duration> watchdog_timeout() {
    return parse_watchdog(text_of("WATCHDOG_USEC"), text_of("WATCHDOG_PID"), ::getpid());
}

}  // namespace millrace
