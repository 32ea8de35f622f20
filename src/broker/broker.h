// One shard's MQTT broker: packets in, packets and mail out. An engine without sockets: time comes
// in with begin_turn(), effects go out through Outbox and Mailbox, so that a simulation runs it
// as it is.
// Owned by: the shard; every call on its thread.
// Holds:    nothing a peer sends reaches an assertion: it's answered with the reason code of the
//           specification, or the connection is closed, and counted.
// Not here: threads, the transport (shard_loop.h joins them), storage on disk.
//
// By subject: broker.cc (events, timers, mail), broker_connect.cc (CONNECT, takeover),
// broker_disconnect.cc (ends of connections and sessions, wills), broker_publish.cc (publishes and
// acknowledgements of clients), broker_subscribe.cc, broker_move.cc (sessions between shards),
// broker_drain.cc (clients told to go one by one), broker_trace.cc (what is shown of single clients).
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/access.h"
#include "broker/activity.h"
#include "broker/context.h"
#include "broker/control_writer.h"
#include "broker/drain.h"
#include "broker/drain_marks.h"
#include "broker/fanout.h"
#include "broker/inspect/inside.h"
#include "broker/mqtt_connection.h"
#include "broker/post_office.h"
#include "broker/pressure.h"
#include "broker/registrar.h"
#include "broker/retained.h"
#include "broker/router.h"
#include "broker/session_table.h"
#include "broker/subscribe_requests.h"
#include "broker/subscription_index.h"
#include "broker/system_topics.h"
#include "broker/terms.h"
#include "broker/tracer.h"
#include "codec/mqtt/fixed_header.h"
#include "net/transport.h"

namespace millrace {

struct BrokerParts {
    const LiveConfig& live;        // until adopt() is given another
    Heap& heap;
    BlockPool& blocks;
    Outbox& outbox;
    TimerWheel& wheel;
    Mailbox& mailbox;
    Ledger& ledger;
    BrokerCounters& counters;      // this shard's
    Pressure& pressure;
    const SystemTopics* system_topics = nullptr;   // set on the shard that publishes $SYS
    HashKey hash_key;              // the same on every shard
    uint64_t seed = 0;             // of this shard's generator
    DurationHistogram* delivery = nullptr;   // of messages (delivery_times.h); null: nobody asks
    Tracer::Clock trace_clock = nullptr;  // read for traced packets; null: the turn's time
};

class Broker {
public:
    explicit Broker(const BrokerParts& parts);
    ~Broker();
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;

    // The shard loop's side (runtime/shard_loop.h).
    void begin_turn(Instant now);
    void on_event(const Event& event);
    void on_mail(uint32_t from, Bytes mail);
    void on_timer(TimerEntry& entry);
    void end_turn(Instant now);
    // The network has taken all of the turn's output; before the next begin_turn().
    void turn_ended(Instant end);

    // Works with these values from here on, and no longer refers to those before. Between turns.
    // What connections were promised goes on holding for them (terms.h). False when newcomers
    // won't get the new promises before some connections have gone: too many sets are held.
    bool adopt(const LiveConfig& live);

    // Traces these from here on, and no others. Between turns; null: nobody.
    void adopt_traces(std::shared_ptr<const TraceList> list);
    // Hot topics and slow receivers, to be copied on the shard's thread.
    TopLists& top_lists() { return top_lists_; }

    // Tells MQTT 5.0 clients "server shutting down", or where to go instead if drain.server_reference
    // says so, and closes every connection when its output is sent.
    void begin_shutdown();
    // The same for one connection after the other, at this shard's part of `rate`, in connections a
    // second of all shards and not 0; the others are served on. Once, in a turn. begin_shutdown()
    // cuts it short.
    void begin_drain(uint32_t rate);
    // Everybody has been told, and nobody can come any more.
    bool has_shed_all() const;
    // Over all sessions, so when the loop has ended.
    LeftBehind left_behind();
    uint64_t connection_count() const { return context_.counters.connections.read(); }

    // For tasks (shard_task.h), in a turn.
    BrokerInside inside() { return {context_, sessions_, index_, retained_, fanout_}; }
    // Sends the client away ("administrative action", 0x98) if it's connected, and ends its session
    // if `ends_session`. The session, which isn't moving, may be gone afterwards.
    void kick(Session& session, bool ends_session);

