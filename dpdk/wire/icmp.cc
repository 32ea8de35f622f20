#include "wire/icmp.h"

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

using Kind = IcmpMessage::Kind;

constexpr size_t error_header_bytes = 8;      // of ICMP and ICMPv6 errors, and of an echo
constexpr size_t checksum_at = 2;
constexpr size_t quoted_transport_bytes = 8;  // ports and sequence number (RFC 792)

// RFC 792.
namespace v4_type {
constexpr uint8_t echo_reply = 0;
constexpr uint8_t destination_unreachable = 3;
constexpr uint8_t echo_request = 8;
constexpr uint8_t time_exceeded = 11;
constexpr uint8_t parameter_problem = 12;
constexpr uint8_t code_fragmentation_needed = 4;
}  // namespace v4_type

// RFC 4443; from 133 on RFC 4861.
namespace v6_type {
constexpr uint8_t destination_unreachable = 1;
constexpr uint8_t packet_too_big = 2;
constexpr uint8_t time_exceeded = 3;
constexpr uint8_t parameter_problem = 4;
constexpr uint8_t echo_request = 128;
constexpr uint8_t echo_reply = 129;
constexpr uint8_t router_advertisement = 134;
constexpr uint8_t neighbor_solicitation = 135;
constexpr uint8_t neighbor_advertisement = 136;
}  // namespace v6_type

// Neighbor discovery (RFC 4861).
constexpr size_t neighbor_bytes = 24;          // without options (4.3, 4.4)
constexpr size_t router_bytes = 16;            // without options (4.2)
constexpr size_t link_option_bytes = 8;        // for addresses of 6 bytes (RFC 2464, 6)
constexpr uint8_t source_link_option = 1;      // 4.6.1
constexpr uint8_t target_link_option = 2;
constexpr uint32_t flag_solicited = 0x40000000;  // 4.4
constexpr uint32_t flag_override = 0x20000000;

IcmpMessage of_kind(Kind kind) {
    IcmpMessage message;
    message.kind = kind;
    return message;
}

QuotedTcp quoted_tcp(const IpAddress& source, const IpAddress& destination, const uint8_t* tcp) {
    return {.source = source,
            .destination = destination,
            .source_port = load_u16(tcp),
            .destination_port = load_u16(tcp + 2),
            .sequence = load_u32(tcp + 4)};
}

// Reads what an error quotes. False when there isn't even an IP header; a quote of something other
// than the begin of a TCP segment is fine and says nothing to us.
bool read_quote_ipv4(Bytes quote, std::optional<QuotedTcp>& out) {
    if (quote.size() < 20 || quote[0] >> 4 != 4) return false;
    const size_t header_bytes = size_t{quote[0] & 15u} * 4;
    if (header_bytes < 20 || quote.size() < header_bytes) return false;
    const uint8_t* header = quote.data();
    const bool is_later_fragment = (load_u16(header + 6) & 0x1fff) != 0;
    if (header[9] != protocol_tcp || is_later_fragment) return true;
    if (quote.size() < header_bytes + quoted_transport_bytes) return false;
    out = quoted_tcp(wire::load_ipv4(header + 12), wire::load_ipv4(header + 16),
                     header + header_bytes);
    return true;
}

bool read_quote_ipv6(Bytes quote, std::optional<QuotedTcp>& out) {
    if (quote.size() < 40 || quote[0] >> 4 != 6) return false;
    const uint8_t* header = quote.data();
    const IpAddress source = wire::load_ipv6(header + 8);
    const IpAddress destination = wire::load_ipv6(header + 24);
    // We send no extension headers, and no mapped addresses: those would name a flow of IPv4.
    if (header[6] != protocol_tcp || source.is_ipv4() || destination.is_ipv4()) return true;
    if (quote.size() < 40 + quoted_transport_bytes) return false;
    out = quoted_tcp(source, destination, header + 40);
    return true;
}

IcmpMessage parse_error(const ParsedFrame& frame, Kind kind, uint32_t mtu) {
    IcmpMessage message = of_kind(kind);
    message.mtu = mtu;
    const Bytes quote = frame.body.subspan(error_header_bytes);
    const bool is_good = frame.kind == FrameKind::icmp ? read_quote_ipv4(quote, message.quoted)
                                                       : read_quote_ipv6(quote, message.quoted);
    return is_good ? message : of_kind(Kind::malformed);
}

IcmpMessage parse_echo(const ParsedFrame& frame) {
    // There is nobody to answer (RFC 4443, 2.2: a reply goes to the request's source).
    if (frame.source.is_unspecified()) return of_kind(Kind::ignored);
    IcmpMessage message = of_kind(Kind::echo_request);
    message.echo = frame.body.subspan(4);
    return message;
}

