// The transport over our own TCP: one shard's stack behind the contract of net/transport.h.
// Owned by: the server, the load generator or a test; used on the shard's thread. create() and
//           listen() may be called on another thread before the first poll.
// Holds:    what net/README.md promises of every transport.
//           A frame or timer changes state and may give events; segments of connections leave in
//           flush() alone, for those that stand in the outbox. What belongs to no connection
//           (SYN-ACK, RST, ARP, echo) is answered at once, and dropped when the link has no room.
//           A connection is in one place at a time: the outbox; the output list, whose flush was
//           stopped by a full link; the attention list, for the next poll; or the waiting list, for
//           a neighbor's MAC address. All four are linked by `next_dirty`, with `dirty` set.
// Not here: the device (link.h), MQTT.
//
//   demux.cc        which connection a frame is for     handshakes.cc  from SYN to connection
//   connections.cc  what an outcome means above         flush.cc       what goes out
//   arp_nd.cc, icmp.cc                                  client.cc      connect()
//   frame_sender.h  frames, checksums, bursts           stack_dump.cc  its state in text
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/transport.h"
#include "runtime/timer_wheel.h"
#include "runtime/waker.h"
#include "stack/connection_queue.h"
#include "stack/frame_sender.h"
#include "stack/interface.h"
#include "stack/link.h"
#include "stack/listeners.h"
#include "stack/neighbor.h"
#include "stack/rate_limit.h"
#include "stack/source_ports.h"
#include "stack/stack_counters.h"
#include "stack/stack_options.h"
#include "tcp/flow_table.h"
#include "tcp/half_open.h"
#include "tcp/isn.h"
#include "tcp/syn_cookie.h"
#include "tcp/tcp.h"
#include "tcp/time_wait.h"
#include "wire/frame.h"
#include "wire/icmp.h"
#include "wire/tcp_header.h"

namespace millrace {

class StackTransport {
public:
    static constexpr uint32_t events_max = 1'024;             // a poll
    static constexpr uint32_t bursts_max = 16;                // a poll
    static constexpr uint32_t drained_below_bytes = 65'536;
    static constexpr Duration linger = Duration::s(2);

    static Outcome<std::unique_ptr<StackTransport>> create(const StackOptions& options,
                                                           std::unique_ptr<Link> link,
                                                           Arena& arena, Ledger& ledger,
                                                           Heap& heap, BlockPool& blocks,
                                                           Waker& waker);
    ~StackTransport();
    StackTransport(const StackTransport&) = delete;
    StackTransport& operator=(const StackTransport&) = delete;

    // On an own address, or on all: 0.0.0.0 (IPv4), :: (IPv6).
    Outcome<uint16_t> listen(const Endpoint& local);
    void stop_listening();
    void set_send_timeout(Duration timeout) { tcp_.set_send_timeout(timeout); }  // of all
    // Without a source, own addresses take turns.
    Connection* connect(const ConnectOptions& options);
    std::span<const Event> poll(Instant wait_until);
    Instant waited_since() const { return waited_since_; }
    void flush(Instant now);

    Outbox& outbox() { return outbox_; }
    // Those whose `closed` is still to come.
    uint32_t connection_count() const { return connection_count_; }
    const TransportCounters& counters() const { return counters_; }
    // The same, for who reads them after this transport has gone.
    std::shared_ptr<const TransportCounters> share_counters() const { return shared_counters_; }
    const StackCounters& stack_counters() const { return stack_counters_; }
    const TcpCounters& tcp_counters() const { return tcp_counters_; }
    Link& link() { return *link_; }
    // For the start-up line.
    std::string describe() const;
    // State and every counter that isn't zero, for a person.
    void dump(std::string& out) const;

