#include "server/remote/terminal.h"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace millrace::remote {
namespace {

constexpr int end_signals[] = {SIGINT, SIGTERM, SIGHUP};

// Written by the handler alone; signals are blocked but in waits.
volatile std::sig_atomic_t end_came = 0;
volatile std::sig_atomic_t extent_changed = 0;

void on_end(int) { end_came = 1; }
void on_extent(int) { extent_changed = 1; }

void set_action(int signal, void (*handler)(int), struct sigaction& former) {
    struct sigaction action{};
    action.sa_handler = handler;
    ::sigaction(signal, &action, &former);  // no SA_RESTART: it ends a wait
}

bool write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(written));
    }
    return true;
}

// Blocks the signals; `waiting` is the former mask without them.
void block(sigset_t& signals, sigset_t& former, sigset_t& waiting) {
    ::sigprocmask(SIG_BLOCK, &signals, &former);
    waiting = former;
    for (int signal = 1; signal < NSIG; ++signal) {
        if (::sigismember(&signals, signal) == 1) ::sigdelset(&waiting, signal);
    }
}

timespec left_until(std::chrono::steady_clock::time_point until) {
    const auto left = std::max<std::chrono::nanoseconds>(
        until - std::chrono::steady_clock::now(), std::chrono::nanoseconds(0));
    return {static_cast<time_t>(left.count() / 1'000'000'000), left.count() % 1'000'000'000};
}

}  // namespace

ScreenExtent screen_extent() {
    winsize extent{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &extent) != 0 || extent.ws_col == 0 ||
        extent.ws_row == 0) {
        return {};
    }
    return {extent.ws_col, extent.ws_row};
}

bool has_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1; }

std::unique_ptr<Terminal> Terminal::open() {
    std::unique_ptr<Terminal> terminal(new Terminal);
    if (!terminal->take_over()) return nullptr;
    return terminal;
}

bool Terminal::take_over() {
    if (::tcgetattr(STDIN_FILENO, &former_) != 0) return false;
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : end_signals) ::sigaddset(&signals, signal);
    ::sigaddset(&signals, SIGWINCH);
    end_came = 0;
    extent_changed = 0;
    block(signals, former_signals_, waiting_signals_);
    size_t index = 0;
    for (const int signal : end_signals) set_action(signal, &on_end, former_actions_[index++]);
    set_action(SIGWINCH, &on_extent, former_actions_[index]);
    is_taken_ = true;
    termios keys = former_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the screen as it is
    if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) != 0) return false;
    // The other screen, which leaves what stands on this one; no cursor; no wrapping of lines.
    return write_all("\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J");
}

Terminal::~Terminal() {
    if (!is_taken_) return;
    static_cast<void>(write_all("\x1b[?7h\x1b[?25h\x1b[?1049l"));
    static_cast<void>(::tcsetattr(STDIN_FILENO, TCSAFLUSH, &former_));
    size_t index = 0;
    for (const int signal : end_signals) ::sigaction(signal, &former_actions_[index++], nullptr);
    ::sigaction(SIGWINCH, &former_actions_[index], nullptr);
    ::sigprocmask(SIG_SETMASK, &former_signals_, nullptr);
}

std::string screen_bytes(const std::vector<ScreenLine>& lines) {
    std::string out = "\x1b[H";
    for (size_t index = 0; index < lines.size(); ++index) {
        if (index > 0) out += "\r\n";
        if (lines[index].stands_out) out += "\x1b[7m";
        out += lines[index].text;
        if (lines[index].stands_out) out += "\x1b[0m";
        out += "\x1b[K";  // what stood behind it
    }
    return out + "\x1b[J";  // and below
}

bool Terminal::draw(const std::vector<ScreenLine>& lines) { return write_all(screen_bytes(lines)); }

Terminal::Event Terminal::wait(std::chrono::steady_clock::time_point until) {
    const timespec left = left_until(until);
    pollfd keys{STDIN_FILENO, POLLIN, 0};
    const int ready = ::ppoll(&keys, 1, &left, &waiting_signals_);
    if (end_came != 0) return {What::end};
    if (extent_changed != 0) {
        extent_changed = 0;
        return {What::extent};
    }
    if (ready <= 0) return {What::time};
    char key = 0;
    const ssize_t got = ::read(STDIN_FILENO, &key, 1);
    if (got <= 0) return {What::end};  // the terminal has gone
    return {What::key, key};
}

EndSignals::EndSignals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : end_signals) ::sigaddset(&signals, signal);
    end_came = 0;
    block(signals, former_signals_, waiting_signals_);
    size_t index = 0;
    for (const int signal : end_signals) set_action(signal, &on_end, former_actions_[index++]);
}

EndSignals::~EndSignals() {
    size_t index = 0;
    for (const int signal : end_signals) ::sigaction(signal, &former_actions_[index++], nullptr);
    ::sigprocmask(SIG_SETMASK, &former_signals_, nullptr);
}

bool EndSignals::is_raised() const {
    if (end_came != 0) return true;
    const timespec none{};
    static_cast<void>(::ppoll(nullptr, 0, &none, &waiting_signals_));  // one that waits is let in
    return end_came != 0;
}

bool EndSignals::sleep_for(std::chrono::milliseconds span) {
    const timespec left = left_until(std::chrono::steady_clock::now() + span);
    static_cast<void>(::ppoll(nullptr, 0, &left, &waiting_signals_));
    return end_came != 0;
}

}  // namespace millrace::remote
