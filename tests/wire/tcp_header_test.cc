#include <doctest/doctest.h>

#include <algorithm>

#include "captured_frames.h"
#include "frame_bytes.h"
#include "wire/checksum.h"
#include "wire/frame.h"
#include "wire/headers.h"
#include "wire/tcp_header.h"

using namespace millrace;

namespace {

// A header with these options, and nothing behind it.
FrameBytes header_with(std::string_view options_hex, uint8_t flags) {
    FrameBytes header = from_hex("1f90075b" "00000001" "00000002" "5000ffff" "00000000");
    const FrameBytes options = from_hex(options_hex);
    header.insert(header.end(), options.begin(), options.end());
    header[12] = static_cast<uint8_t>(header.size() / 4 << 4);
    header[13] = flags;
    return header;
}

struct Parsed {
    TcpPorts ports;
    Segment segment;
    bool is_good = false;
};
Parsed parse(const FrameBytes& transport) {
    Parsed parsed;
    parsed.is_good = parse_tcp(transport, parsed.ports, parsed.segment);
    return parsed;
}
TcpOptions options_of(std::string_view options_hex, uint8_t flags = tcp_flag::syn) {
    const Parsed parsed = parse(header_with(options_hex, flags));
    CHECK(parsed.is_good);
    return parsed.segment.options;
}

OutSegment to_send(const Segment& segment) {
    return {.seq = segment.seq,
            .ack = segment.ack,
            .window = segment.window,
            .flags = segment.flags,
            .options = segment.options};
}
FrameBytes written(const OutSegment& segment, TcpPorts ports = {1, 2}) {
    FrameBytes room(tcp_header_bytes_max, 0xee);
    const uint32_t bytes = write_tcp(room, ports, segment);
    CHECK(bytes == tcp_header_bytes(segment));
    CHECK(bytes % 4 == 0);
    room.resize(bytes);
    return room;
}
FrameBytes written_options(const TcpOptions& options, uint8_t flags = tcp_flag::syn) {
    const FrameBytes header = written({.flags = flags, .options = options});
    return {header.begin() + 20, header.end()};
}
TcpOptions with_sack(uint8_t count, bool has_timestamps) {
    TcpOptions options;
    options.has_timestamps = has_timestamps;
    options.timestamp_value = 7;
    options.timestamp_echo = 8;
    options.sack_count = count;
    for (uint32_t index = 0; index < count; ++index) {
        options.sack[index] = {{index * 1'000}, {index * 1'000 + 500}};
    }
    return options;
}

}  // namespace

