// Our stack without a device, and peers of few instructions: what they send is a frame written
// once, in which numbers, timestamps and checksum change.
// Owned by: one benchmark.
// Holds:    the clock moves a step with each turn, and nothing is lost: what the stack sends in one
//           turn is acknowledged in the next. Both ends negotiate what Linux does (SACK, window
//           scale, timestamps); the device verifies and computes nothing.
// Not here: whether the frames are right; tests/stack asks that.
#pragma once

#include <memory>
#include <vector>

#include "stack/stack_transport.h"

namespace millrace::perf {

class PeerLink;

class StackWorld {
public:
    StackWorld(uint32_t connection_count, uint32_t payload_bytes);
    ~StackWorld();

    // A segment to every connection.
    void receive();
    // A message to every connection, as a fan-out makes it: one copy, referred to by all.
    void send();

    uint64_t bytes_received() const { return bytes_received_; }  // by the layer above
    uint64_t bytes_sent() const;
    uint64_t frames_sent() const;

private:
    void connect(uint16_t port);
    void turn(bool sends);

    std::unique_ptr<Arena> arena_;
    Ledger ledger_;
    Heap heap_;
    BlockPool blocks_;
    BlockStream stream_;
    Waker waker_;
    Instant now_;
    std::unique_ptr<StackTransport> net_;
    PeerLink* link_ = nullptr;  // net_ owns it
    std::vector<Connection*> connections_;
    uint32_t payload_bytes_;
    uint64_t bytes_received_ = 0;
};

}  // namespace millrace::perf
