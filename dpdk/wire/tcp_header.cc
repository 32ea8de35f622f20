#include "wire/tcp_header.h"

#include <algorithm>

#include "base/assert.h"
#include "wire/checksum.h"
#include "wire/fields.h"
#include "wire/headers.h"

namespace millrace {

using wire::load_u16;
using wire::load_u32;
using wire::store_u16;
using wire::store_u32;

namespace {

constexpr uint32_t fixed_bytes = 20;

// RFC 9293, 3.2; RFC 7323, 2.2 and 3.2; RFC 2018, 2 and 3.
namespace option {
constexpr uint8_t end = 0;
constexpr uint8_t none = 1;
constexpr uint8_t mss = 2;
constexpr uint8_t window_scale = 3;
constexpr uint8_t sack_permitted = 4;
constexpr uint8_t sack = 5;
constexpr uint8_t timestamps = 8;

constexpr uint32_t mss_bytes = 4;
constexpr uint32_t window_scale_bytes = 3;
constexpr uint32_t sack_permitted_bytes = 2;
constexpr uint32_t timestamps_bytes = 10;
constexpr uint32_t sack_block_bytes = 8;
}  // namespace option

// Two NOPs and a timestamps option: how RFC 7323, appendix A, wants it laid out, and so all that
// most segments of an established connection carry.
constexpr uint32_t aligned_timestamps_word =
    uint32_t{option::none} << 24 | uint32_t{option::none} << 16 |
    uint32_t{option::timestamps} << 8 | option::timestamps_bytes;
constexpr uint32_t aligned_timestamps_bytes = 12;
constexpr uint8_t window_scale_max = 14;

void take_timestamps(const uint8_t* value, TcpOptions& out) {
    out.has_timestamps = true;
    out.timestamp_value = load_u32(value);
    out.timestamp_echo = load_u32(value + 4);
}

void take_sack(const uint8_t* value, uint32_t bytes, TcpOptions& out) {
    const uint32_t count = bytes / option::sack_block_bytes;
    if (count == 0 || count > TcpOptions::sack_blocks_max) return;
    if (bytes % option::sack_block_bytes != 0) return;
    out.sack_count = static_cast<uint8_t>(count);
    for (uint32_t index = 0; index < count; ++index, value += option::sack_block_bytes) {
        out.sack[index] = {{load_u32(value)}, {load_u32(value + 4)}};
    }
}

// One option that has a length, by its kind; what isn't well-formed is as good as absent.
void take_option(uint8_t kind, Bytes whole, bool in_syn, TcpOptions& out) {
    const uint8_t* value = whole.data() + 2;
    switch (kind) {
    case option::mss:
        // Options of the handshake count only with a SYN (RFC 9293 3.2, RFC 7323 2.2, RFC 2018 2).
        if (in_syn && whole.size() == option::mss_bytes) out.mss = load_u16(value);
        return;
    case option::window_scale:
        if (!in_syn || whole.size() != option::window_scale_bytes) return;
        out.has_window_scale = true;
        out.window_scale = std::min(*value, window_scale_max);  // RFC 7323, 2.3
        return;
    case option::sack_permitted:
        if (in_syn && whole.size() == option::sack_permitted_bytes) out.sack_permitted = true;
        return;
    case option::sack:
        // Of established connections only (RFC 2018, 3).
        if (!in_syn) take_sack(value, static_cast<uint32_t>(whole.size()) - 2, out);
        return;
    case option::timestamps:
        if (whole.size() == option::timestamps_bytes) take_timestamps(value, out);
        return;
    default: return;  // RFC 9293, 3.1 (MUST-6): an unknown option is skipped
    }
}

// False when an option's length is impossible or leads out of the header (RFC 9293, 3.1, MUST-7).
bool parse_options(Bytes rest, bool in_syn, TcpOptions& out) {
    while (!rest.empty()) {
        const uint8_t kind = rest[0];
        if (kind == option::end) return true;
        if (kind == option::none) {
            rest = rest.subspan(1);
            continue;
        }
        if (rest.size() < 2) return false;
        const size_t bytes = rest[1];
        if (bytes < 2 || bytes > rest.size()) return false;
        take_option(kind, rest.first(bytes), in_syn, out);
        rest = rest.subspan(bytes);
    }
    return true;
}

// How many bytes write_tcp's options take before the SACK blocks.
uint32_t bytes_before_sack(const TcpOptions& options) {
    uint32_t bytes = 0;
    if (options.mss != 0) bytes += option::mss_bytes;
    if (options.has_timestamps) bytes += aligned_timestamps_bytes;
    else if (options.sack_permitted) bytes += 4;
    if (options.has_window_scale) bytes += 4;
    return bytes;
}

// As many blocks as the 40 bytes of options have room for: three beside timestamps (RFC 2018, 3).
uint32_t sack_count_that_fits(const TcpOptions& options, uint32_t bytes_used) {
    constexpr uint32_t option_bytes_max = tcp_header_bytes_max - fixed_bytes;
    const uint32_t room = option_bytes_max - bytes_used;
    if (options.sack_count == 0 || room < 4 + option::sack_block_bytes) return 0;
    return std::min<uint32_t>(options.sack_count, (room - 4) / option::sack_block_bytes);
}

uint32_t option_bytes(const TcpOptions& options) {
    const uint32_t before = bytes_before_sack(options);
    const uint32_t blocks = sack_count_that_fits(options, before);
    return before + (blocks == 0 ? 0 : 4 + blocks * option::sack_block_bytes);
}

uint8_t* write_word(uint8_t* at, uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    store_u32(at, uint32_t{a} << 24 | uint32_t{b} << 16 | uint32_t{c} << 8 | d);
    return at + 4;
}

uint8_t* write_timestamps(uint8_t* at, uint32_t first_word, const TcpOptions& options) {
    store_u32(at, first_word);
    store_u32(at + 4, options.timestamp_value);
    store_u32(at + 8, options.timestamp_echo);
    return at + aligned_timestamps_bytes;
}

// In the order that Linux has: middleboxes know it.
void write_options(uint8_t* at, const TcpOptions& options) {
    const uint32_t blocks = sack_count_that_fits(options, bytes_before_sack(options));
    if (options.mss != 0) {
        at = write_word(at, option::mss, option::mss_bytes, static_cast<uint8_t>(options.mss >> 8),
                        static_cast<uint8_t>(options.mss));
    }
    if (options.has_timestamps) {
        constexpr uint32_t with_sack_permitted =
            uint32_t{option::sack_permitted} << 24 | option::sack_permitted_bytes << 16 |
            uint32_t{option::timestamps} << 8 | option::timestamps_bytes;
        at = write_timestamps(
            at, options.sack_permitted ? with_sack_permitted : aligned_timestamps_word, options);
    } else if (options.sack_permitted) {
        at = write_word(at, option::none, option::none, option::sack_permitted,
                        option::sack_permitted_bytes);
    }
    if (options.has_window_scale) {
        at = write_word(at, option::none, option::window_scale, option::window_scale_bytes,
                        options.window_scale);
    }
    if (blocks == 0) return;
    at = write_word(at, option::none, option::none, option::sack,
                    static_cast<uint8_t>(2 + blocks * option::sack_block_bytes));
    for (uint32_t index = 0; index < blocks; ++index, at += option::sack_block_bytes) {
        store_u32(at, options.sack[index].begin.value);
        store_u32(at + 4, options.sack[index].end.value);
    }
}

// Whether timestamps are all there is: most segments of a connection.
bool has_only_timestamps(const TcpOptions& options) {
    return options.has_timestamps && options.sack_count == 0 && options.mss == 0 &&
           !options.has_window_scale && !options.sack_permitted;
}

}  // namespace

bool parse_tcp(Bytes transport, TcpPorts& ports, Segment& out) {
    if (transport.size() < fixed_bytes) return false;
    const uint8_t* header = transport.data();
    const uint32_t header_bytes = uint32_t{header[12]} >> 4 << 2;
    if (header_bytes < fixed_bytes || header_bytes > transport.size()) return false;
    const uint32_t both_ports = load_u32(header);
    ports = {static_cast<uint16_t>(both_ports >> 16), static_cast<uint16_t>(both_ports)};
    out.seq = {load_u32(header + 4)};
    out.ack = {load_u32(header + 8)};
    out.flags = header[13];
    out.window = load_u16(header + 14);
    out.options = TcpOptions{};
    out.payload = transport.subspan(header_bytes);
    if (header_bytes == fixed_bytes) return true;
    if (header_bytes == fixed_bytes + aligned_timestamps_bytes &&
        load_u32(header + fixed_bytes) == aligned_timestamps_word) {
        take_timestamps(header + fixed_bytes + 4, out.options);
        return true;
    }
    return parse_options(transport.subspan(fixed_bytes, header_bytes - fixed_bytes),
                         out.has(tcp_flag::syn), out.options);
}

bool tcp_checksum_is_good(Bytes transport, const IpAddress& source, const IpAddress& destination) {
    const PartialSum pseudo = pseudo_header_sum(source, destination, protocol_tcp,
                                                static_cast<uint32_t>(transport.size()));
    return pseudo.then(sum_of(transport), 0).folded() == 0xffff;
}

uint32_t write_tcp(std::span<uint8_t> room, const TcpPorts& ports, const OutSegment& segment) {
    const uint32_t header_bytes = tcp_header_bytes(segment);
    MR_ASSERT(room.size() >= header_bytes);
    uint8_t* header = room.data();
    store_u32(header, uint32_t{ports.source} << 16 | ports.destination);
    store_u32(header + 4, segment.seq.value);
    // Zero without the ACK flag: nothing of ours leaks there (RFC 9293, 3.1, leaves it open).
    store_u32(header + 8, segment.has(tcp_flag::ack) ? segment.ack.value : 0);
    store_u32(header + 12,
              header_bytes << 26 | uint32_t{segment.flags} << 16 | uint32_t{segment.window});
    store_u32(header + tcp_checksum_at, 0);  // and the urgent pointer
    if (has_only_timestamps(segment.options)) {
        write_timestamps(header + fixed_bytes, aligned_timestamps_word, segment.options);
    } else if (header_bytes > fixed_bytes) {
        write_options(header + fixed_bytes, segment.options);
    }
    return header_bytes;
}

uint32_t tcp_header_bytes(const OutSegment& segment) {
    if (has_only_timestamps(segment.options)) return fixed_bytes + aligned_timestamps_bytes;
    return fixed_bytes + option_bytes(segment.options);
}

}  // namespace millrace
