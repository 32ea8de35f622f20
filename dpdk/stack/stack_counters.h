// Why the stack dropped, answered or refused something: one counter a reason. They stand beside
// TcpCounters (what the engine did with segments of connections), LinkCounters (what the device
// did) and TransportCounters (what the layer above was told).
// Owned by: a stack; any thread may read.
#pragma once

#include <array>

#include "runtime/ledger.h"
#include "wire/frame.h"

namespace millrace {

struct StackCounters {
    // Frames, in.
    Counter frames_in;
    std::array<Counter, frame_fault_count> frame_faults;  // by FrameFault: not parsed further
    Counter device_bad_checksum;      // the device has found it wrong
    Counter foreign_mac;              // unicast to somebody else's card
    Counter foreign_address;          // IP destination that isn't ours
    Counter not_unicast;              // TCP to a broadcast or multicast address (RFC 9293, 3.9.2.3)
    // TCP that never reached the engine.
    Counter tcp_bad_header, tcp_bad_checksum;
    Counter tcp_no_listener;          // a SYN for a port that nobody listens on
    Counter tcp_unknown_flow;         // any other segment without a connection
    Counter tcp_from_ourselves;       // source and destination are one (land attack)
    Counter resets_sent, resets_suppressed;
    // Handshakes of newcomers.
    Counter syns, syn_duplicates, syn_acks_sent, syn_acks_resent;
    Counter cookies_sent, cookies_accepted, cookies_refused;
    Counter handshakes_completed, handshakes_expired, handshakes_reset;
    Counter handshake_bad_segment;    // neither the last ACK nor the same SYN
    Counter accept_no_memory;         // connections_max, slab or flow table: the peer tries again
    Counter syn_no_memory;            // answered by a cookie instead
    // TIME-WAIT.
    Counter time_waits, time_wait_answers, time_wait_reopened, time_wait_no_memory;
    // Clients.
    Counter connects, connect_no_port, connect_no_memory, connect_no_route, connect_no_neighbor;
    // ARP, neighbor discovery, ICMP.
    Counter arp_requests_answered, arp_questions_sent, arp_ignored, address_conflicts;
    Counter solicitations_answered, solicitations_sent, nd_ignored;
    Counter echoes_answered, echoes_suppressed, icmp_malformed, icmp_ignored, icmp_unreachable;
    Counter packet_too_big, packet_too_big_unknown_flow;
    // Frames, out.
    Counter frames_out, payload_bytes_out;
    Counter answers_dropped;          // RST, SYN-ACK, ARP, echo: the link had no room
    Counter link_full;                // flushes that stopped making segments
    Counter frames_no_memory;         // no memory for such a copy, or for echoed data
    Counter payload_sums_computed, payload_sums_reused;
    // Turns.
    Counter sleeps, wakes;
};

}  // namespace millrace
