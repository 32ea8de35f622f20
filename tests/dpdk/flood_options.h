// What flood is told on its command line.
// Owned by: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flood_attacks.h"

namespace millrace::test {

struct FloodOptions {
    std::string interface;
    Side server;
    Side client;                    // of the connection that is attacked; none for SYNs alone
    std::vector<Attack> attacks;    // in turns
    uint64_t count = 0;             // at least that many frames
    uint64_t per_second = 0;        // 0: as fast as it goes
    bool until_input_ends = false;  // goes on until standard input ends
    double seconds_max = 60;        // the end in any case
    uint32_t answer_ms = 0;         // afterwards: so long SYN-ACKs are answered by RSTs
    uint32_t window_bytes = 256 * 1024;
    uint64_t seed = 1;

    bool needs_watch() const { return client.port != 0; }
};

// Empty, with the exit status, when the process should end.
std::optional<FloodOptions> parse_flood_options(int count, char** arguments, int& status);

}  // namespace millrace::test