    // How many of each there are, those that the layer above has forgotten included.
    uint32_t tcp_connection_count() const { return alive_count_; }
    uint32_t half_open_count() const { return half_opens_.count(); }
    uint32_t time_wait_count() const { return time_waits_.count(); }
    // No later than the next thing that time alone will do.
    Instant next_deadline() const;
    // Checks what always holds of the tables; asserts. A build with `verify` checks a connection
    // after each of its segments too.
    void verify() const;

private:
    enum class TimerKind : uint8_t { tcp, half_open, linger };  // tcp: what the engine starts
    struct Secrets {
        explicit Secrets(uint64_t seed);
        HashKey flows, sources, ports;
        SipKey sequence_numbers, cookies;
    };
    // A TCP segment on its way to whom it's for.
    struct Arrival {
        FlowKey key;
        MacAddress mac;        // of the sender
        Segment segment;
        uint64_t hash;
        FlowNode* node;        // as of when the burst was looked up
        // Of a SYN that ends a TIME-WAIT: our numbers go on after those of the old connection
        // (RFC 9293, 3.10.7.4).
        std::optional<SeqNumber> old_snd_nxt = {};
    };
    static constexpr uint32_t burst_max = 64;
    // One frame gives four events at most, if its ready chunks are left for later.
    static constexpr uint32_t events_capacity = events_max + 4 * burst_max + 64;

    StackTransport(const StackOptions& options, const Interface& interface, const Secrets& secrets,
                   std::unique_ptr<Link> link, Arena& arena, Ledger& ledger, Heap& heap,
                   BlockPool& blocks, Waker& waker);

    // stack_transport.cc
    uint32_t look();
    bool has_work() const;
    void release_lent();
    bool wait(Instant wait_until, Instant silent_since);
    bool waker_fired(Duration wait);
    void start();
    bool has_event_room() const { return events_.size() < events_max; }
    void emit(Event::Kind kind, Connection& connection, Bytes bytes = {});

    // demux.cc
    uint32_t receive_bursts();
    void take_burst(std::span<const InFrame> frames);
    void take_frame(const InFrame& frame);
    void take_tcp(const InFrame& frame, const ParsedFrame& parsed);
    void handle_arrivals();
    void handle(Arrival& arrival);
    void handle_unknown(const Arrival& arrival);
    void handle_time_wait(TimeWait& wait, Arrival& arrival);
    void refuse(const Arrival& arrival);
    bool is_for_our_card(const ParsedFrame& parsed);

    // handshakes.cc
    void on_syn(const Arrival& arrival);
    void on_half_open(HalfOpen& half_open, const Arrival& arrival);
    void on_cookie_ack(const Arrival& arrival);
    void complete(HalfOpen& half_open, const Arrival& arrival);
    bool try_accept(const Handshake& handshake, const Arrival& arrival, FlowNode* before);
    Handshake handshake_of(const Arrival& syn) const;
    void send_cookie(const Arrival& arrival);
    void send_syn_ack(const FlowNode& node, const Handshake& handshake, uint32_t timestamp_value);
    void start_half_open_timer(HalfOpen& half_open);
    void send_plain_ack(const HalfOpen& half_open);
    void drop_half_open(HalfOpen& half_open);
    void on_half_open_timer(HalfOpen& half_open);

    // connections.cc
    void on_segment(TcpConnection& connection, const Arrival& arrival);
    void apply(TcpConnection& connection, const TcpOutcome& outcome);
    void on_connected(TcpConnection& connection);
    void on_acknowledged(TcpConnection& connection, uint32_t bytes);
    void deliver(TcpConnection& connection, Bytes bytes);
    void deliver_ready(TcpConnection& connection);
    void drop_ready(TcpConnection& connection);
    void finish_receiving(TcpConnection& connection);
    void enter_time_wait(TcpConnection& connection);
    void leave_table(TcpConnection& connection);
    void end(TcpConnection& connection, CloseReason reason);
    void tell_closed(TcpConnection& connection);
    void attend();
    bool takes_bytes(const Connection& connection) const;
    TcpConnection* try_make_connection(const FlowKey& key, const MacAddress& mac);
    void enter_table(TcpConnection& connection);
    void destroy(TcpConnection& connection);
    void expire();
    void on_timer(TimerEntry& entry);
    void on_linger(TcpConnection& connection);

