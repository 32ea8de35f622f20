// A broker inside your own program.
// Owned by: you. create() -> start() -> [publish(), stats(), reload()] -> [drain()] -> stop(), or let the
//           destructor stop.
// Thread:   every method from any thread, but start() and stop() from one at a time.
// Not here: hooks into authentication and authorisation.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/config.h"
#include "millrace/error.h"
#include "millrace/stats.h"

namespace millrace {

// A key whose value differs between the configuration in force and another. Values as the file has
// them, long ones cut: "1024", "true", "\"uring\"", "[\"secret/#\"]".
struct ConfigChange {
    std::string key;       // "mqtt.maximum_qos"
    std::string in_force;  // before the reload
    std::string wanted;
};

// What Server::reload() did.
struct ReloadResult {
    std::optional<Error> error;         // set when the configuration isn't valid: nothing changed
    std::vector<ConfigChange> changed;  // `wanted` is in force now
    std::vector<ConfigChange> refused;  // can't change while a server exists: `in_force` stays
};

class Server {
public:
    // Null, and `error` says why, when the configuration or the host doesn't allow it. Reserves
    // memory, starts no thread and opens no socket.
    static std::unique_ptr<Server> create(const Config& config, Error& error);
    virtual ~Server() = default;

    // Starts a pinned thread a shard and listens. Nullopt when it runs.
    virtual std::optional<Error> start() = 0;
    // Stops accepting and tells the clients to go, config.drain.rate a second; the others are
    // served on, publish() included. Returns at once; when the last one has gone the server is at
    // its end, and only stop() is left to call. With a rate of 0 all are told at once, as stop()
    // does it. Without effect before start(), during a drain and after stop().
    // What publish() took before a client's turn reaches it before its goodbye if the shards keep up
    // with their mail; what a client was acknowledged does so always (src/broker/README.md).
    virtual void drain() = 0;
    // True when the server has come to its end, after drain() or stop(), or was never started;
    // false when `timeout` has passed before, which may be milliseconds::max(). stats().connections says how many are left.
    virtual bool wait_until_drained(std::chrono::milliseconds timeout) = 0;
    // Stops accepting, sends what is queued (for at most timeouts.drain), tells MQTT 5 clients
    // "server shutting down", or where to go instead if drain.server_reference says so, and joins
    // the threads. Cuts a drain short: whoever is left is told at once.
    virtual void stop() = 0;

    // The ports that were bound, in the order of config.listen. Valid after start().
    virtual std::vector<uint16_t> ports() const = 0;
    // What the server found on this host: kernel features, cores, huge pages, limits. One line.
    virtual std::string description() const = 0;

    // Publishes like a client of the name "host" would. The bytes are copied before it returns.
    // QoS 0 to 2. An error when the topic is not a valid topic name or the queue is full.
    virtual std::optional<Error> publish(std::string_view topic, std::span<const uint8_t> payload,
                                         uint8_t qos = 0, bool retain = false) = 0;

    // At any time until the destructor.
    virtual Stats stats() const = 0;

    // Takes the values of `wanted` as far as keys can change while the server runs, without losing a
    // connection or a message. The others are refused, by name; they need a new server. A
    // configuration that isn't valid changes nothing at all. What each key concerns stands with it
    // in config.h: what a client was promised in its CONNACK goes on holding for its connection.
    // From any thread, before start() as well. Returns when every shard works with the new values; a
    // shard that doesn't come round within two seconds takes them with its next turn.
    virtual ReloadResult reload(const Config& wanted) = 0;

    // Asks every shard to write its network's state and counters to the log, at its next turn.
    virtual void log_state() = 0;

    // Whether the shards work: ask_shards() asks every one, and wakes those who sleep;
    // silent_shards() are those whose loop hasn't turned since. A shard answers within a turn, which
    // takes milliseconds under load: one that is silent for seconds hangs. After start().
    virtual void ask_shards() = 0;
    virtual std::vector<uint32_t> silent_shards() const = 0;
};

}  // namespace millrace
