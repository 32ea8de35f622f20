// One run with low limits: what is delivered and what the broker says it has dropped add up.
// Owned by: the simulation's main program; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec/mqtt/packet.h"
#include "world.h"

namespace millrace::sim {

class LimitsRun {
public:
    explicit LimitsRun(uint64_t seed);
    void run();

private:
    struct Peer {
        std::shared_ptr<Pipe> pipe;
        std::string incoming;
        uint32_t publishes = 0;
        uint32_t answers = 0;      // packets of other kinds
        bool is_stalled = false;
    };

    static Config draw_config(Prng& setup);
    explicit LimitsRun(Prng setup, uint64_t seed);
    void connect(Peer& peer, const std::string& client_id, uint32_t session_expiry_s);
    void subscribe(Peer& peer, mqtt::Qos qos);
    void publish(Peer& peer, mqtt::Qos qos);
    void read(Peer& peer);
    void acknowledge(Peer& peer, const mqtt::Publish& packet);
    void settle();
    void publish_past_stalled_receivers();
    void publish_past_full_queues();

    Prng setup_;
    Config config_;
    World world_;
    std::vector<Peer> peers_;
    uint16_t last_packet_id_ = 0;
};

}  // namespace millrace::sim
