// ICMP and ICMPv6: echoes, and routers that tell how long a datagram may be.
#include "wire/icmp.h"

#include <array>

#include "stack/stack_transport.h"
#include "wire/headers.h"

namespace millrace {

namespace {

constexpr uint32_t echo_reply_bytes = 4;  // type, code and checksum: the rest is the request's own

// RFC 1191, 7.1: common sizes, for routers that say only that it was too much.
constexpr std::array<uint32_t, 8> mtu_plateaus{17'914, 8'166, 4'352, 2'002, 1'492, 1'006, 576, 296};

uint32_t next_plateau(uint32_t below) {
    for (const uint32_t plateau : mtu_plateaus) {
        if (plateau < below) return plateau;
    }
    return mtu_plateaus.back();
}

}  // namespace

void StackTransport::on_icmp(const InFrame& frame, const ParsedFrame& parsed) {
    if (!is_for_our_card(parsed)) return;
    const IcmpMessage message = parse_icmp(parsed);
    switch (message.kind) {
    case IcmpMessage::Kind::malformed:
        stack_counters_.icmp_malformed.add();
        return;
    case IcmpMessage::Kind::echo_request:
        if (!frame.is_copy) on_echo(parsed, message);
        return;
    case IcmpMessage::Kind::packet_too_big:
        return on_packet_too_big(message);
    case IcmpMessage::Kind::unreachable:
        // Anyone can send one; TCP finds out by itself (RFC 5461, 4; RFC 5927, 5.2).
        stack_counters_.icmp_unreachable.add();
        return;
    case IcmpMessage::Kind::neighbor_solicitation:
        return on_neighbor_solicitation(frame, parsed, message);
    case IcmpMessage::Kind::neighbor_advertisement:
        return on_neighbor_advertisement(message);
    case IcmpMessage::Kind::router_advertisement:
    case IcmpMessage::Kind::ignored:
        stack_counters_.icmp_ignored.add();
        return;
    }
    MR_UNREACHABLE();
}

// RFC 1122, 3.2.2.6 (one sent to many isn't answered) and RFC 4443, 4.2.
void StackTransport::on_echo(const ParsedFrame& parsed, const IcmpMessage& message) {
    if (!interface_.is_own(parsed.destination) || interface_.is_broadcast(parsed.destination) ||
        parsed.destination_mac.is_multicast()) {
        stack_counters_.icmp_ignored.add();
        return;
    }
    if (!echoes_.try_take(now_)) {
        stack_counters_.echoes_suppressed.add();
        return;
    }
    OutFrame* frame = sender_.try_answer();
    if (frame == nullptr) return;
    const bool is_ipv4 = parsed.kind == FrameKind::icmp;
    const auto echo_bytes = static_cast<uint32_t>(message.echo.size());
    sender_.write_ip_frame(*frame, parsed.source_mac, parsed.destination, parsed.source,
                           is_ipv4 ? protocol_icmp : protocol_icmpv6, interface_.hop_limit,
                           echo_reply_bytes + echo_bytes);
    const uint32_t bytes = write_echo_reply(sender_.room_of(*frame), message.echo,
                                            parsed.destination, parsed.source);
    frame->header_bytes = static_cast<uint16_t>(frame->header_bytes + bytes);
    if (!sender_.add_copy(*frame, message.echo)) return;
    stack_counters_.echoes_answered.add();
    sender_.count(*frame);
}

// RFC 1191, 4 and RFC 8201, 4. Whether the quoted sequence number is in flight is the engine's to
// judge (RFC 5927, 7).
void StackTransport::on_packet_too_big(const IcmpMessage& message) {
    stack_counters_.packet_too_big.add();
    if (!message.quoted) {
        stack_counters_.packet_too_big_unknown_flow.add();
        return;
    }
    const QuotedTcp& quoted = *message.quoted;
    const FlowKey key{quoted.source, quoted.destination, quoted.source_port,
                      quoted.destination_port};
    FlowNode* node = flows_.find(flows_.hash(key), key);
    if (node == nullptr || node->kind != FlowNode::Kind::connection) {
        stack_counters_.packet_too_big_unknown_flow.add();
        return;
    }
    TcpConnection& connection = TcpConnection::of_flow(*node);
    const uint32_t ip_bytes = key.remote.is_ipv4() ? 20 : 40;
    constexpr uint32_t tcp_bytes = 20;
    const uint32_t mtu = message.mtu != 0
                             ? message.mtu
                             : next_plateau(connection.mss + ip_bytes + tcp_bytes);
    if (mtu <= ip_bytes + tcp_bytes) return;
    tcp_.on_path_mtu(connection, SeqNumber{quoted.sequence}, mtu - ip_bytes, now_);
    outbox_.mark(connection);
}

}  // namespace millrace
