// One run: two hosts, a wire, and faults, all drawn from a seed; then the faults stop, and it must
// settle.
// Owned by: the simulation's main program. Thread: one.
// Holds:    the same seed gives the same run.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "tcp_host.h"

namespace millrace::sim {

class TcpRun {
public:
    TcpRun(uint64_t seed, Sabotage sabotage);

    void trace();
    // Throws Failure.
    void run();
    std::string summary() const;
    std::string dump() const;   // of both stacks

private:
    HostDraws draw_host(uint32_t host);
    TcpSettings draw_tcp(bool keepalive);
    LinkDraws draw_link();
    PathFaults draw_path();
    double draw_rate(double most);
    Duration draw_duration(Duration least, Duration most);

    void step(Instant until);
    void change_faults();
    void settle();
    void drain();
    bool is_settled() const;
    void check_ends() const;
    bool may_be_reset(const End& end) const;
    void check_counters() const;
    void check_memory();

    Prng random_;
    Network network_;
    EndBook book_;
    const bool is_ipv4_;
    const bool half_close_;
    std::array<std::unique_ptr<Host>, 2> hosts_;
    Instant now_ = Instant::at_ms(1'000);
    Instant next_change_{};
    Duration change_interval_{};
    Duration time_wait_{};
    double exhaust_chance_ = 0;
    double cut_chance_ = 0;
    double mtu_chance_ = 0;
    uint64_t steps_ = 0;
    bool has_keepalive_ = false;
    bool has_connection_limit_ = false;
    bool has_black_hole_ = false;
    bool has_single_slices_ = false;
    bool traced_ = false;
};

}  // namespace millrace::sim