    // What simulations and tests look at.
    const BrokerCounters& counters() const { return context_.counters; }

private:
    // A CONNECT that waits for the client id's home shard.
    struct PendingClaim {
        Connection* connection;           // null: it has gone meanwhile
        std::string client_id;
        bool id_is_assigned;
        uint64_t hash;
        std::vector<uint8_t> connect_packet;
        Session* arriving;                // whose state comes from another shard
        uint32_t markers;                 // home shards that deliver here already
        bool has_rest;                    // its state is whole

        uint64_t bytes() const {
            return sizeof(PendingClaim) + client_id.size() + connect_packet.size();
        }
    };
    enum class WillAction : uint8_t { publish, drop };

    // broker.cc
    void on_received(Connection& connection, Bytes bytes);
    void keep_held(Connection& connection, Bytes bytes);
    void release_held(Connection& connection);
    std::vector<uint8_t> take_held(Connection& connection);
    void process(Connection& connection, Bytes bytes);
    bool on_packet(Connection& connection, Bytes packet);
    bool on_connected_packet(Connection& connection, const mqtt::FixedHeader& header, Bytes body);
    void on_connection_timer(MqttConnection& client);
    void start_connection_timer(MqttConnection& client);
    void on_session_timer(Session& session);
    uint32_t now_ms() const { return static_cast<uint32_t>(context_.now.to_ms()); }
    void resume_paused();
    void look_for_active(Instant now);
    const Terms& terms_of(const MqttConnection& client) const { return terms_.at(client.terms); }

    // broker_connect.cc
    bool on_connect(Connection& connection, Bytes packet, Bytes body);
    mqtt::Reason check_connect(const Terms& terms, const mqtt::Connect& packet) const;
    bool claim(Connection& connection, const mqtt::Connect& packet, Bytes whole_packet,
               std::string_view client_id, bool assigned);
    void on_claim_answer(Bytes mail);
    PendingClaim take_claim(uint32_t ticket);
    void finish_claim(uint32_t ticket, bool is_refused);
    void connect_claimed(const PendingClaim& claim);
    // Joins connection and session, made or found here; answers CONNACK.
    void connect_here(Connection& connection, const mqtt::Connect& packet,
                      std::string_view client_id, bool assigned);
    void attach(Connection& connection, Session& session, const mqtt::Connect& packet,
                bool assigned, bool session_present);
    bool accept_will(Session& session, const mqtt::Connect& packet);
    bool accept_limits(MqttConnection& client, const mqtt::Connect& packet);
    bool send_connack(Connection& connection, const Session& session,
                      const mqtt::Connect& packet, bool assigned, bool session_present);
    // A packet longer than `packet_bytes_max` goes without its reason string.
    void refuse_connect(Connection& connection, mqtt::Version version, mqtt::Reason reason,
                        uint32_t packet_bytes_max = 0);
    std::string make_client_id();
    static uint32_t granted_expiry_s(const Terms& terms, const mqtt::Connect& packet);
    static uint16_t granted_keep_alive_s(const Terms& terms, const mqtt::Connect& packet);

    // broker_disconnect.cc
    // Ends the connection for a fault of the client: DISCONNECT with the reason (5.0), then close.
    // Always false, so that packet handlers can return it.
    bool fail(Connection& connection, mqtt::Reason reason);
    void disconnect_client(Connection& connection, mqtt::Reason reason, CloseReason why);
    bool on_disconnect(Connection& connection, Bytes body);
    void on_closed(Connection& connection);
    void detach(Connection& connection, WillAction will, std::string_view reason);
    void start_session_timer(Session& session);
    void end_session(Session& session);
    void publish_will(Session& session);
    void free_limits(MqttConnection& client);
    enum class Membership : uint8_t { connected, gone };
    void count_memberships(const Session& session, Membership membership);
    void announce_memberships(const Session& session);

    // broker_drain.cc
    mqtt::Reason goodbye_reason() const;
    mqtt::Reason refusal_of_newcomers() const;
    Duration drain_time() const;
    void shed_due();
    bool has_unshed() const;
    bool may_shed(const Session& session) const;
    void begin_leaving(Connection& connection);
    void leave_if_due(Connection& connection);
    void send_mark();
    void post_mark(DrainMarks::Stage stage, uint32_t origin);
    void on_drain_mark(uint32_t from, Bytes mail);
    void on_mark_back();
    void on_received_late(Connection& connection, Bytes bytes);
    void finish_leaving(Connection& connection);
    bool on_leaving_packet(Connection& connection, const mqtt::FixedHeader& header, Bytes body);
    void on_leaving_timer(Connection& connection);