TEST_CASE("tcp_header: a SYN of Linux is read") {
    const FrameBytes frame = from_hex(captured::syn_ipv4);
    const Parsed parsed = parse(copy(Bytes(frame).subspan(34)));
    REQUIRE(parsed.is_good);
    CHECK(parsed.ports.source == 50'600);
    CHECK(parsed.ports.destination == 4'000);
    CHECK(parsed.segment.flags == tcp_flag::syn);
    CHECK(parsed.segment.window == 64'240);
    CHECK(parsed.segment.options.mss == 1'460);
    CHECK(parsed.segment.options.sack_permitted);
    CHECK(parsed.segment.options.has_window_scale);
    CHECK(parsed.segment.options.window_scale == 10);
    CHECK(parsed.segment.options.has_timestamps);
    CHECK(parsed.segment.options.timestamp_value == 3'322'210'824);
    CHECK(parsed.segment.options.timestamp_echo == 0);
    CHECK(parsed.segment.payload.empty());
}

TEST_CASE("tcp_header: data of Linux is read, with the aligned timestamps") {
    const FrameBytes frame = from_hex(captured::data_ipv4);
    const Bytes transport = Bytes(frame).subspan(34);
    TcpPorts ports;
    Segment segment;
    REQUIRE(parse_tcp(transport, ports, segment));
    CHECK(segment.flags == (tcp_flag::psh | tcp_flag::ack));
    CHECK(segment.options.has_timestamps);
    CHECK(segment.options.timestamp_value == 3'322'210'824);
    CHECK(segment.options.timestamp_echo == 1'931'773'709);
    CHECK(segment.options.mss == 0);
    CHECK(as_text(segment.payload) == "hello wire");
    CHECK(segment.payload.data() == transport.data() + 32);
}

TEST_CASE("tcp_header: segments of Linux are written byte for byte, their checksum too") {
    for (const std::string_view hex :
         {captured::syn_ipv4, captured::syn_ack_ipv4, captured::data_ipv4, captured::fin_ipv4,
          captured::syn_ipv6, captured::data_ipv6}) {
        const FrameBytes frame = from_hex(hex);
        const ParsedFrame outer = parse_frame(frame, {});
        TcpPorts ports;
        Segment segment;
        REQUIRE(parse_tcp(outer.body, ports, segment));
        FrameBytes header = written(to_send(segment), ports);
        const PartialSum sum = pseudo_header_sum(outer.source, outer.destination, protocol_tcp,
                                                 static_cast<uint32_t>(outer.body.size()))
                                   .then(sum_of(header), 0)
                                   .then(sum_of(segment.payload), header.size());
        put_u16(header, tcp_checksum_at, sum.checksum());
        CHECK(header == copy(outer.body.first(header.size())));
    }
}

TEST_CASE("tcp_header: the checksum of Linux's segments is good, and not after a change") {
    for (const std::string_view hex : {captured::data_ipv4, captured::data_ipv6}) {
        FrameBytes frame = from_hex(hex);
        const ParsedFrame outer = parse_frame(frame, {});
        CHECK(tcp_checksum_is_good(outer.body, outer.source, outer.destination));
        CHECK_FALSE(tcp_checksum_is_good(outer.body, outer.source, ip("10.9.0.3")));
        frame.back() ^= 1;
        CHECK_FALSE(tcp_checksum_is_good(outer.body, outer.source, outer.destination));
    }
}

TEST_CASE("tcp_header: what is shorter than its own header is refused") {
    const FrameBytes header = header_with("0101080a0000000100000002", tcp_flag::ack);
    for (size_t count = 0; count < header.size(); ++count) {
        CHECK_FALSE(parse(copy(Bytes(header).first(count))).is_good);
    }
    CHECK(parse(header).is_good);
}

TEST_CASE("tcp_header: a data offset under five words is refused") {
    FrameBytes header = header_with("", tcp_flag::ack);
    header[12] = 0x40;
    CHECK_FALSE(parse(header).is_good);
}

TEST_CASE("tcp_header: options in any order are read, and unknown ones skipped") {
    const TcpOptions options = options_of("fd04abcd" "03030701" "080a0000000500000006" "0402"
                                          "0204" "05b4" "00ff");
    CHECK(options.window_scale == 7);
    CHECK(options.timestamp_value == 5);
    CHECK(options.timestamp_echo == 6);
    CHECK(options.sack_permitted);
    CHECK(options.mss == 1'460);
}

TEST_CASE("tcp_header: nothing is read behind the end of options") {
    CHECK(options_of("00" "020405b4" "010101").mss == 0);
    CHECK(options_of("00" "0800ff" "01010101").has_timestamps == false);
}

TEST_CASE("tcp_header: an option that leads out of the header is refused") {
    for (const std::string_view hex :
         {"02000000", "02010000", "01010102", "080a0000", "01010105", "fd050000",
          "fd0d00000000000000000000", "010101fd"}) {
        CAPTURE(hex);
        CHECK_FALSE(parse(header_with(hex, tcp_flag::syn)).is_good);
    }
}

TEST_CASE("tcp_header: a known option of the wrong length is as good as absent") {
    CHECK(options_of("02030500").mss == 0);
    CHECK_FALSE(options_of("03040500").has_window_scale);
    CHECK_FALSE(options_of("04030000").sack_permitted);
    CHECK_FALSE(options_of("080900000000000000000000").has_timestamps);
    CHECK(options_of("05020101", tcp_flag::ack).sack_count == 0);
    CHECK(options_of("050900000000000000000000", tcp_flag::ack).sack_count == 0);
}

TEST_CASE("tcp_header: a window scale over 14 is taken as 14") {
    CHECK(options_of("03030f00").window_scale == 14);
    CHECK(options_of("0303ff00").window_scale == 14);
    CHECK(options_of("03030e00").window_scale == 14);
    CHECK(options_of("03030000").window_scale == 0);
    CHECK(options_of("03030000").has_window_scale);
}

TEST_CASE("tcp_header: options of the handshake count with a SYN only") {
    const TcpOptions options = options_of("020405b4" "0402" "030307" "010101", tcp_flag::ack);
    CHECK(options.mss == 0);
    CHECK_FALSE(options.sack_permitted);
    CHECK_FALSE(options.has_window_scale);
    CHECK(options_of("0101050a0000000100000002").sack_count == 0);
}

TEST_CASE("tcp_header: four SACK blocks are read") {
    const TcpOptions options = options_of(
        "01010522" "0000000100000002" "0000000300000004" "0000000500000006" "fffffff000000010",
        tcp_flag::ack);
    REQUIRE(options.sack_count == 4);
    CHECK(options.sack[0] == SeqRange{{1}, {2}});
    CHECK(options.sack[3] == SeqRange{{0xfffffff0}, {0x10}});
}

TEST_CASE("tcp_header: a segment read earlier leaves no options behind") {
    Parsed parsed = parse(header_with("020405b4" "01030307", tcp_flag::syn));
    REQUIRE(parse_tcp(header_with("", tcp_flag::ack), parsed.ports, parsed.segment));
    CHECK(parsed.segment.options.mss == 0);
    CHECK_FALSE(parsed.segment.options.has_window_scale);
}

TEST_CASE("tcp_header: each field is written in its place") {
    const FrameBytes header = written({.seq = {0x01020304},
                                       .ack = {0x05060708},
                                       .window = 0x090a,
                                       .flags = tcp_flag::ack | tcp_flag::cwr},
                                      {0xfffe, 0x8081});
    CHECK(header == from_hex("fffe8081" "01020304" "05060708" "5090090a" "00000000"));
}

TEST_CASE("tcp_header: the acknowledgment is zero without its flag") {
    const FrameBytes header = written({.ack = {0x05060708}, .flags = tcp_flag::rst});
    CHECK(copy(Bytes(header).subspan(8, 4)) == from_hex("00000000"));
}

TEST_CASE("tcp_header: the options of a SYN are laid out as in Linux, whichever there are") {
    TcpOptions options{.mss = 1'460, .window_scale = 7, .has_window_scale = true};
    CHECK(written_options(options) == from_hex("020405b4" "01030307"));
    options.sack_permitted = true;
    CHECK(written_options(options) == from_hex("020405b4" "01010402" "01030307"));
    options.has_timestamps = true;
    CHECK(written_options(options) == from_hex("020405b4" "0402080a0000000000000000" "01030307"));
    options.sack_permitted = false;
    CHECK(written_options(options) == from_hex("020405b4" "0101080a0000000000000000" "01030307"));
}

TEST_CASE("tcp_header: four SACK blocks are written, and three beside timestamps") {
    for (uint8_t count = 0; count <= 4; ++count) {
        const TcpOptions alone = with_sack(count, false);
        const TcpOptions got = parse(written({.flags = tcp_flag::ack, .options = alone}))
                                   .segment.options;
        CHECK(got.sack_count == count);
        CHECK(std::equal(got.sack.begin(), got.sack.begin() + count, alone.sack.begin()));
        const TcpOptions beside = with_sack(count, true);
        const TcpOptions got_beside = parse(written({.flags = tcp_flag::ack, .options = beside}))
                                          .segment.options;
        CHECK(got_beside.sack_count == std::min<int>(count, 3));
        CHECK(got_beside.timestamp_value == 7);
        CHECK(got_beside.timestamp_echo == 8);
    }
}

TEST_CASE("tcp_header: no mix of options passes sixty bytes") {
    for (uint32_t mix = 0; mix < 16; ++mix) {
        TcpOptions options = with_sack(4, (mix & 1) != 0);
        options.mss = (mix & 2) != 0 ? 1'460 : 0;
        options.has_window_scale = (mix & 4) != 0;
        options.sack_permitted = (mix & 8) != 0;
        const FrameBytes header = written({.flags = tcp_flag::ack, .options = options});
        CHECK(header.size() <= tcp_header_bytes_max);
        CHECK(parse(header).is_good);
    }
}