IcmpMessage parse_icmpv4(const ParsedFrame& frame) {
    const uint8_t* body = frame.body.data();
    const uint8_t code = body[1];
    switch (body[0]) {
    case v4_type::echo_request: return code == 0 ? parse_echo(frame) : of_kind(Kind::ignored);
    case v4_type::destination_unreachable:
        // The next hop's MTU stands in what was unused before (RFC 1191, 4).
        if (code == v4_type::code_fragmentation_needed) {
            return parse_error(frame, Kind::packet_too_big, load_u16(body + 6));
        }
        return parse_error(frame, Kind::unreachable, 0);
    case v4_type::time_exceeded:
    case v4_type::parameter_problem: return parse_error(frame, Kind::unreachable, 0);
    default: return of_kind(Kind::ignored);  // RFC 1122, 3.2.2; source quench too: RFC 6633, 3
    }
}

// Walks the options of a neighbor discovery message and finds the link-layer address of this type.
// False when one has no length or leads out of the message (RFC 4861, 4.6 and 7.1).
bool read_link_address(Bytes options, uint8_t wanted, std::optional<MacAddress>& out) {
    while (!options.empty()) {
        if (options.size() < 2) return false;
        const size_t bytes = size_t{options[1]} * 8;
        if (bytes == 0 || bytes > options.size()) return false;
        if (options[0] == wanted && bytes == link_option_bytes) {
            out = wire::load_mac(options.data() + 2);
            if (out->is_multicast()) return false;
        }
        options = options.subspan(bytes);
    }
    return true;
}

// RFC 4861, 7.1.1.
bool solicitation_is_good(const ParsedFrame& frame, const IcmpMessage& message) {
    if (frame.source != IpAddress{}) return true;
    return frame.destination == solicited_node(message.target) && !message.link_address;
}

// RFC 4861, 7.1.2.
bool advertisement_is_good(const ParsedFrame& frame, const IcmpMessage& message) {
    return frame.source != IpAddress{} && !(frame.destination.is_multicast() && message.solicited);
}

IcmpMessage parse_neighbor(const ParsedFrame& frame, Kind kind) {
    const Bytes body = frame.body;
    // The checks of RFC 4861, 7.1.1 and 7.1.2, that both messages share.
    if (frame.hop_limit != neighbor_hop_limit || body[1] != 0 || body.size() < neighbor_bytes) {
        return of_kind(Kind::malformed);
    }
    const bool is_solicitation = kind == Kind::neighbor_solicitation;
    IcmpMessage message = of_kind(kind);
    message.target = wire::load_ipv6(body.data() + 8);
    if (!is_solicitation) {
        const uint32_t flags = load_u32(body.data() + 4);
        message.solicited = (flags & flag_solicited) != 0;
        message.override = (flags & flag_override) != 0;
    }
    // A mapped target would name a neighbor of IPv4, which ARP alone speaks for.
    if (message.target.is_multicast() || message.target.is_ipv4()) return of_kind(Kind::malformed);
    const uint8_t wanted = is_solicitation ? source_link_option : target_link_option;
    const bool is_good =
        read_link_address(body.subspan(neighbor_bytes), wanted, message.link_address) &&
        (is_solicitation ? solicitation_is_good(frame, message)
                         : advertisement_is_good(frame, message));
    return is_good ? message : of_kind(Kind::malformed);
}

// RFC 4861, 6.1.2. What it says isn't read: routes come from the configuration.
IcmpMessage parse_router_advertisement(const ParsedFrame& frame) {
    std::optional<MacAddress> link_address;
    const bool is_good =
        frame.hop_limit == neighbor_hop_limit && frame.body[1] == 0 &&
        frame.body.size() >= router_bytes && frame.source.is_link_local() &&
        read_link_address(frame.body.subspan(router_bytes), source_link_option, link_address);
    return of_kind(is_good ? Kind::router_advertisement : Kind::malformed);
}

IcmpMessage parse_icmpv6(const ParsedFrame& frame) {
    const uint8_t* body = frame.body.data();
    switch (body[0]) {
    case v6_type::destination_unreachable:
    case v6_type::time_exceeded:
    case v6_type::parameter_problem: return parse_error(frame, Kind::unreachable, 0);
    case v6_type::packet_too_big:
        return parse_error(frame, Kind::packet_too_big, load_u32(body + 4));
    case v6_type::echo_request: return body[1] == 0 ? parse_echo(frame) : of_kind(Kind::ignored);
    case v6_type::router_advertisement: return parse_router_advertisement(frame);
    case v6_type::neighbor_solicitation: return parse_neighbor(frame, Kind::neighbor_solicitation);
    case v6_type::neighbor_advertisement:
        return parse_neighbor(frame, Kind::neighbor_advertisement);
    default: return of_kind(Kind::ignored);
    }
}

