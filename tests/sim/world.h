// N shards in one thread: real brokers, memory, wheels and mailboxes over fake transports, with a
// clock and an order of turns that come from a seed.
// Owned by: the simulation's main program; one thread.
// Holds:    the same seed gives the same run. A turn is what runtime/shard_loop.h does.
// Not here: clients (clients.h), what must hold (checkers.h).
#pragma once

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "fake_transport.h"
#include "runtime/arena.h"

namespace millrace::sim {

// A checker's verdict: the run is over.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class World {
public:
    World(uint64_t seed, uint32_t shard_count, const Config& config);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Prng& random() { return random_; }
    Instant now() const { return now_; }
    void advance(Duration by) { now_ = now_ + by; }
    uint32_t shard_count() const { return static_cast<uint32_t>(shards_.size()); }

    // A turn of one shard. True when anything happened in it.
    bool turn(uint32_t shard);
    // Lets the shards read each other's mail until there is none, and begins a new epoch: what
    // was posted in an earlier epoch has been read.
    void settle_mail();
    uint64_t epoch() const { return epoch_; }
    void open(uint32_t shard, std::shared_ptr<Pipe> pipe);
    void calm_down();
    // Every shard begins to drain in its next turn.
    void begin_drain() { is_draining_ = true; }
    bool has_shed_all() const;
    // Whether the drain has come to this connection: it's told to go, or has gone.
    bool is_leaving(const Pipe& pipe) const;
    // Each shard goes over to it at its next turn, as those of a server do.
    void reload(const LiveConfig& live) { versions_.push_back(live); }
    const LiveConfig& live() const { return versions_.back(); }

    // The sum over all shards of one ledger line's objects now, and of one counter.
    uint64_t objects(std::string_view line) const;
    uint64_t total(Counter BrokerCounters::*counter) const;
    uint32_t connection_count() const;
    // A counter of events, to order what clients do.
    uint64_t next_moment() { return ++moment_; }

private:
    struct Shard;
    void begin_turn(Shard& shard);
    // Time for mail alone: no two flushes at once, and none before another.
    Instant mail_time() { return now_ + Duration::ns(++mail_times_); }
    bool turn_of(Shard& shard, std::span<const Event> events, uint32_t mail_bytes_max);

    std::deque<LiveConfig> versions_;   // a shard refers to one; the last is the newest
    Prng random_;
    Instant now_ = Instant::at_ms(1'000);
    std::unique_ptr<MailMesh> mesh_;
    Pressure pressure_;
    std::vector<std::unique_ptr<Shard>> shards_;
    uint64_t moment_ = 0;
    int64_t mail_times_ = 0;
    uint64_t epoch_ = 1;
    bool calm_ = false;
    bool is_draining_ = false;
};

}  // namespace millrace::sim
