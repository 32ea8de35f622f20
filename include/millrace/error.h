// What can go wrong, as the embedding program sees it.
// Owned by: values. Thread: any.
// Holds:    `message` names what, where and how to mend it, in one line.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

enum class Errc : uint8_t {
    incomplete,        // more bytes are needed; nothing is wrong so far
    malformed,         // these bytes can never become legal
    too_large,         // legal, but over a limit of ours
    exhausted,         // a pool, queue or memory budget of ours is full
    invalid_argument,  // a configuration value out of its range
    not_found,
    unsupported,       // the kernel or build lacks it
    system,            // a system call failed; the message has its errno
};

struct Error {
    Errc code = Errc::system;
    std::string message;
};

}  // namespace millrace