// Only ICMPv6 covers a pseudo-header (RFC 4443, 2.3).
PartialSum icmp_sum(bool is_ipv4, const IpAddress& source, const IpAddress& destination,
                    uint32_t message_bytes) {
    if (is_ipv4) return {};
    return pseudo_header_sum(source, destination, protocol_icmpv6, message_bytes);
}

// Fills the checksum of a whole message of ICMPv6 in.
void finish_icmpv6(std::span<uint8_t> message, const IpAddress& source,
                   const IpAddress& destination) {
    const PartialSum sum = icmp_sum(false, source, destination,
                                    static_cast<uint32_t>(message.size()))
                               .then(sum_of(message), 0);
    store_u16(message.data() + checksum_at, sum.checksum());
}

// The part that solicitation and advertisement share, with the link-layer address behind it.
void write_neighbor(std::span<uint8_t> message, uint8_t type, uint32_t flags,
                    const IpAddress& target) {
    store_u32(message.data(), uint32_t{type} << 24);
    store_u32(message.data() + 4, flags);
    wire::store_ipv6(message.data() + 8, target);
}

void write_link_option(uint8_t* at, uint8_t type, const MacAddress& own) {
    store_u16(at, static_cast<uint16_t>(type << 8 | 1));  // its length in units of 8 bytes
    wire::store_mac(at + 2, own);
}

}  // namespace

IcmpMessage parse_icmp(const ParsedFrame& frame) {
    MR_ASSERT(frame.kind == FrameKind::icmp || frame.kind == FrameKind::icmpv6);
    if (frame.body.size() < error_header_bytes) return of_kind(Kind::malformed);
    const bool is_ipv4 = frame.kind == FrameKind::icmp;
    const PartialSum sum = icmp_sum(is_ipv4, frame.source, frame.destination,
                                    static_cast<uint32_t>(frame.body.size()))
                               .then(sum_of(frame.body), 0);
    if (sum.folded() != 0xffff) return of_kind(Kind::malformed);
    return is_ipv4 ? parse_icmpv4(frame) : parse_icmpv6(frame);
}

uint32_t write_echo_reply(std::span<uint8_t> room, Bytes data, const IpAddress& source,
                          const IpAddress& destination) {
    constexpr uint32_t header_bytes = 4;
    MR_ASSERT(room.size() >= header_bytes);
    const bool is_ipv4 = source.is_ipv4();
    const uint8_t type = is_ipv4 ? v4_type::echo_reply : v6_type::echo_reply;
    store_u32(room.data(), uint32_t{type} << 24);
    const uint32_t message_bytes = header_bytes + static_cast<uint32_t>(data.size());
    const PartialSum sum = icmp_sum(is_ipv4, source, destination, message_bytes)
                               .then(sum_of(room.first(header_bytes)), 0)
                               .then(sum_of(data), header_bytes);
    store_u16(room.data() + checksum_at, sum.checksum());
    return header_bytes;
}

uint32_t write_neighbor_solicitation(std::span<uint8_t> room, const IpAddress& source,
                                     const IpAddress& destination, const IpAddress& target,
                                     const MacAddress& own) {
    // Without an address of our own the option must not be there (RFC 4861, 4.3).
    const bool with_option = source != IpAddress{};
    const size_t bytes = neighbor_bytes + (with_option ? link_option_bytes : 0);
    MR_ASSERT(room.size() >= bytes);
    write_neighbor(room, v6_type::neighbor_solicitation, 0, target);
    if (with_option) write_link_option(room.data() + neighbor_bytes, source_link_option, own);
    finish_icmpv6(room.first(bytes), source, destination);
    return static_cast<uint32_t>(bytes);
}

uint32_t write_neighbor_advertisement(std::span<uint8_t> room, const IpAddress& source,
                                      const IpAddress& destination, const IpAddress& target,
                                      const MacAddress& own, bool solicited) {
    constexpr size_t bytes = neighbor_bytes + link_option_bytes;
    MR_ASSERT(room.size() >= bytes);
    // What we say of our own address replaces what was known (RFC 4861, 7.2.4).
    const uint32_t flags = flag_override | (solicited ? flag_solicited : 0);
    write_neighbor(room, v6_type::neighbor_advertisement, flags, target);
    write_link_option(room.data() + neighbor_bytes, target_link_option, own);
    finish_icmpv6(room.first(bytes), source, destination);
    return bytes;
}

IpAddress solicited_node(const IpAddress& target) {
    IpAddress group{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0, 0, 0}};
    std::memcpy(group.octets.data() + 13, target.octets.data() + 13, 3);
    return group;
}

MacAddress multicast_mac(const IpAddress& group) {
    MacAddress mac{{0x33, 0x33, 0, 0, 0, 0}};  // RFC 2464, 7
    std::memcpy(mac.octets.data() + 2, group.octets.data() + 12, 4);
    return mac;
}

}  // namespace millrace
