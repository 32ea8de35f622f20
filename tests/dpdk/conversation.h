// What stack_peer does on one connection, and what it has seen there.
// Owned by: the peer's table, by id; the connection's room for users points to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/prng.h"
#include "base/time.h"
#include "net/connection.h"

namespace millrace::test {

enum class Role : uint8_t {
    echo,    // sends back what comes
    sink,    // takes what comes
    source,  // sends so many bytes, then closes
    serve,   // waits for a line with a number, sends so many bytes, then closes
    probe,   // sends so many bytes, waits for as many, then closes
    hold,    // takes what comes and never closes
};

inline std::optional<Role> role_of(const std::string& name) {
    if (name == "echo") return Role::echo;
    if (name == "sink") return Role::sink;
    if (name == "source") return Role::source;
    if (name == "serve") return Role::serve;
    if (name == "probe") return Role::probe;
    if (name == "hold") return Role::hold;
    return std::nullopt;
}

// Bytes of a stream in order: how many, and their hash (XXH3, 64 bits).
class Digest {
public:
    Digest() { XXH3_64bits_reset(&state_); }
    void add(Bytes more) {
        XXH3_64bits_update(&state_, more.data(), more.size());
        bytes_ += more.size();
    }
    uint64_t bytes() const { return bytes_; }
    std::string hash() const { return fmt::format("{:016x}", XXH3_64bits_digest(&state_)); }

private:
    XXH3_state_t state_;
    uint64_t bytes_ = 0;
};

struct Conversation {
    Conversation(uint32_t number, Role what, uint64_t bytes)
        : id(number), role(what), bytes_wanted(bytes), pattern(number) {}

    const uint32_t id;
    const Role role;
    uint64_t bytes_wanted;               // of source, serve (once asked) and probe
    Connection* connection = nullptr;
    Digest received;
    Digest sent;                         // queued, to be exact
    Prng pattern;                        // what `sent` is made of, seeded by the id
    std::string request;                 // serve: the line so far
    Instant opened{};
    Instant last_received{};
    bool is_open = false;
    bool is_finishing = false;           // closing was asked for
    bool is_paused = false;              // receiving, by command
    bool peer_finish_told = false;

    static Conversation& of(Connection& connection) {
        return *connection.as<Conversation*>();
    }
};

}  // namespace millrace::test
