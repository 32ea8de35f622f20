// The terminal as a screen: its size, keys as they are pressed, and the way back to how it was.
// Owned by: the command that draws. Thread: main's; one in a process.
// Holds:    it's given back by the destructor, whatever happened to the connection. SIGINT, SIGTERM
//           and SIGHUP end waits, and are for the caller to follow; SIGWINCH ends one, too.
// Not here: what is drawn.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <termios.h>

#include "server/remote/top_view.h"

namespace millrace::remote {

struct ScreenExtent {
    uint32_t columns = 80;
    uint32_t rows = 24;
};
// Of the terminal on standard output; the default where it doesn't say.
ScreenExtent screen_extent();
// Standard input and output are one.
bool has_terminal();

class Terminal {
public:
    // Takes over screen, keys and signals. Null when that fails.
    static std::unique_ptr<Terminal> open();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    // False when nobody reads it any more.
    bool draw(const std::vector<ScreenLine>& lines);

    enum class What : uint8_t { time, key, extent, end };
    struct Event {
        What what = What::time;
        char key = 0;
    };
    // Until `until`, a key, another extent, or a signal to end.
    Event wait(std::chrono::steady_clock::time_point until);

private:
    Terminal() = default;
    bool take_over();

    termios former_{};
    sigset_t former_signals_{};
    sigset_t waiting_signals_{};   // those that a wait lets through
    struct sigaction former_actions_[4] = {};
    bool is_taken_ = false;
};

// What a screen is drawn with: text and control sequences (ECMA-48).
std::string screen_bytes(const std::vector<ScreenLine>& lines);

// While a command without a screen runs: SIGINT, SIGTERM and SIGHUP raise a flag and end a sleep.
class EndSignals {
public:
    EndSignals();
    ~EndSignals();
    EndSignals(const EndSignals&) = delete;
    EndSignals& operator=(const EndSignals&) = delete;

    bool is_raised() const;
    // True when one came meanwhile.
    bool sleep_for(std::chrono::milliseconds span);

private:
    sigset_t former_signals_{};
    sigset_t waiting_signals_{};
    struct sigaction former_actions_[3] = {};
};

}  // namespace millrace::remote
