// From a SYN to an accepted connection: by way of a half-open entry, or of a cookie.
#include <algorithm>
#include <cstddef>

#include "stack/stack_transport.h"
#include "tcp/clock.h"

namespace millrace {

namespace {

// RFC 4987 and syn_cookie.h: a cookie is good for two minutes.
constexpr Duration cookie_life = Duration::s(130);
// SYN-ACKs sent again: 63 seconds in all, 7 when there are many that wait.
constexpr uint32_t resends = 5;
constexpr uint32_t resends_when_crowded = 2;

}  // namespace

// What both sides agree on: an option of ours follows one of theirs (RFC 7323 2.5, RFC 2018 2).
Handshake StackTransport::handshake_of(const Arrival& arrival) const {
    const FlowKey& key = arrival.key;
    const Segment& syn = arrival.segment;
    Handshake handshake;
    handshake.iss = isn_.next(key, now_);
    if (arrival.old_snd_nxt) handshake.iss = later(handshake.iss, *arrival.old_snd_nxt + 1);
    handshake.irs = syn.seq;
    if (syn.options.mss != 0) handshake.peer_mss = syn.options.mss;
    handshake.has_window_scale = syn.options.has_window_scale;
    handshake.send_scale = syn.options.has_window_scale ? syn.options.window_scale : uint8_t{0};
    handshake.has_sack = syn.options.sack_permitted;
    handshake.has_timestamps = syn.options.has_timestamps;
    handshake.timestamp_recent = syn.options.timestamp_value;
    handshake.timestamp_offset = isn_.timestamp_offset(key);
    return handshake;
}

void StackTransport::send_syn_ack(const FlowNode& node, const Handshake& handshake,
                                  uint32_t timestamp_value) {
    OutSegment segment;
    segment.seq = handshake.iss;
    segment.ack = handshake.irs + 1;
    segment.flags = tcp_flag::syn | tcp_flag::ack;
    segment.window = tcp_.syn_window();
    segment.options.mss = path_mss(node.key.remote);
    segment.options.has_window_scale = handshake.has_window_scale;
    segment.options.window_scale = tcp_.receive_scale();
    segment.options.sack_permitted = handshake.has_sack;
    segment.options.has_timestamps = handshake.has_timestamps;
    segment.options.timestamp_value = timestamp_value;
    segment.options.timestamp_echo = handshake.timestamp_recent;
    sender_.answer(node, segment);
}

// RFC 9293, 3.10.7.2, third step. Text beside the SYN comes again: it isn't acknowledged.
void StackTransport::on_syn(const Arrival& arrival) {
    stack_counters_.syns.add();
    if (arrival.segment.has(tcp_flag::fin)) {
        stack_counters_.handshake_bad_segment.add();
        return;
    }
    if (alive_count_ >= options_.connections_max) {  // silence: the peer tries again
        stack_counters_.accept_no_memory.add();
        counters_.accept_failures.add();
        return;
    }
    if (half_opens_.admit(arrival.key.remote) == HalfOpenTable::Admission::cookie) {
        return send_cookie(arrival);
    }
    HalfOpen* half_open = half_opens_.try_add(arrival.key);
    if (half_open != nullptr && !flows_.try_insert(arrival.hash, *half_open)) {
        half_opens_.remove(*half_open);
        half_open = nullptr;
    }
    if (half_open == nullptr) {
        stack_counters_.syn_no_memory.add();
        return send_cookie(arrival);
    }
    ++flow_changes_;
    half_open->mac = arrival.mac;
    half_open->handshake = handshake_of(arrival);
    start_half_open_timer(*half_open);
    stack_counters_.syn_acks_sent.add();
    send_syn_ack(*half_open, half_open->handshake,
                 clock_ms(now_) + half_open->handshake.timestamp_offset);
}

// Without timestamps a cookie has no room for what else was agreed, so nothing else is offered.
void StackTransport::send_cookie(const Arrival& arrival) {
    Handshake handshake = handshake_of(arrival);
    const SynCookies::Cookie cookie =
        cookies_.make(arrival.key, arrival.segment, now_,
                      clock_ms(now_) + handshake.timestamp_offset);
    handshake.iss = cookie.iss;
    if (!handshake.has_timestamps) {
        handshake.has_window_scale = false;
        handshake.has_sack = false;
    }
    cookies_until_ = now_ + cookie_life;
    stack_counters_.cookies_sent.add();
    FlowNode to;
    to.key = arrival.key;
    to.mac = arrival.mac;
    send_syn_ack(to, handshake, cookie.timestamp_value);
}

void StackTransport::on_cookie_ack(const Arrival& arrival) {
    const std::optional<Handshake> handshake = cookies_.check(
        arrival.key, arrival.segment, now_, isn_.timestamp_offset(arrival.key));
    if (!handshake) {
        stack_counters_.cookies_refused.add();
        return refuse(arrival);
    }
    if (try_accept(*handshake, arrival, nullptr)) stack_counters_.cookies_accepted.add();
}

// SYN-RECEIVED of a passive open (RFC 9293, 3.10.7.4, with the changes of RFC 5961).
void StackTransport::on_half_open(HalfOpen& half_open, const Arrival& arrival) {
    const Segment& segment = arrival.segment;
    const Handshake& handshake = half_open.handshake;
    const SeqNumber rcv_nxt = handshake.irs + 1;
    if (segment.has(tcp_flag::rst)) {
        // RFC 5961, 3.2: the exact number, or it doesn't count.
        if (segment.seq != rcv_nxt) {
            stack_counters_.handshake_bad_segment.add();
            return;
        }
        stack_counters_.handshakes_reset.add();
        return drop_half_open(half_open);
    }
    if (segment.has(tcp_flag::syn)) {
        stack_counters_.syn_duplicates.add();
        if (segment.seq == handshake.irs && !segment.has(tcp_flag::ack)) {  // ours was lost
            send_syn_ack(half_open, handshake, clock_ms(now_) + handshake.timestamp_offset);
        } else {
            // RFC 5961, 4.2: a peer that has forgotten the old handshake answers with a RST.
            send_plain_ack(half_open);
        }
        return;
    }
    if (!segment.has(tcp_flag::ack)) {
        stack_counters_.handshake_bad_segment.add();
        return;
    }
    if (segment.ack != handshake.iss + 1) {
        stack_counters_.handshake_bad_segment.add();
        return refuse(arrival);
    }
    // First check of 3.10.7.4, with the window that the SYN-ACK announced.
    const SeqNumber edge = rcv_nxt + tcp_.syn_window();
    if (segment.seq < rcv_nxt || edge < segment.seq) {
        stack_counters_.handshake_bad_segment.add();
        return send_plain_ack(half_open);
    }
    complete(half_open, arrival);
}

void StackTransport::send_plain_ack(const HalfOpen& half_open) {
    OutSegment segment;
    segment.seq = half_open.handshake.iss + 1;
    segment.ack = half_open.handshake.irs + 1;
    segment.flags = tcp_flag::ack;
    segment.window = static_cast<uint16_t>(std::min<uint32_t>(
        options_.tcp.receive_window_bytes >>
            (half_open.handshake.has_window_scale ? tcp_.receive_scale() : 0),
        UINT16_MAX));
    if (half_open.handshake.has_timestamps) {
        segment.options.set_timestamps(clock_ms(now_) + half_open.handshake.timestamp_offset,
                                       half_open.handshake.timestamp_recent);
    }
    sender_.answer(half_open, segment);
}

void StackTransport::complete(HalfOpen& half_open, const Arrival& arrival) {
    if (!listeners_.takes(arrival.key.local, arrival.key.local_port)) {  // closed meanwhile
        drop_half_open(half_open);
        return refuse(arrival);
    }
    try_accept(half_open.handshake, arrival, &half_open);
}

// Without memory the half-open entry stays, and the peer's next segment tries again. `before` is
// what stands in the flow table, or null.
bool StackTransport::try_accept(const Handshake& handshake, const Arrival& arrival,
                                FlowNode* before) {
    TcpConnection* connection = try_make_connection(arrival.key, arrival.mac);
    if (connection != nullptr && before != nullptr) {
        flows_.replace(arrival.hash, *before, connection->flow);
    } else if (connection != nullptr && !flows_.try_insert(arrival.hash, connection->flow)) {
        connections_.destroy(connection);
        --alive_count_;
        connection = nullptr;
    }
    if (connection == nullptr) {
        stack_counters_.accept_no_memory.add();
        counters_.accept_failures.add();
        return false;
    }
    enter_table(*connection);
    tcp_.accept(*connection, handshake, arrival.segment.window, path_mss(arrival.key.remote), now_);
    if (before != nullptr) {
        auto& half_open = static_cast<HalfOpen&>(*before);
        wheel_.stop(half_open.timer);
        half_opens_.remove(half_open);
    }
    stack_counters_.handshakes_completed.add();
    connection->is_open = true;
    connection->receiving = true;
    ++connection_count_;
    counters_.accepted.add();
    emit(Event::Kind::accepted, *connection);
    on_segment(*connection, arrival);
    return true;
}

void StackTransport::drop_half_open(HalfOpen& half_open) {
    wheel_.stop(half_open.timer);
    flows_.erase(flows_.hash(half_open.key), half_open);
    ++flow_changes_;
    half_opens_.remove(half_open);
}

// RFC 6298, 2 and 5.5: one second at first, then twice as long each time.
void StackTransport::start_half_open_timer(HalfOpen& half_open) {
    half_open.timer.kind = static_cast<uint64_t>(TimerKind::half_open);
    const int64_t times = int64_t{1} << std::min<uint32_t>(half_open.resent_count, 6);
    wheel_.start(half_open.timer, now_ + options_.tcp.rtt.rto_initial * times);
}

void StackTransport::on_half_open_timer(HalfOpen& half_open) {
    // Under pressure those that don't answer make room early, as the backlog's entries do elsewhere.
    const uint32_t resends_max = std::min<uint32_t>(
        options_.tcp.syn_retries_max, half_opens_.is_crowded() ? resends_when_crowded : resends);
    if (half_open.resent_count >= resends_max) {
        stack_counters_.handshakes_expired.add();
        return drop_half_open(half_open);
    }
    ++half_open.resent_count;
    start_half_open_timer(half_open);
    stack_counters_.syn_acks_resent.add();
    send_syn_ack(half_open, half_open.handshake,
                 clock_ms(now_) + half_open.handshake.timestamp_offset);
}

}  // namespace millrace
