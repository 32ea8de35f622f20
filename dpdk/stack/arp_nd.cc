// Whose MAC address is whose: ARP (RFC 826, 5227) and neighbor discovery (RFC 4861).
#include "stack/stack_transport.h"
#include "wire/headers.h"

namespace millrace {

namespace {

constexpr uint32_t neighbor_message_bytes = 32;  // with one link-layer address option

IpAddress all_nodes() { return *IpAddress::parse("ff02::1"); }

}  // namespace

void StackTransport::learn(const IpAddress& address, const MacAddress& mac, bool is_answer) {
    if (neighbors_.learn(address, mac, is_answer, now_)) waiting_look_at_ = now_;
}

void StackTransport::send_arp(const ArpPacket& packet, const MacAddress& to) {
    OutFrame* frame = sender_.try_answer();
    if (frame == nullptr) return;
    const uint32_t ethernet_bytes =
        write_ethernet(frame->header, to, interface_.mac, ethertype_arp, interface_.vlan);
    frame->header_bytes = static_cast<uint16_t>(ethernet_bytes);
    const uint32_t arp_bytes = write_arp(sender_.room_of(*frame), packet);
    frame->network_at = frame->transport_at = static_cast<uint8_t>(ethernet_bytes);
    frame->header_bytes = static_cast<uint16_t>(ethernet_bytes + arp_bytes);
    sender_.count(*frame);
}

// RFC 826, Packet Reception; the merge flag is what `learn` looks at.
void StackTransport::on_arp(const InFrame& frame, const ParsedFrame& parsed) {
    ArpPacket packet;
    if (!is_for_our_card(parsed)) return;
    if (!parse_arp(parsed.body, packet)) {
        stack_counters_.frame_faults[static_cast<size_t>(FrameFault::bad_arp)].add();
        return;
    }
    const IpAddress sender = IpAddress::from_ipv4(packet.sender_ip);
    const IpAddress target = IpAddress::from_ipv4(packet.target_ip);
    if (packet.sender_mac == interface_.mac) return;  // our own broadcast came back
    if (interface_.is_own(sender)) {
        // RFC 5227, 2.4: somebody has our address. We keep it; a person has to know.
        stack_counters_.address_conflicts.add();
        return;
    }
    const bool is_reply = packet.operation == ArpPacket::Operation::reply;
    // A probe (RFC 5227, 2.1.1) names no sender.
    if (!sender.is_unspecified()) learn(sender, packet.sender_mac, is_reply);
    if (is_reply || frame.is_copy) return;
    if (!interface_.is_own(target) || interface_.is_broadcast(target)) {
        stack_counters_.arp_ignored.add();
        return;
    }
    stack_counters_.arp_requests_answered.add();
    send_arp({.operation = ArpPacket::Operation::reply,
              .sender_mac = interface_.mac,
              .sender_ip = packet.target_ip,
              .target_mac = packet.sender_mac,
              .target_ip = packet.sender_ip},
             packet.sender_mac);
}

// RFC 4861, 7.2.4. To whoever asks from ::, which checks whether the address is free, the answer
// goes to all nodes.
void StackTransport::on_neighbor_solicitation(const InFrame& frame, const ParsedFrame& parsed,
                                              const IcmpMessage& message) {
    const bool is_probe = parsed.source.is_unspecified();
    if (!is_probe && message.link_address && !interface_.is_own(parsed.source)) {
        learn(parsed.source, *message.link_address, false);
    }
    if (frame.is_copy) return;
    if (!interface_.is_own(message.target)) {
        stack_counters_.nd_ignored.add();
        return;
    }
    stack_counters_.solicitations_answered.add();
    if (is_probe) {
        send_advertisement(message.target, all_nodes(), multicast_mac(all_nodes()), false);
        return;
    }
    send_advertisement(message.target, parsed.source,
                       message.link_address.value_or(parsed.source_mac), true);
}

// RFC 4861, 7.2.5.
void StackTransport::on_neighbor_advertisement(const IcmpMessage& message) {
    if (interface_.is_own(message.target)) {
        stack_counters_.address_conflicts.add();
        return;
    }
    if (!message.link_address) {
        stack_counters_.nd_ignored.add();
        return;
    }
    // One that doesn't override leaves a known address alone.
    const std::optional<MacAddress> known = neighbors_.peek(message.target);
    if (!message.override && known && *known != *message.link_address) {
        stack_counters_.nd_ignored.add();
        return;
    }
    learn(message.target, *message.link_address, message.solicited);
}

void StackTransport::send_advertisement(const IpAddress& target, const IpAddress& to,
                                        const MacAddress& mac, bool solicited) {
    OutFrame* frame = sender_.try_answer();
    if (frame == nullptr) return;
    sender_.write_ip_frame(*frame, mac, target, to, protocol_icmpv6, neighbor_hop_limit,
                           neighbor_message_bytes);
    const uint32_t bytes = write_neighbor_advertisement(sender_.room_of(*frame), target, to, target,
                                                        interface_.mac, solicited);
    MR_ASSERT(bytes == neighbor_message_bytes);
    frame->header_bytes = static_cast<uint16_t>(frame->header_bytes + bytes);
    sender_.count(*frame);
}

// One question: to all on the link, or to the group of those whose addresses end alike.
void StackTransport::ask(const IpAddress& address) {
    const std::optional<IpAddress> source = interface_.source_for(address);
    if (!source) return;
    if (address.is_ipv4()) {
        stack_counters_.arp_questions_sent.add();
        send_arp({.operation = ArpPacket::Operation::request,
                  .sender_mac = interface_.mac,
                  .sender_ip = source->ipv4(),
                  .target_mac = {},
                  .target_ip = address.ipv4()},
                 MacAddress::broadcast());
        return;
    }
    OutFrame* frame = sender_.try_answer();
    if (frame == nullptr) return;
    stack_counters_.solicitations_sent.add();
    const IpAddress group = solicited_node(address);
    sender_.write_ip_frame(*frame, multicast_mac(group), *source, group, protocol_icmpv6,
                           neighbor_hop_limit, neighbor_message_bytes);
    const uint32_t bytes = write_neighbor_solicitation(sender_.room_of(*frame), *source, group,
                                                       address, interface_.mac);
    MR_ASSERT(bytes == neighbor_message_bytes);
    frame->header_bytes = static_cast<uint16_t>(frame->header_bytes + bytes);
    sender_.count(*frame);
}

// At start: whoever knew these addresses elsewhere forgets that (RFC 5227 2.3, RFC 4861 7.2.6).
// Ranges aren't announced: they may be millions.
void StackTransport::announce() {
    if (options_.shard != 0) return;
    for (const IpPrefix& own : interface_.addresses) {
        if (own.address.is_ipv4()) {
            send_arp({.operation = ArpPacket::Operation::request,
                      .sender_mac = interface_.mac,
                      .sender_ip = own.address.ipv4(),
                      .target_mac = {},
                      .target_ip = own.address.ipv4()},
                     MacAddress::broadcast());
        } else {
            send_advertisement(own.address, all_nodes(), multicast_mac(all_nodes()), false);
        }
    }
}

}  // namespace millrace