    // broker_publish.cc
    bool on_publish(Connection& connection, const mqtt::FixedHeader& header, Bytes body);
    static mqtt::Reason check_publish(const Terms& terms, const mqtt::Publish& packet);
    mqtt::Reason resolve_alias(MqttConnection& client, mqtt::Publish& packet);
    bool answer_publish(Connection& connection, const mqtt::Publish& packet, mqtt::Reason reason);
    bool on_publish_twice(Connection& connection, const mqtt::Publish& packet, bool& is_known);
    mqtt::Reason publish_on(const mqtt::Publish& packet, uint64_t publisher);
    bool on_ack(Connection& connection, mqtt::PacketType type, Bytes body);
    Bytes take_short_pubacks(Connection& connection, Bytes bytes);
    void on_drained(Connection& connection);
    bool finish_awaiting(Session& session, uint16_t packet_id, InflightEntry::State awaited);
    bool on_pubrel(Connection& connection, const mqtt::Ack& packet);
    bool on_pubrec(Connection& connection, const mqtt::Ack& packet);
    void pause_if_pressed(Connection& connection);

    // broker_trace.cc
    bool on_traced_packet(Connection& connection, Bytes packet);

    // broker_subscribe.cc
    bool on_subscribe(Connection& connection, Bytes body);
    bool on_unsubscribe(Connection& connection, Bytes body);
    mqtt::Reason check_filter(const Session& session, const mqtt::SubscribeEntry& entry) const;
    mqtt::Reason subscribe(Session& session, const mqtt::SubscribeEntry& entry,
                           uint32_t identifier, const std::shared_ptr<PendingSuback>& suback);
    mqtt::Reason unsubscribe(Session& session, std::string_view filter);
    void remove_subscription(Session& session, Subscription& subscription);
    void on_acknowledged(uint32_t from, Bytes mail);
    void on_retained(Bytes mail);
    bool send_suback(Connection& connection, const PendingSuback& suback);

    // broker_move.cc
    void on_yield(Bytes mail);
    void begin_move(Session& session, const ClaimMail& claim);
    void on_move_state(uint32_t from, Bytes mail);
    void on_move_interest(uint32_t from, Bytes mail);
    void on_move_marker(uint32_t from, Bytes mail);
    void restore_state(Session& session, Bytes parcel);
    void announce_moved(const Session* session, const MoveMail& state);
    void finish_move(Session& session);
    void on_move_rest(Bytes mail);
    void finish_arrival(uint32_t ticket);
    void restore_rest(Session& session, Bytes parcel);
    void post_claim_mail(MailKind kind, uint64_t hash, std::string_view client_id);

    ShardContext context_;
    Pressure& pressure_;
    const SystemTopics* system_topics_;
    DurationHistogram* delivery_;
    TermsTable terms_;
    Access access_;
    MessageStore store_;
    SessionTable sessions_;
    TopLists top_lists_;
    Tracer tracer_;
    SubscriptionIndex index_;
    RetainedStore retained_;
    ControlWriter control_;
    SubscribeRequests requests_;
    Fanout fanout_;
    Router router_;
    PostOffice post_;
    Registrar registrar_;
    TimerEntry system_timer_;
    ActivityEstimate activity_;
    DrainMarks marks_;
    std::unique_ptr<Drain> drain_;          // from begin_drain() on

    // What waits for other shards stands in general memory, so these lines reserve nothing.
    LedgerLine& claims_line_;
    LedgerLine& held_line_;
    std::unordered_map<uint32_t, PendingClaim> claims_;        // by ticket
    std::unordered_map<uint32_t, Session*> departing_;         // by move
    std::unordered_map<Connection*, std::vector<uint8_t>> held_;  // see keep_held()
    uint32_t last_ticket_ = 0;
    uint32_t last_move_ = 0;
    std::vector<Connection*> paused_;       // publishers not read from, under pressure
    std::vector<mqtt::Reason> reasons_;     // of the packet at hand; kept for its memory
    bool pressed_ = false;
    bool shutting_down_ = false;
};

}  // namespace millrace
