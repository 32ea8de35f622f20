#include "flood_frame.h"

#include <algorithm>

namespace millrace::test {
namespace {

constexpr uint16_t type_ipv4 = 0x0800;
constexpr uint8_t protocol_icmp = 1, protocol_tcp = 6;
constexpr size_t tcp_bytes_min = 20;
constexpr size_t quoted_tcp_bytes = 8;  // ports and sequence number: what RFC 792 asks for

uint64_t sum_of(Bytes bytes, uint64_t sum = 0) {
    ByteReader in(bytes);
    while (in.remaining() >= 2) sum += in.u16();
    if (in.remaining() == 1) sum += uint64_t{in.u8()} << 8;
    return sum;
}

uint16_t checksum_of(uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

void put_u16(uint8_t* at, uint16_t value) {
    at[0] = static_cast<uint8_t>(value >> 8);
    at[1] = static_cast<uint8_t>(value);
}

void write_ethernet(ByteWriter& out, const Mac& to, const Mac& from) {
    out.bytes(to);
    out.bytes(from);
    out.u16(type_ipv4);
}

void write_ipv4(ByteWriter& out, uint32_t from, uint32_t to, uint8_t protocol, size_t body_bytes) {
    uint8_t* const begin = out.position();
    out.u16(0x4500);
    out.u16(static_cast<uint16_t>(ipv4_bytes + body_bytes));
    out.u16(0);
    out.u16(0x4000);  // "don't fragment"
    out.u8(64);
    out.u8(protocol);
    out.u16(0);
    out.u32(from);
    out.u32(to);
    put_u16(begin + 10, checksum_of(sum_of({begin, ipv4_bytes})));
}

void put_tcp_checksum(std::span<uint8_t> segment, Bytes addresses) {
    put_u16(&segment[16], 0);
    put_u16(&segment[16],
            checksum_of(sum_of(segment, sum_of(addresses, protocol_tcp + segment.size()))));
}

}  // namespace

size_t write_tcp_frame(std::span<uint8_t> room, const TcpFields& fields) {
    const size_t header_bytes = tcp_bytes_min + fields.options.size();
    const size_t segment_bytes = header_bytes + fields.payload.size();
    ByteWriter out(room);
    write_ethernet(out, fields.to.mac, fields.from.mac);
    write_ipv4(out, fields.from.address, fields.to.address, protocol_tcp, segment_bytes);
    uint8_t* const begin = out.position();
    out.u16(fields.from.port);
    out.u16(fields.to.port);
    out.u32(fields.seq);
    out.u32(fields.ack);
    out.u8(static_cast<uint8_t>(header_bytes / 4 << 4));
    out.u8(fields.flags);
    out.u16(fields.window);
    out.u16(0);
    out.u16(0);
    out.bytes(fields.options);
    out.bytes(fields.payload);
    put_tcp_checksum({begin, segment_bytes}, {begin - 8, 8});
    return out.written();
}

size_t write_too_big_frame(std::span<uint8_t> room, const Side& router, const TcpFields& quoted,
                           uint16_t mtu) {
    constexpr size_t message_bytes = 8 + ipv4_bytes + quoted_tcp_bytes;
    ByteWriter out(room);
    write_ethernet(out, quoted.from.mac, router.mac);
    write_ipv4(out, router.address, quoted.from.address, protocol_icmp, message_bytes);
    uint8_t* const begin = out.position();
    out.u16(0x0304);
    out.u16(0);
    out.u16(0);
    out.u16(mtu);
    write_ipv4(out, quoted.from.address, quoted.to.address, protocol_tcp, 1'480);
    out.u16(quoted.from.port);
    out.u16(quoted.to.port);
    out.u32(quoted.seq);
    put_u16(begin + 2, checksum_of(sum_of({begin, message_bytes})));
    return out.written();
}

void repair_checksums(std::span<uint8_t> frame) {
    if (frame.size() < ethernet_bytes + ipv4_bytes) return;
    const std::span<uint8_t> datagram = frame.subspan(ethernet_bytes);
    const size_t header_bytes = size_t{datagram[0]} % 16 * 4;
    if (header_bytes < ipv4_bytes || header_bytes > datagram.size()) return;
    put_u16(&datagram[10], 0);
    put_u16(&datagram[10], checksum_of(sum_of(datagram.first(header_bytes))));
    const size_t total_bytes = size_t{datagram[2]} << 8 | datagram[3];
    const size_t end = std::min(total_bytes, datagram.size());
    if (end < header_bytes + tcp_bytes_min) return;
    put_tcp_checksum(datagram.subspan(header_bytes, end - header_bytes), datagram.subspan(12, 8));
}

}  // namespace millrace::test
