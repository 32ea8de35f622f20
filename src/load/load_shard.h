// One shard of the generator: the simulated clients that live on it, as the application of
// runtime/shard_loop.h.
// Owned by: the shard's thread, from construction on.
// Holds:    what the coordinator orders is done a turn at a time; every attempt to connect ends as
//           ready or refused, and every ready connection as lost or left.
// Not here: the order of the run (coordinator.h), the transport: the one call that isn't in its
//           outbox comes in as a Connector.
//
//   load_shard.cc    turns, mail, timers          load_connect.cc  from connect() to closed
//   load_packets.cc  packets that come in         delivery_check, publish_path: the two roles
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/histogram.h"
#include "codec/mqtt/packet.h"
#include "load/client.h"
#include "load/delivery_check.h"
#include "load/mail.h"
#include "load/plan.h"
#include "load/publish_path.h"
#include "load/totals.h"
#include "net/outbox.h"
#include "net/transport.h"
#include "runtime/block.h"
#include "runtime/mailbox.h"
#include "runtime/timer_wheel.h"

namespace millrace {

struct LoadShardRound {
    Histogram connack_latency;
    uint64_t sessions_resumed = 0;  // CONNACKs with the session of before
};

// What a shard leaves behind. All but the totals is for after the shard's thread has ended.
struct LoadShardResult {
    SharedTotals totals;
    Histogram delivery_latency;
    std::vector<LoadShardRound> rounds;
};

struct LoadShardParts {
    // Transport::connect without the transport's type.
    struct Connector {
        void* context = nullptr;
        Connection* (*connect)(void* context, const ConnectOptions& options) = nullptr;
    };

    const LoadPlan& plan;
    uint32_t shard;
    Heap& heap;
    BlockPool& blocks;
    Outbox& outbox;
    Mailbox& mailbox;
    TimerWheel& wheel;
    LoadShardResult& result;
    Connector connector;
};

class LoadShard {
public:
    explicit LoadShard(const LoadShardParts& parts);
    ~LoadShard();
    LoadShard(const LoadShard&) = delete;
    LoadShard& operator=(const LoadShard&) = delete;

    // For run_shard.
    bool begin_turn(Instant now) {
        now_ = now;
        outbox_.begin_turn(now);
        return false;
    }
    void on_event(const Event& event);
    void on_mail(uint32_t from, Bytes mail);
    void on_timer(TimerEntry& entry);
    void end_turn(Instant now);
    void turn_ended(Instant) {}
    bool finished() const { return finished_; }

    // The loop may not sleep past it: finer than the timing wheel's millisecond.
    Instant next_deadline() const {
        return std::min(publish_.next_deadline(), next_open_deadline());
    }

private:
    static constexpr uint32_t opens_per_turn_max = 512;
    static constexpr Duration ping_tick = Duration::ms(100);

    void make_clients();
    Client& client_of(Connection& connection) { return *connection.as<ClientLink>().client; }

    // load_shard.cc
    void on_command(const LoadCommand& command);
    void pass_on_progress();
    void ping_some();

    // load_connect.cc
    void begin_opening(const LoadCommand& command);
    Instant next_open_deadline() const;
    void open_some(Instant now);
    void open(Client& client, Instant due);
    void on_connected(Client& client);
    void on_closed(Client& client, Connection& connection);
    void send_connect(Client& client);
    void send_subscribe(Client& client);
    void become_ready(Client& client);
    void fail(Client& client);
    void note_end(Client& client);
    void cut_all();
    void leave_all();

    // load_packets.cc
    void on_received(Client& client, Bytes bytes);
    bool on_packet(Client& client, Bytes packet);
    bool on_publish(Client& client, Bytes packet);
    bool on_connack(Client& client, Bytes body);
    bool on_suback(Client& client, Bytes body);
    bool on_ack(Client& client, mqtt::PacketType type, Bytes body);
    bool violate(Client& client);
    void add_reply(uint8_t first_byte, uint16_t packet_id);
    bool send_replies(Client& client);

    // Makes room in the stream, has `write` fill it, and queues it; false when memory ran out.
    template <class Write>
    bool send_packet(Client& client, uint32_t packet_bytes, Write&& write) {
        const std::span<uint8_t> room = stream_.try_reserve(packet_bytes);
        if (room.empty()) return false;
        ByteWriter writer(room);
        write(writer);
        return outbox_.send(*client.connection, stream_.commit(packet_bytes));
    }

    const LoadPlan& plan_;
    Heap& heap_;
    Outbox& outbox_;
    Mailbox& mailbox_;
    TimerWheel& wheel_;
    LoadShardResult& result_;
    LoadShardParts::Connector connector_;
    uint32_t shard_;
    mqtt::Version version_;
    bool finished_ = false;
    Instant now_{};

    LoadTotals totals_;
    BlockStream stream_;
    PayloadPattern pattern_;
    DeliveryCheck deliveries_;
    PublishPath publish_;
    std::vector<Client> clients_;  // subscribers first; never grows after construction

    // Opening
    Instant opening_since_{};
    uint32_t round_ = 0;           // of opening
    uint32_t open_next_ = 0;       // index in clients_; clients_.size() when all were tried
    uint32_t outstanding_ = 0;
    uint32_t outstanding_max_ = 0;

    TimerEntry ping_timer_;
    uint32_t ping_next_ = 0;       // index in clients_
    uint64_t ping_credit_ = 0;     // clients to visit, times the ticks of a round

    // Acknowledgements for the connection whose bytes are being read
    std::array<uint8_t, 8'192> replies_;
    uint32_t reply_bytes_ = 0;
};

}  // namespace millrace
