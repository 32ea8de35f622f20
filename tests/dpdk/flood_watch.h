// What somebody on the path can know about one TCP connection: read from its frames as they pass.
// Owned by: flood, on its only thread.
// Holds:    numbers only move forward; `known()` once a frame of each direction was seen.
// Not here: sending.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "flood_frame.h"

namespace millrace::test {

class FloodWatch {
public:
    FloodWatch(const Side& client, const Side& server) : client_(client), server_(server) {}

    void take(Bytes frame);

    bool known() const { return has_client_ && has_server_; }
    const Side& client() const { return client_; }
    const Side& server() const { return server_; }
    uint32_t client_next() const { return client_next_; }  // what the client sends next
    uint32_t server_next() const { return server_next_; }
    bool has_timestamps() const { return has_timestamps_; }
    uint32_t timestamp_value() const { return timestamp_value_; }  // the client's newest
    uint32_t timestamp_echo() const { return timestamp_echo_; }

    // A frame of the client's that the server has long had; empty while there's none. `choice` is
    // a random number.
    Bytes old_frame(uint32_t choice) const;

private:
    struct Kept {
        uint32_t end_seq = 0;
        std::vector<uint8_t> frame;
    };

    void take_from_client(Bytes frame, Bytes segment, uint32_t end_seq);
    void read_timestamps(Bytes segment, size_t header_bytes);

    Side client_, server_;
    bool has_client_ = false, has_server_ = false, has_timestamps_ = false;
    uint32_t client_next_ = 0, server_next_ = 0;
    uint32_t timestamp_value_ = 0, timestamp_echo_ = 0;
    std::deque<Kept> kept_;  // old enough come first
};

}  // namespace millrace::test
