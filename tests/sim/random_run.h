// One run of the simulation with clients that behave at random: faults first, then they stop, the
// world settles, everything is checked, every session ends, and nothing may be left over.
// Owned by: the simulation's main program; one thread.
#pragma once

#include <memory>
#include <vector>

#include "checkers.h"
#include "clients.h"
#include "world.h"

namespace millrace::sim {

class RandomRun {
public:
    RandomRun(uint64_t seed, uint32_t steps, Sabotage sabotage);
    void trace() { checkers_.set_traced(); }   // prints what clients do and get
    void run();
    // Acts at random, drains at some moment, and ends when everybody has been told to go.
    void run_drain();
    std::string summary() const;

private:
    explicit RandomRun(Prng setup, uint64_t seed, uint32_t steps, Sabotage sabotage);
    void step();
    void settle();
    bool settle_once();
    void look_at_drain();
    void finish_drain();
    void check_settled() const;
    void look_at_retained();
    void end_sessions();
    void check_nothing_dropped() const;
    void check_nothing_left() const;

    const uint32_t steps_;
    Habits habits_;
    World world_;
    Checkers checkers_;
    std::vector<std::unique_ptr<Client>> clients_;
    uint32_t client_share_percent_;
};

}  // namespace millrace::sim
