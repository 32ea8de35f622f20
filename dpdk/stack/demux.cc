// From received frames to whom they're for. A burst is gone through three times, so that its cache
// misses overlap: parsed, with the flow table's lines asked for; looked up; handled.
#include "stack/stack_transport.h"

namespace millrace {

namespace {

// The lines of a control block before that of its flow node, which the lookup has brought.
void prefetch_connection(const FlowNode& node) {
    const auto* begin = reinterpret_cast<const std::byte*>(&node) - TcpConnection::offset_of_flow();
    for (size_t at = 0; at < TcpConnection::offset_of_flow(); at += 64) {
        __builtin_prefetch(begin + at);
    }
}

}  // namespace

// How many frames came. Frames of all bursts stay lent until the flush.
uint32_t StackTransport::receive_bursts() {
    uint32_t count = 0;
    for (uint32_t burst = 0; burst < bursts_max && has_event_room(); ++burst) {
        const std::span<const InFrame> frames = link_->receive();
        if (frames.empty()) break;
        frames_lent_ = true;
        count += static_cast<uint32_t>(frames.size());
        take_burst(frames);
        if (frames.size() < burst_max) break;
    }
    stack_counters_.frames_in.add(count);
    return count;
}

void StackTransport::take_burst(std::span<const InFrame> frames) {
    while (!frames.empty()) {
        const std::span<const InFrame> part =
            frames.first(std::min<size_t>(frames.size(), burst_max));
        frames = frames.subspan(part.size());
        arrivals_.clear();
        for (const InFrame& frame : part) __builtin_prefetch(frame.bytes.data());
        for (const InFrame& frame : part) take_frame(frame);
        handle_arrivals();
    }
}

void StackTransport::take_frame(const InFrame& frame) {
    const ParsedFrame parsed =
        parse_frame(frame.bytes, {interface_.vlan, frame.checksum_good});
    switch (parsed.kind) {
    case FrameKind::dropped:
        stack_counters_.frame_faults[static_cast<size_t>(parsed.fault)].add();
        return;
    case FrameKind::tcp:
        return take_tcp(frame, parsed);
    case FrameKind::arp:
        return on_arp(frame, parsed);
    case FrameKind::icmp:
    case FrameKind::icmpv6:
        return on_icmp(frame, parsed);
    }
    MR_UNREACHABLE();
}

bool StackTransport::is_for_our_card(const ParsedFrame& parsed) {
    if (parsed.destination_mac == interface_.mac) return true;
    if (parsed.destination_mac.is_multicast()) return true;
    stack_counters_.foreign_mac.add();
    return false;
}

void StackTransport::take_tcp(const InFrame& frame, const ParsedFrame& parsed) {
    if (frame.is_copy || !is_for_our_card(parsed)) return;
    // A connection has two ends: nothing is answered that went to many (RFC 9293, 3.9.2.3;
    // RFC 1122, 3.2.1.3).
    if (parsed.destination_mac.is_multicast()) {
        stack_counters_.not_unicast.add();
        return;
    }
    if (frame.checksum_bad) {
        stack_counters_.device_bad_checksum.add();
        return;
    }
    if (!frame.checksum_good &&
        !tcp_checksum_is_good(parsed.body, parsed.source, parsed.destination)) {
        stack_counters_.tcp_bad_checksum.add();
        return;
    }
    Arrival& arrival = arrivals_.emplace_back();
    TcpPorts ports;
    if (!parse_tcp(parsed.body, ports, arrival.segment)) {
        arrivals_.pop_back();
        stack_counters_.tcp_bad_header.add();
        return;
    }
    arrival.key = {parsed.destination, parsed.source, ports.destination, ports.source};
    arrival.mac = parsed.source_mac;
    arrival.hash = flows_.hash(arrival.key);
    flows_.prefetch(arrival.hash);
}

void StackTransport::handle_arrivals() {
    for (const Arrival& arrival : arrivals_) flows_.prefetch_node(arrival.hash);
    for (Arrival& arrival : arrivals_) {
        arrival.node = flows_.find(arrival.hash, arrival.key);
        if (arrival.node != nullptr && arrival.node->kind == FlowNode::Kind::connection) {
            prefetch_connection(*arrival.node);
        }
    }
    arrivals_changes_ = flow_changes_;
    for (Arrival& arrival : arrivals_) {
        // What was handled meanwhile may have made or ended this one's connection.
        if (arrivals_changes_ != flow_changes_) {
            arrival.node = flows_.find(arrival.hash, arrival.key);
        }
        handle(arrival);
    }
}

void StackTransport::handle(Arrival& arrival) {
    if (arrival.node == nullptr) return handle_unknown(arrival);
    switch (arrival.node->kind) {
    case FlowNode::Kind::connection:
        return on_segment(TcpConnection::of_flow(*arrival.node), arrival);
    case FlowNode::Kind::half_open:
        return on_half_open(static_cast<HalfOpen&>(*arrival.node), arrival);
    case FlowNode::Kind::time_wait:
        return handle_time_wait(static_cast<TimeWait&>(*arrival.node), arrival);
    }
    MR_UNREACHABLE();
}

// LISTEN and CLOSED (RFC 9293, 3.10.7.1 and 3.10.7.2).
void StackTransport::handle_unknown(const Arrival& arrival) {
    const FlowKey& key = arrival.key;
    if (interface_.is_broadcast(key.local)) {
        stack_counters_.not_unicast.add();
        return;
    }
    if (!interface_.is_own(key.local)) {
        stack_counters_.foreign_address.add();
        return;
    }
    if (interface_.is_own(key.remote)) {
        stack_counters_.tcp_from_ourselves.add();
        return;
    }
    const Segment& segment = arrival.segment;
    const uint8_t kind = segment.flags & (tcp_flag::syn | tcp_flag::ack | tcp_flag::rst);
    const bool is_welcome = listeners_.takes(key.local, key.local_port);
    if (kind == tcp_flag::syn && is_welcome) return on_syn(arrival);
    if (kind == tcp_flag::ack && is_welcome && now_ < cookies_until_) return on_cookie_ack(arrival);
    if (kind == tcp_flag::syn) stack_counters_.tcp_no_listener.add();
    else stack_counters_.tcp_unknown_flow.add();
    refuse(arrival);
}

// RFC 9293, 3.10.7.1; so many a second, since the source may be forged.
void StackTransport::refuse(const Arrival& arrival) {
    OutSegment reset;
    if (!Tcp::reset_for(arrival.segment, reset)) return;
    if (!resets_.try_take(now_)) {
        stack_counters_.resets_suppressed.add();
        return;
    }
    FlowNode to;
    to.key = arrival.key;
    to.mac = arrival.mac;
    stack_counters_.resets_sent.add();
    sender_.answer(to, reset);
}

void StackTransport::handle_time_wait(TimeWait& wait, Arrival& arrival) {
    switch (TimeWaitTable::judge(wait, arrival.segment)) {
    case TimeWaitTable::Verdict::drop:
        return;
    case TimeWaitTable::Verdict::acknowledge:
        if (arrival.segment.has(tcp_flag::fin)) time_waits_.restart(wait, now_);
        stack_counters_.time_wait_answers.add();
        sender_.answer(wait, TimeWaitTable::acknowledgement(wait, now_));
        return;
    case TimeWaitTable::Verdict::reopen:
        stack_counters_.time_wait_reopened.add();
        arrival.old_snd_nxt = wait.snd_nxt;
        flows_.erase(arrival.hash, wait);
        ++flow_changes_;
        time_waits_.remove(wait);
        return handle_unknown(arrival);
    }
    MR_UNREACHABLE();
}

}  // namespace millrace
