// What must hold, seen from outside: every publish and every subscription that a model client has
// made, and what each delivery has to agree with.
// Owned by: the simulation's main program; clients report to it. One thread.
// Holds:    a broken rule throws Failure, at once where it shows at once, else from finish().
//
// A subscription may be served from the moment its SUBSCRIBE is sent, and must be from its SUBACK
// on; until its UNSUBSCRIBE is sent it must, and until the UNSUBACK has come it may.
// Not here: rules of one connection (packet identifiers, receive maximum): clients.cc.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "codec/mqtt/packet.h"
#include "world.h"

namespace millrace::sim {

constexpr uint64_t never = UINT64_MAX;

struct SentMessage {
    uint32_t publisher = 0;
    uint32_t connection = 0;         // the publisher's, counted over all clients
    std::string topic;
    mqtt::Qos qos = mqtt::Qos::at_most_once;
    bool retain = false;
    bool is_clear = false;           // empty: nobody can tell which one it was
    uint64_t sent_moment = never;
    uint64_t sent_epoch = never;
    uint32_t times_sent = 0;
    uint64_t acked_epoch = never;
    uint64_t acked_moment = never;
    std::vector<uint32_t> copies;    // by client, in its present session; no retained ones
    uint32_t former_copies = 0;      // in sessions that have ended
};

struct Span {
    std::string filter;              // as subscribed
    std::string inner;               // without $share
    bool is_shared = false;
    mqtt::Qos qos = mqtt::Qos::at_most_once;
    bool no_local = false;
    bool wants_retained = false;
    uint32_t identifier = 0;
    uint64_t may_begin = 0;          // moments
    uint64_t may_end = never;
    uint64_t must_begin = never;
    uint64_t must_end_epoch = never;
    uint64_t must_end_moment = never;   // what was acknowledged before must still arrive
    bool was_lost = false;           // its session has ended once
};

// Plants a fault that the checkers have to find.
enum class Sabotage : uint8_t { none, lose_publish, send_twice };

class Checkers {
public:
    Checkers(World& world, uint32_t client_count) : world_(world), spans_(client_count) {}

    void set_sabotage(Sabotage sabotage) { sabotage_ = sabotage; }
    // How often a client shall report this delivery: once, but for planted faults.
    uint32_t times_to_report(const mqtt::Publish& packet);

    void set_traced() { is_traced_ = true; }
    template <class... Values>
    void trace(uint32_t client, fmt::format_string<Values...> text, Values&&... values) const {
        if (!is_traced_) return;
        fmt::print("{:6} client {} ", world_.now().to_ms(), client);
        fmt::print(text, std::forward<Values>(values)...);
        fmt::print("\n");
    }

    // Publishes.
    uint32_t add_message(SentMessage message);
    void on_sent(uint32_t id);
    void on_acknowledged(uint32_t id);
    // A will that is going to be published, nobody knows when.
    void on_will_due(uint32_t id) { messages_[id].acked_epoch = never - 1; }
    static std::string payload_of(uint32_t id, uint32_t extra_bytes);

    // Subscriptions; the index names the span.
    size_t on_subscribe(uint32_t client, Span span);
    void on_subscribed(uint32_t client, size_t index);
    void on_unsubscribe(uint32_t client, std::string_view filter);
    void on_unsubscribed(uint32_t client, std::string_view filter, uint64_t sent_moment);
    // The session may have ended; has ended.
    void on_session_in_doubt(uint32_t client);
    // A drain has come to this client's connection.
    void on_turn_to_leave(uint32_t client);
    void on_session_gone(uint32_t client);

    // A delivery that isn't a duplicate by the rules of its connection.
    void on_delivered(uint32_t client, const mqtt::Publish& packet, std::string_view topic);
    // The message's number, as its payload tells; UINT32_MAX for an empty one.
    static uint32_t message_of(const mqtt::Publish& packet);
    // After everything has settled.
    void finish() const;
    // What a new subscriber of everything retained got: topic to payload.
    // `may_be_incomplete`: some with QoS 0 were dropped at its send ring.
    void check_retained(const std::map<std::string, std::string>& retained,
                        bool may_be_incomplete) const;

    const std::vector<SentMessage>& messages() const { return messages_; }
    std::vector<std::string> retained_topics() const;

private:
    bool may_get(uint32_t client, const SentMessage& message, const mqtt::Publish& packet) const;
    uint32_t channels(uint32_t client, const SentMessage& message) const;
    void check_identifiers(uint32_t client, const mqtt::Publish& packet,
                           std::string_view topic) const;
    void check_order(uint32_t client, uint32_t id, mqtt::Qos delivered_qos);
    bool may_be_cleared_late(std::string_view topic, uint32_t last_acked) const;
    void check_complete(uint32_t id) const;
    void check_groups(uint32_t id) const;
    [[noreturn]] void fail(uint32_t client, uint32_t id, std::string_view what) const;

    World& world_;
    bool is_traced_ = false;
    Sabotage sabotage_ = Sabotage::none;
    uint32_t sabotage_count_ = 0;   // deliveries with QoS 2
    std::vector<SentMessage> messages_;
    std::vector<std::vector<Span>> spans_;   // by client
    // By receiver, publisher, topic, and both qualities of service: the latest first delivery.
    std::map<std::tuple<uint32_t, uint32_t, std::string, int, int>, uint32_t> latest_;
};

}  // namespace millrace::sim
