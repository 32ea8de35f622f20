#include "flood_attacks.h"

#include <algorithm>

namespace millrace::test {
namespace {

constexpr std::array<std::string_view, attack_count> names{
    "syn",          "reset_random",   "reset_in_window", "syn_in_window",
    "data_random",  "data_bad_ack",   "data_old",        "ack_unsent",
    "icmp_too_big", "mutated_broken", "mutated_repaired"};

// No address of ours or of the kernel's, none that the kernel answers, none that nobody can have.
bool is_public(uint32_t address) {
    const uint32_t first = address >> 24;
    return first != 0 && first != 10 && first != 127 && first < 224;
}

void write_mss(ByteWriter& out, uint16_t mss) {
    out.u16(0x0204);
    out.u16(mss);
}

void write_timestamps(ByteWriter& out, uint32_t value, uint32_t echo) {
    out.u16(0x080a);
    out.u32(value);
    out.u32(echo);
}

// Which of the options a SYN has, by the bits of `choice`.
size_t write_syn_options(std::span<uint8_t> room, uint32_t choice, uint32_t timestamp) {
    constexpr std::array<uint16_t, 4> segment_bytes{1460, 1400, 536, 8960};
    ByteWriter out(room);
    if ((choice & 1) != 0) write_mss(out, segment_bytes[choice >> 4 & 3]);
    if ((choice & 2) != 0) {  // SACK permitted
        out.u16(0x0101);
        out.u16(0x0402);
    }
    if ((choice & 4) != 0) {  // window scale
        out.u8(1);
        out.u16(0x0303);
        out.u8(static_cast<uint8_t>(choice >> 6 & 15));
    }
    if ((choice & 8) != 0) {
        out.u16(0x0101);
        write_timestamps(out, timestamp, 0);
    }
    return out.written();
}

}  // namespace

std::string_view name_of(Attack attack) {
    return names[static_cast<size_t>(attack)];
}

std::optional<Attack> attack_of(std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Attack>(found - names.begin());
}

size_t FloodAttacks::write_syn(const Mac& from, const Side& server, std::span<uint8_t> room) {
    std::array<uint8_t, 24> options;
    TcpFields syn;
    syn.from.mac = from;
    do syn.from.address = random_u32();
    while (!is_public(syn.from.address));
    syn.from.port = static_cast<uint16_t>(1 + random_.below(65'535));
    syn.to = server;
    syn.seq = random_u32();
    syn.flags = flag::syn;
    syn.window = static_cast<uint16_t>(random_.next());
    syn.options = Bytes(options).first(write_syn_options(options, random_u32(), random_u32()));
    return write_tcp_frame(room, syn);
}

// Not near the window's beginning: what the client sends meanwhile never gets there.
uint32_t FloodAttacks::in_window() {
    return watch_.client_next() + window_bytes_ / 4 + random_.below(window_bytes_ / 2);
}

// Far from everything that `from` gets to, and from everything it has been.
uint32_t FloodAttacks::beyond(uint32_t from) {
    constexpr uint32_t margin = uint32_t{1} << 26;
    return from + margin + random_.below((uint32_t{1} << 31) - 2 * margin);
}

// With the timestamps of the client's newest segment, as good as somebody on the path knows them:
// otherwise PAWS would stop everything before the checks that are meant.
TcpFields FloodAttacks::fields(uint32_t seq, uint32_t ack, uint8_t flags) {
    TcpFields made;
    made.from = watch_.client();
    made.to = watch_.server();
    made.seq = seq;
    made.ack = ack;
    made.flags = flags;
    made.window = static_cast<uint16_t>(random_.next());
    if (watch_.has_timestamps()) {
        ByteWriter out(options_);
        out.u16(0x0101);
        write_timestamps(out, watch_.timestamp_value(), watch_.timestamp_echo());
        made.options = options_;
    }
    return made;
}

void FloodAttacks::fill_payload() {
    for (uint8_t& byte : payload_) byte = static_cast<uint8_t>(random_.next());
}

size_t FloodAttacks::write(Attack attack, std::span<uint8_t> room) {
    if (!watch_.known()) return 0;
    const uint32_t server_next = watch_.server_next();
    TcpFields made;
    switch (attack) {
        case Attack::syn:
            return write_syn(watch_.client().mac, watch_.server(), room);
        case Attack::mutated_broken:
            return write_mutated(room, false);
        case Attack::mutated_repaired:
            return write_mutated(room, true);
        case Attack::icmp_too_big: {
            TcpFields quoted;
            quoted.from = watch_.server();
            quoted.to = watch_.client();
            quoted.seq = beyond(server_next);
            return write_too_big_frame(room, watch_.client(), quoted,
                                       static_cast<uint16_t>(68 + random_.below(1'400)));
        }
        case Attack::reset_random:
            made = fields(beyond(watch_.client_next()), 0, flag::rst);
            break;
        case Attack::reset_in_window:
            made = fields(in_window(), 0, flag::rst);
            break;
        case Attack::syn_in_window:
            made = fields(in_window(), 0, flag::syn);
            break;
        case Attack::data_random:
            made = fields(beyond(watch_.client_next()), random_u32(), flag::ack | flag::psh);
            break;
        case Attack::data_bad_ack:
            made = fields(in_window(), beyond(server_next), flag::ack | flag::psh);
            if (random_.below(4) == 0) made.flags |= flag::fin;
            break;
        case Attack::data_old:
            made = fields(watch_.client_next() - 4'096 - random_.below(window_bytes_), server_next,
                          flag::ack | flag::psh);
            break;
        case Attack::ack_unsent:
            made = fields(watch_.client_next(), beyond(server_next), flag::ack);
            break;
    }
    if ((made.flags & flag::psh) != 0) {
        fill_payload();
        made.payload = payload_;
    }
    return write_tcp_frame(room, made);
}

// Its sequence number stays: otherwise it might be good text somewhere else in the window.
size_t FloodAttacks::write_mutated(std::span<uint8_t> room, bool repaired) {
    constexpr size_t seq_begin = ethernet_bytes + ipv4_bytes + 4, seq_end = seq_begin + 4;
    const Bytes frame = watch_.old_frame(random_u32());
    if (frame.empty()) return 0;
    std::copy(frame.begin(), frame.end(), room.begin());
    const std::span<uint8_t> copy = room.first(frame.size());
    // One byte alone always shows in the checksum.
    const uint32_t times = repaired ? 1 + random_.below(4) : 1;
    // Headers are where the mistakes would be.
    const auto reach = static_cast<uint32_t>(std::min<size_t>(copy.size(), 80));
    for (uint32_t done = 0; done < times;) {
        const size_t begin = repaired ? 0 : ethernet_bytes;
        const size_t at = begin + random_.below(reach - static_cast<uint32_t>(begin));
        if (at >= seq_begin && at < seq_end) continue;
        copy[at] ^= static_cast<uint8_t>(1 + random_.below(255));
        ++done;
    }
    if (repaired) repair_checksums(copy);
    return copy.size();
}

}  // namespace millrace::test
