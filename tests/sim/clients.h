// A model MQTT client: behaves at random but by the specification, over connections that it drops
// as it likes, and tells the checkers what it was promised and what it got.
// Owned by: the simulation's main program; one thread.
// Holds:    keeps its session state (4.1) as a client must: unacknowledged publishes are sent
//           again, QoS 2 identifiers are remembered.
// Not here: what deliveries have to agree with over connections (checkers.h).
//
// clients.cc: what it does; client_packets.cc: what it makes of what it gets.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "checkers.h"
#include "codec/mqtt/encode.h"
#include "world.h"

namespace millrace::sim {

// The `drain.server_reference` of runs that drain.
constexpr std::string_view drain_reference = "elsewhere.example.net:1883";

// Drawn once a run: how likely things go wrong.
struct Habits {
    uint32_t drop_percent = 3;        // of a client's acts
    uint32_t subscribe_percent = 12;
    uint32_t lazy_ack_percent = 30;   // of its looks at what came: acknowledges nothing
    uint32_t payload_bytes_max = 40;
};

class Client {
public:
    Client(World& world, Checkers& checkers, const Habits& habits, uint32_t index);

    void act();      // one drawn act
    void settle();   // no new acts: comes back, reads and acknowledges everything
    // Ends the session on the server: clean start, then DISCONNECT once it's online.
    void begin_end();
    bool has_ended() const { return ending_ && state_ == State::offline; }
    // For the last look at retained messages.
    void subscribe_to_retained();
    const std::map<std::string, std::string>& retained() const { return retained_; }
    // Its acknowledgements are all done.
    bool is_quiet() const;
    bool has_open_ghosts() const;
    void publish_clear(const std::string& topic);
    bool is_online() const { return state_ == State::online; }
    // From now on the server may tell it to go, or refuse it; then it stays away.
    void begin_drain();
    // After a turn of the server: whether the drain has come to this client.
    void look_at_drain();
    // Reads what is there, so that an acknowledgement counts from the turn on that wrote it, and
    // mostly answers, so that nothing but the broker's own care keeps a goodbye back.
    void read_at_once();

private:
    enum class State : uint8_t { offline, connecting, online };
    enum class Expiry : uint8_t { with_connection, short_one, long_one };
    struct Outgoing {
        uint32_t message;
        uint16_t packet_id;
        bool is_released;   // PUBREC has come
        uint32_t extra_bytes;
        bool is_clear;
    };
    struct DueAck {
        mqtt::PacketType type;
        uint16_t packet_id;
    };
    struct PendingUnsubscribe {
        std::string filter;
        uint64_t moment;
    };

    // clients.cc
    void act_offline();
    void act_online();
    void connect(bool clean_start);
    void add_will(mqtt::Connect& packet, std::string& topic, std::string& payload);
    void drop();
    void leave_behind();       // goes on elsewhere while the connection stays open
    void disconnect();
    void after_connection();
    void publish();
    void send_publish(const Outgoing& outgoing, bool duplicate);
    void send_message(uint32_t message, uint16_t packet_id, uint32_t extra_bytes, bool duplicate);
    void subscribe(const std::string& filter);
    void unsubscribe();
    void answer(size_t count_max);
    uint16_t free_packet_id();
    bool chance(uint32_t percent) { return random_.below(100) < percent; }
    void forget_session();
    std::string draw_topic(bool& retain);
    [[noreturn]] void fail(const std::string& what) const;

    template <class... Parts>
    void send(const Parts&... parts);
    void send_ack(mqtt::PacketType type, uint16_t packet_id);

    // client_packets.cc
    void read(size_t bytes_max);
    void on_packet(Bytes packet);
    void on_connack(Bytes body);
    void on_publish(uint8_t flags, Bytes body);
    bool note_received(const mqtt::Publish& packet);
    std::string topic_of(const mqtt::Publish& packet);
    void on_ack(mqtt::PacketType type, Bytes body);
    void on_suback(Bytes body);
    void on_unsuback(Bytes body);
    void on_disconnect(Bytes body);
    void on_end();
    void check_owes_nothing() const;
    void check_told(mqtt::Reason reason, std::optional<std::string_view> reference);

    World& world_;
    Checkers& checkers_;
    const Habits& habits_;
    Prng& random_;
    const uint32_t index_;
    const mqtt::Version version_;
    std::shared_ptr<Pipe> pipe_;
    std::vector<std::shared_ptr<Pipe>> ghosts_;     // left behind, not yet closed by the server
    State state_ = State::offline;
    bool ending_ = false;
    bool insists_on_clean_start_ = false;
    bool settling_ = false;
    bool draining_ = false;
    bool has_left_ = false;         // and won't come back
    uint64_t wait_for_epoch_ = 0;   // after a CONNECT without an answer: let it take its course
    std::shared_ptr<Pipe> wait_for_pipe_;

    // Of the connection.
    uint32_t connection_ = 0;
    std::string incoming_;
    Expiry expiry_ = Expiry::with_connection;
    bool clean_start_ = true;
    uint16_t receive_maximum_ = 65'535;
    uint16_t alias_maximum_ = 0;
    std::map<uint16_t, std::string> aliases_in_;
    std::map<std::string, uint16_t> aliases_out_;
    std::set<uint16_t> open_;       // received, our last acknowledgement not yet sent
    std::set<uint16_t> owed_;       // of these, what was there at its turn to leave
    std::deque<DueAck> due_acks_;
    std::map<uint16_t, std::pair<std::string, size_t>> subscribes_;
    std::map<uint16_t, PendingUnsubscribe> unsubscribes_;
    uint32_t will_ = UINT32_MAX;
    bool will_is_delayed_ = false;
    bool has_had_turn_ = false;     // to leave
    bool is_told_ = false;          // to go elsewhere, by DISCONNECT or CONNACK

    // Of the session.
    bool session_is_kept_ = false;  // the server has promised to keep it
    std::deque<Outgoing> outgoing_;
    std::set<uint16_t> received_qos2_;
    std::map<uint16_t, uint32_t> seen_qos1_;   // by identifier: the message that came with it last
    std::set<uint16_t> unfinished_;   // identifiers the server may not use for something new
    std::set<std::string> filters_;
    std::map<std::string, std::string> retained_;
    uint16_t last_packet_id_ = 0;
    static uint32_t connection_count_;
};

}  // namespace millrace::sim