    // flush.cc
    void visit(TcpConnection& connection);
    bool wants_attention(const TcpConnection& connection) const;
    void visit_told(TcpConnection& connection);
    void start_linger(TcpConnection& connection);
    static TimerEntry& linger_timer(TcpConnection& connection);
    void abort(TcpConnection& connection);
    void begin_close(TcpConnection& connection);
    void reconcile_receive(TcpConnection& connection);
    bool send_output(TcpConnection& connection);
    bool has_neighbor(TcpConnection& connection);
    void look_at_waiting();

    // client.cc
    std::optional<FlowKey> choose_flow(const IpAddress& remote, uint16_t remote_port,
                                       const IpAddress* source);
    bool is_usable(const FlowKey& key) const;

    // arp_nd.cc
    void on_arp(const InFrame& frame, const ParsedFrame& parsed);
    void on_neighbor_solicitation(const InFrame& frame, const ParsedFrame& parsed,
                                  const IcmpMessage& message);
    void on_neighbor_advertisement(const IcmpMessage& message);
    void send_arp(const ArpPacket& packet, const MacAddress& to);
    void send_advertisement(const IpAddress& target, const IpAddress& to, const MacAddress& mac,
                            bool solicited);
    void learn(const IpAddress& address, const MacAddress& mac, bool is_answer);
    void ask(const IpAddress& address);
    void announce();

    // icmp.cc
    void on_icmp(const InFrame& frame, const ParsedFrame& parsed);
    void on_echo(const ParsedFrame& parsed, const IcmpMessage& message);
    void on_packet_too_big(const IcmpMessage& message);

    uint16_t path_mss(const IpAddress& remote) const;

    const StackOptions options_;
    const Interface interface_;    // with the link's facts filled in
    Heap& heap_;
    BlockPool& blocks_;
    Waker& waker_;
    std::unique_ptr<Link> link_;
    const std::shared_ptr<TransportCounters> shared_counters_ =
        std::make_shared<TransportCounters>();
    TransportCounters& counters_ = *shared_counters_;
    StackCounters stack_counters_;
    TcpCounters tcp_counters_;
    Instant now_;
    Instant waited_since_ = Instant::never();  // in the last poll
    TimerWheel wheel_;
    Tcp tcp_;
    Slab<TcpConnection> connections_;
    FlowTable flows_;
    HalfOpenTable half_opens_;
    TimeWaitTable time_waits_;
    const IsnGenerator isn_;
    const SynCookies cookies_;
    NeighborTable neighbors_;
    Listeners listeners_;
    SourcePorts source_ports_;
    FrameSender sender_;
    RateLimit resets_;
    RateLimit echoes_;
    Outbox outbox_;

    std::vector<Event> events_;
    std::vector<Arrival> arrivals_; // of the burst in hand
    ReassemblyChunk* lent_chunks_ = nullptr;  // their bytes stand in events, until the flush
    ConnectionQueue output_;        // marked, and to be visited in this order
    ConnectionQueue attention_;     // `closed` or held bytes are to be told
    ConnectionQueue waiting_;       // for a neighbor's MAC address
    Instant waiting_look_at_ = Instant::never();
    uint64_t flow_changes_ = 0;     // counts up with every change of flows_
    uint64_t arrivals_changes_ = 0; // what it was when the burst was looked up
    Instant cookies_until_{};       // no cookie of ours is good any more from then on
    uint32_t connection_count_ = 0;
    uint32_t alive_count_ = 0;      // in memory
    uint32_t in_table_count_ = 0;   // and in the flow table
    uint32_t waker_countdown_ = 0;
    bool started_ = false;
    bool frames_lent_ = false;      // received frames are in our hands
};

static_assert(Transport<StackTransport>);

}  // namespace millrace
