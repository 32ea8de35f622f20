// Frames of an attacker: SYNs from everywhere, and what is sent blindly, or nearly so, at a
// connection of others.
// Owned by: flood, on its only thread.
// Holds:    no frame is one that TCP would have to take: RFC 5961 can't tell a segment with the
//           exact sequence number, or text in the window with a plausible ACK, from the peer's.
// Not here: sending, pace.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/prng.h"
#include "flood_watch.h"

namespace millrace::test {

enum class Attack : uint8_t {
    syn,               // from random addresses and ports, options mixed
    reset_random,      // RST with a random sequence number
    reset_in_window,   // RST in the window, but not at its beginning
    syn_in_window,     // SYN in the window
    data_random,       // text with random sequence number and random ACK
    data_bad_ack,      // text in the window that acknowledges what can't be
    data_old,          // other text in the place of what has arrived already
    ack_unsent,        // ACK of what wasn't sent yet
    icmp_too_big,      // "fragmentation needed" about a random sequence number
    mutated_broken,    // an old frame with a byte changed: its checksum doesn't fit
    mutated_repaired,  // an old frame with bytes changed, and checksums that fit
};
constexpr size_t attack_count = 11;

std::string_view name_of(Attack attack);
std::optional<Attack> attack_of(std::string_view name);

class FloodAttacks {
public:
    // `watch` outlives it. The window is the server's receive window in bytes.
    FloodAttacks(const FloodWatch& watch, uint32_t window_bytes, uint64_t seed)
        : watch_(watch), window_bytes_(window_bytes), random_(seed) {}

    // The frame's length; 0 when the watch doesn't know enough for it yet.
    size_t write(Attack attack, std::span<uint8_t> room);
    // `from`: the interface's. The source address is a random public one.
    size_t write_syn(const Mac& from, const Side& server, std::span<uint8_t> room);

private:
    uint32_t random_u32() { return static_cast<uint32_t>(random_.next()); }
    uint32_t in_window();
    uint32_t beyond(uint32_t from);
    TcpFields fields(uint32_t seq, uint32_t ack, uint8_t flags);
    void fill_payload();
    size_t write_mutated(std::span<uint8_t> room, bool repaired);

    const FloodWatch& watch_;
    uint32_t window_bytes_;
    Prng random_;
    std::array<uint8_t, 12> options_{};
    std::array<uint8_t, 64> payload_{};
};

}  // namespace millrace::test
