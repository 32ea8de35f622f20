// A stack's state in text.
#include <array>
#include <string_view>

#include "net/counter_text.h"
#include "stack/stack_transport.h"

namespace millrace {

namespace {

constexpr std::array<std::string_view, frame_fault_count> fault_names{
    "none",            "too_short",  "unknown_ethertype", "foreign_vlan",   "bad_ip_header",
    "bad_ip_checksum", "fragment",   "bad_source",        "ipv6_extension", "unknown_protocol",
    "bad_arp"};

}  // namespace

// Names and members stand side by side, so that none gets another one's name.
#define MR_PUT(counters, name) put_count(out, #name, (counters).name.read())

namespace {

void put_frames_in(std::string& out, const StackCounters& stack) {
    MR_PUT(stack, frames_in);
    for (size_t fault = 1; fault < fault_names.size(); ++fault) {
        put_count(out, "dropped_" + std::string(fault_names[fault]), stack.frame_faults[fault].read());
    }
    MR_PUT(stack, device_bad_checksum);
    MR_PUT(stack, foreign_mac);
    MR_PUT(stack, foreign_address);
    MR_PUT(stack, not_unicast);
    MR_PUT(stack, tcp_bad_header);
    MR_PUT(stack, tcp_bad_checksum);
    MR_PUT(stack, tcp_no_listener);
    MR_PUT(stack, tcp_unknown_flow);
    MR_PUT(stack, tcp_from_ourselves);
    MR_PUT(stack, resets_sent);
    MR_PUT(stack, resets_suppressed);
}

void put_handshakes(std::string& out, const StackCounters& stack) {
    MR_PUT(stack, syns);
    MR_PUT(stack, syn_duplicates);
    MR_PUT(stack, syn_acks_sent);
    MR_PUT(stack, syn_acks_resent);
    MR_PUT(stack, cookies_sent);
    MR_PUT(stack, cookies_accepted);
    MR_PUT(stack, cookies_refused);
    MR_PUT(stack, handshakes_completed);
    MR_PUT(stack, handshakes_expired);
    MR_PUT(stack, handshakes_reset);
    MR_PUT(stack, handshake_bad_segment);
    MR_PUT(stack, accept_no_memory);
    MR_PUT(stack, syn_no_memory);
    MR_PUT(stack, time_waits);
    MR_PUT(stack, time_wait_answers);
    MR_PUT(stack, time_wait_reopened);
    MR_PUT(stack, time_wait_no_memory);
    MR_PUT(stack, connects);
    MR_PUT(stack, connect_no_port);
    MR_PUT(stack, connect_no_memory);
    MR_PUT(stack, connect_no_route);
    MR_PUT(stack, connect_no_neighbor);
}

void put_neighbors_and_frames_out(std::string& out, const StackCounters& stack) {
    MR_PUT(stack, arp_requests_answered);
    MR_PUT(stack, arp_questions_sent);
    MR_PUT(stack, arp_ignored);
    MR_PUT(stack, address_conflicts);
    MR_PUT(stack, solicitations_answered);
    MR_PUT(stack, solicitations_sent);
    MR_PUT(stack, nd_ignored);
    MR_PUT(stack, echoes_answered);
    MR_PUT(stack, echoes_suppressed);
    MR_PUT(stack, icmp_malformed);
    MR_PUT(stack, icmp_ignored);
    MR_PUT(stack, icmp_unreachable);
    MR_PUT(stack, packet_too_big);
    MR_PUT(stack, packet_too_big_unknown_flow);
    MR_PUT(stack, frames_out);
    MR_PUT(stack, payload_bytes_out);
    MR_PUT(stack, answers_dropped);
    MR_PUT(stack, link_full);
    MR_PUT(stack, frames_no_memory);
    MR_PUT(stack, payload_sums_computed);
    MR_PUT(stack, payload_sums_reused);
    MR_PUT(stack, sleeps);
    MR_PUT(stack, wakes);
}

void put_tcp(std::string& out, const TcpCounters& tcp) {
    MR_PUT(tcp, segments_in);
    MR_PUT(tcp, segments_out);
    MR_PUT(tcp, bytes_in_order);
    MR_PUT(tcp, bytes_out);
    MR_PUT(tcp, out_of_order);
    MR_PUT(tcp, duplicates);
    MR_PUT(tcp, dropped_paws);
    MR_PUT(tcp, dropped_outside_window);
    MR_PUT(tcp, dropped_bad_ack);
    MR_PUT(tcp, dropped_no_ack);
    MR_PUT(tcp, dropped_no_memory);
    MR_PUT(tcp, dropped_reset_bad_sequence);
    MR_PUT(tcp, dropped_syn_in_window);
    MR_PUT(tcp, dropped_state);
    MR_PUT(tcp, resets_received);
    MR_PUT(tcp, challenge_acks);
    MR_PUT(tcp, challenge_acks_suppressed);
    MR_PUT(tcp, retransmissions);
    MR_PUT(tcp, retransmitted_bytes);
    MR_PUT(tcp, timeouts);
    MR_PUT(tcp, fast_recoveries);
    MR_PUT(tcp, probes);
    MR_PUT(tcp, tail_probes);
    MR_PUT(tcp, keepalives);
    MR_PUT(tcp, keepalive_failures);
    MR_PUT(tcp, send_timeouts);
    MR_PUT(tcp, mtu_reductions);
    MR_PUT(tcp, black_holes);
}

void put_link(std::string& out, const LinkCounters& link) {
    MR_PUT(link, frames_in);
    MR_PUT(link, frames_out);
    MR_PUT(link, bytes_in);
    MR_PUT(link, bytes_out);
    MR_PUT(link, payload_bytes_copied);
    MR_PUT(link, transmit_full);
    MR_PUT(link, no_memory);
    MR_PUT(link, handed_over);
    MR_PUT(link, handover_dropped);
    MR_PUT(link, received_in_pieces);
    MR_PUT(link, too_long);
    MR_PUT(link, transmit_refused);
}

}  // namespace

#undef MR_PUT

std::string StackTransport::describe() const {
    const LinkFacts& facts = link_->facts();
    std::string line = "own tcp";
    line += options_.tcp.congestion == CongestionAlgorithm::cubic ? " (cubic)" : " (reno)";
    line += " over " + facts.name + ": " + interface_.mac.text();
    line += " mtu " + std::to_string(interface_.mtu);
    for (const IpPrefix& own : interface_.addresses) line += ", " + own.text();
    for (const IpPrefix& range : interface_.own_ranges) line += ", range " + range.text();
    line += facts.tx_tcp_checksum ? ", checksums by the device" : ", checksums by us";
    line += facts.tcp_segmentation ? ", segmentation offload" : "";
    switch (options_.idle.mode) {
    case IdlePolicy::Mode::spin: line += ", idle: spin"; break;
    case IdlePolicy::Mode::pause: line += ", idle: pause"; break;
    case IdlePolicy::Mode::sleep:
        line += ", idle: sleep " + std::to_string(options_.idle.sleep.to_us()) + " us";
        break;
    case IdlePolicy::Mode::never_wait: line += ", idle: never waits"; break;
    }
    return line;
}

void StackTransport::dump(std::string& out) const {
    out += describe() + "\nnow\n";
    put_count(out, "connections", connection_count_);
    put_count(out, "connections_in_memory", alive_count_);
    put_count(out, "half_open", half_opens_.count());
    put_count(out, "time_wait", time_waits_.count());
    put_count(out, "flow_table_entries", flows_.count());
    put_count(out, "neighbors", neighbors_.count());
    put_count(out, "timers", wheel_.started_count());
    put_count(out, "link_full", output_.empty() ? 0 : 1);
    for (const Listeners::Place& place : listeners_.places()) {
        out += "  listening " + place.address.text() + " port " + std::to_string(place.port) + '\n';
    }
    out += "link\n";
    put_link(out, link_->counters());
    out += "stack\n";
    put_frames_in(out, stack_counters_);
    put_handshakes(out, stack_counters_);
    put_neighbors_and_frames_out(out, stack_counters_);
    out += "tcp\n";
    put_tcp(out, tcp_counters_);
    put_transport(out, counters_);
}

}  // namespace millrace
