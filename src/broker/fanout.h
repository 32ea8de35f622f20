// One message to many receivers of this shard: who gets which variant, who waits, who is shed.
// Owned by: the shard's Broker.
// Holds:    a message is encoded once a variant, whoever many receive it; a receiver costs a
//           reference. Messages of one topic and publisher reach a receiver in order.
//
// Who is shed (design: slow receivers): past queues.send_bytes_max of unsent output QoS 0 is
// dropped and counted; QoS 1 and 2 wait in the session, as they do while the client's receive
// maximum is used up or the client is away; past the session's bounds they're dropped and counted.
// Not here: finding the receivers (router.h), acknowledgements (broker_publish.cc).
#pragma once

#include <span>
#include <vector>

#include "broker/context.h"
#include "broker/control_writer.h"
#include "broker/frame_cache.h"
#include "broker/mqtt_connection.h"
#include "broker/session_table.h"
#include "broker/subscribe_requests.h"
#include "broker/subscription.h"
#include "broker/topic_aliases.h"

namespace millrace {

class Fanout {
public:
    Fanout(ShardContext& context, MessageStore& store, SessionTable& sessions,
           const SubscribeRequests& requests, ControlWriter& control);

    // Delivers `message` to every subscriber of `filters`, each session once: where several of its
    // subscriptions match, by the highest quality of service and with all identifiers (3.3.4).
    // `routed_by` is the shard that decided so; it matters to sessions on the move, and to
    // subscriptions that this shard hasn't answered.
    void deliver(const Message& message, std::span<const Filter* const> filters,
                 uint32_t routed_by);
    // To one member of a shared group: a connected one if there is any.
    // Also to one that is moving: only this copy goes to the group, on whichever shard it counts.
    void deliver_shared(const Message& message, SharedGroup& group);
    // To these, whatever they subscribe to. They are connected.
    void deliver_direct(const Message& message, std::span<Session* const> receivers);
    // A retained message for a new subscription (3.3.1.3): sent with the retain flag.
    void deliver_retained(const Message& message, Session& session, Grant grant);

    // Sends what waits in the session, as far as window and send ring allow.
    void send_waiting(Session& session);
    // After a reconnection (4.4): sends again what was not acknowledged, in order.
    void resend_inflight(Session& session);

    // Packets sent from here on have higher numbers (inflight.h).
    uint32_t last_sequence() const { return numbers_.current(); }

    void end_turn() { frames_.rewind(); }
    // An entry is acknowledged, or given up. send_waiting() is to follow: there is room now, or
    // nothing left to keep.
    void finish(SessionExtras& extras, InflightEntry& entry);

private:
    // What one receiver is granted.
    struct Delivery {
        mqtt::Qos qos;
        bool retain;
        std::span<const uint32_t> subscription_ids;
    };
    struct Overlap {
        Session* session;
        mqtt::Qos qos;
        bool retain_as_published;
        uint32_t last_id;          // place in overlap_ids_; 0: no identifier
    };
    struct OverlapId {
        uint32_t id;
        uint32_t previous;         // of the same receiver; 0: none
    };

    void begin(const Message& message, uint32_t routed_by);
    void end();
    void to_filter(const Filter& filter);
    void to_overlapping(std::span<const Filter* const> filters);
    void collect_overlaps(const Filter& filter);
    void add_id(Overlap& overlap, uint32_t id);
    std::span<const uint32_t> ids_of(const Overlap& overlap);
    void merge_overlaps();
    void to_subscriber(const Subscriber& subscriber);
    bool is_excluded(const Subscriber& subscriber) const;
    void to_session(Session& session, const Delivery& delivery);
    void to_receiver(Session& session, const Delivery& delivery);
    [[gnu::noinline]] void to_special(Session& session, const Delivery& delivery);
    void send_at_most_once(Connection& connection, const Delivery& delivery);
    void send_acknowledged(Session& session, const Delivery& delivery);
    Frame frame_for(Connection& connection, const Delivery& delivery, FrameVariant& variant,
                    TopicAliases::Alias& alias);
    bool push(Connection& connection, Slice slice);
    bool has_room(const Connection& connection, uint32_t bytes) const;
    bool window_open(const Session& session) const;
    bool wait(Session& session, const Delivery& delivery);
    enum class Drop : uint8_t { slow_receiver, queue_full, too_large, expired, exhausted };
    [[gnu::cold]] void drop(const Session& session, Drop why, std::string_view topic);
    void note_waits(const Session& session);
    StoredMessage* stored(const Delivery& delivery);
    bool send_one_waiting(Session& session, SessionExtras& extras);
    void resend(Session& session, InflightEntry& entry);

    ShardContext& context_;
    MessageStore& store_;
    SessionTable& sessions_;
    const SubscribeRequests& requests_;
    ControlWriter& control_;
    PacketNumbers numbers_;
    FrameCache frames_;
    TopicAliases aliases_;

    // Of the delivery at hand.
    const Message* message_ = nullptr;
    static constexpr uint32_t any_shard = UINT32_MAX;
    uint32_t routed_by_ = 0;            // any_shard: counts on either side of a session's move
    StoredMessage* stored_ = nullptr;   // made when the first receiver needs it
    // Of a message that several filters match; kept for their memory.
    std::vector<Overlap> overlaps_;
    std::vector<OverlapId> overlap_ids_;   // the first one is unused
    std::vector<uint32_t> ids_;
};

}  // namespace millrace
