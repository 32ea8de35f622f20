// One shard's part of the traces: what happens to some clients, or on some topics, packet by packet.
// Owned by: the shard's Broker.
// Holds:    a connection's and a session's `is_traced` are set exactly while some trace that hasn't
//           ended names its client id; so everybody else pays for no more than a look at that bit.
//           While a topic is traced every publish is matched against it (publish_watch.h).
//           The clock is read for what is traced alone.
// Not here: who asks and reads (trace_list.h, trace_ring.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/mqtt_connection.h"
#include "broker/message.h"
#include "broker/session_table.h"
#include "broker/trace_event.h"
#include "broker/trace_list.h"
#include "codec/mqtt/packet.h"

namespace millrace {

// Where delivering a message stood, to tell afterwards what it did.
struct DeliveryMark {
    uint64_t sent, slow_receiver, queue_full, too_large, exhausted, waiting;

    static DeliveryMark of(const BrokerCounters& counters) {
        return {counters.publishes_sent.read(),    counters.dropped_slow_receiver.read(),
                counters.dropped_queue_full.read(), counters.dropped_too_large.read(),
                counters.dropped_exhausted.read(),  counters.waiting_messages.read()};
    }
};

class Tracer {
public:
    using Clock = Instant (*)();
    // A packet that is being processed: its records, to be completed.
    struct OpenPacket {
        uint8_t* records[TraceRing::slots_max];
        uint32_t count = 0;
        Instant began{};
    };

    // Without a clock the turn's time is the only one.
    Tracer(ShardContext& context, const SessionTable& sessions, Clock clock);
    ~Tracer();

    // Between two turns. Null: nobody.
    void adopt(std::shared_ptr<const TraceList> list);
    // The timer's, when a trace is to end.
    void end_due() { refresh(); }

    bool has_clients() const { return client_mask_ != 0; }
    bool has_topics() const { return topic_mask_ != 0; }

    // A CONNECT has been read: from here on this connection may be traced. Nobody sees its user name
    // and password.
    void on_connect(Connection& connection, const mqtt::Connect& connect, Bytes packet);
    // A session has come here, to be told by whoever asks has_clients().
    void on_session(Session& session);
    void on_attached(Connection& connection, Session& session);
    // Everything below is for what has its bit `is_traced`.
    void note_closing(const Connection& connection, std::string_view reason);
    void on_closed(Connection& connection);

    OpenPacket begin_packet(Connection& connection, Bytes packet);
    void end_packet(const OpenPacket& packet);
    // Of the packet at hand: why it was refused.
    void note_reason(std::string_view reason) { reason_ = reason; }
    void packet_out(const Connection& connection, Bytes packet);
    // Of all packets so far; for who looks at what is added.
    uint64_t bytes_out() const { return bytes_out_; }
    void on_message(const Session& session, TraceKind kind, std::string_view topic,
                    std::string_view reason);

    // While has_topics().
    void on_publish(Connection& connection, std::string_view topic, Bytes packet);
    void on_delivered(const Message& message, const DeliveryMark& before);

private:
    struct Watched {
        const Connection* connection;
        std::string client_id;
        uint32_t mask;             // places in list_->targets, a bit each
        std::string_view closing;  // empty: nobody has said why
    };

    void refresh();
    void unmark_sessions();
    void watch(Connection& connection, std::string_view client_id, uint32_t mask);
    uint32_t mask_of_client(std::string_view client_id) const;
    uint32_t mask_of_topic(std::string_view topic) const;
    Watched* find(const Connection& connection);
    Instant clock() const { return clock_ == nullptr ? context_.now : clock_(); }
    // One record for each trace in `mask`; the caller publishes.
    OpenPacket append(TraceEvent event, uint32_t mask);
    void tell(const TraceEvent& event, uint32_t mask);
    void publish();

    ShardContext& context_;
    const SessionTable& sessions_;
    const Clock clock_;
    std::shared_ptr<const TraceList> list_;
    uint32_t client_mask_ = 0;
    uint32_t topic_mask_ = 0;
    std::vector<Watched> watched_;
    std::vector<std::string> marked_;   // client ids whose sessions may have the bit
    TimerEntry timer_;
    uint32_t open_packets_ = 0;         // their records may not be seen yet
    uint64_t bytes_out_ = 0;
    std::string_view reason_;
};

}  // namespace millrace
