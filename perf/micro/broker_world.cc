#include "broker_world.h"

#include <utility>

#include "codec/mqtt/encode.h"

namespace millrace::perf {
namespace {

constexpr Instant start = Instant::at_ms(1'000'000);
constexpr uint64_t shard_bytes_max = uint64_t{1} << 30;
constexpr uint32_t mail_bytes_per_turn = 256 * 1024;

std::unique_ptr<Arena> make_arena() {
    auto arena = Arena::create({.bytes_max = shard_bytes_max, .huge_pages = HugePages::off});
    MR_ASSERT(arena.has_value());
    return std::move(*arena);
}

std::unique_ptr<MailMesh> make_mesh(uint32_t shard_count) {
    auto mesh = MailMesh::create(shard_count, ShardOptions{}.mailbox_ring_bytes);
    MR_ASSERT(mesh.has_value());
    return std::move(*mesh);
}

LiveConfig quiet_config() {
    LiveConfig live;
    live.timeouts.sys_interval = std::chrono::milliseconds(0);
    return live;
}

WorldClient& client_of(Connection& connection) {
    static_assert(offsetof(WorldClient, connection) == 0);
    return *reinterpret_cast<WorldClient*>(&connection);
}

template <class Packet>
std::vector<uint8_t> encoded(const Packet& packet) {
    std::vector<uint8_t> bytes;
    if constexpr (requires { mqtt::encoded_bytes(packet); }) {
        bytes.resize(mqtt::encoded_bytes(packet));
        ByteWriter out(bytes);
        mqtt::encode(out, packet);
    } else {
        bytes.resize(mqtt::encoded_bytes(mqtt::Version::v3_1_1, packet));
        ByteWriter out(bytes);
        mqtt::encode(out, mqtt::Version::v3_1_1, packet);
    }
    return bytes;
}

}  // namespace

struct BrokerWorld::Shard {
    Shard(const LiveConfig& live, MailMesh& mesh, Pressure& pressure, uint32_t index)
        : arena(make_arena()),
          heap(*arena, ledger),
          blocks(heap, ledger),
          outbox(heap, blocks),
          wheel(start),
          mailbox(mesh, index),
          broker({live, heap, blocks, outbox, wheel, mailbox, ledger, counters, pressure,
                  nullptr, HashKey{0x5eed}, index + 1, &delivery}) {}

    std::unique_ptr<Arena> arena;
    Ledger ledger;
    Heap heap;
    BlockPool blocks;
    Outbox outbox;
    TimerWheel wheel;
    Mailbox mailbox;
    BrokerCounters counters;
    DurationHistogram delivery;
    Broker broker;
    std::vector<Event> events;                  // of the next turn
    std::vector<WorldClient*> acknowledging;    // have something to say in the next turn
    std::vector<WorldClient*> acknowledged;     // in the turn at hand; kept for its memory
};

BrokerWorld::BrokerWorld(uint32_t shard_count)
    : live_(quiet_config()), mesh_(make_mesh(shard_count)) {
    for (uint32_t index = 0; index < shard_count; ++index) {
        shards_.push_back(std::make_unique<Shard>(live_, *mesh_, pressure_, index));
    }
}

BrokerWorld::~BrokerWorld() {
    for (WorldClient& client : clients_) {
        client.connection.close_reason = CloseReason::peer_closed;
        shards_[client.shard]->events.push_back({Event::Kind::closed, &client.connection, {}});
    }
    settle();
}

WorldClient& BrokerWorld::connect(uint32_t shard, std::string_view client_id) {
    WorldClient& client = clients_.emplace_back();
    client.shard = shard;
    shards_[shard]->events.push_back({Event::Kind::accepted, &client.connection, {}});
    mqtt::Connect packet;
    packet.version = mqtt::Version::v3_1_1;
    packet.client_id = client_id;
    feed(client, encoded(packet));
    return client;
}

void BrokerWorld::subscribe(WorldClient& client, std::string_view filter, mqtt::Qos qos) {
    mqtt::SubscribeEntry entry;
    entry.filter = filter;
    entry.options.qos = qos;
    mqtt::Subscribe packet;
    packet.packet_id = 1;
    packet.entries = {&entry, 1};
    feed(client, encoded(packet));
}

void BrokerWorld::feed(WorldClient& client, Bytes bytes) {
    shards_[client.shard]->events.push_back({Event::Kind::received, &client.connection, bytes});
    settle();
}

uint64_t BrokerWorld::publishes_sent() const {
    uint64_t count = 0;
    for (const auto& shard : shards_) count += shard->counters.publishes_sent.read();
    return count;
}

void BrokerWorld::settle() {
    for (bool moved = true; moved;) {
        moved = false;
        for (const auto& shard : shards_) moved = turn(*shard) || moved;
    }
}

// As shard_loop.h does it. False when there was nothing to do.
bool BrokerWorld::turn(Shard& shard) {
    shard.broker.begin_turn(start);
    bool moved = acknowledge(shard) || !shard.events.empty();
    for (const Event& event : shard.events) shard.broker.on_event(event);
    shard.events.clear();
    const uint32_t mails =
        shard.mailbox.drain(start, mail_bytes_per_turn, [&shard](uint32_t from, Bytes mail) {
            shard.broker.on_mail(from, mail);
        });
    shard.broker.end_turn(start);
    shard.mailbox.flush(start);
    flush(shard);
    shard.broker.turn_ended(start);
    return moved || mails != 0;
}

bool BrokerWorld::acknowledge(Shard& shard) {
    shard.acknowledged.swap(shard.acknowledging);
    for (WorldClient* client : shard.acknowledged) {
        shard.broker.on_event({Event::Kind::received, &client->connection,
                               client->acknowledgements});
        client->acknowledgements.clear();
    }
    const bool moved = !shard.acknowledged.empty();
    shard.acknowledged.clear();
    return moved;
}

void BrokerWorld::flush(Shard& shard) {
    Connection* next = nullptr;
    for (Connection* connection = shard.outbox.take_all(); connection != nullptr;
         connection = next) {
        next = connection->next_dirty;
        connection->dirty = false;
        MR_ASSERT(!connection->close_now && !connection->close_when_sent);
        WorldClient& client = client_of(*connection);
        for (uint32_t index = 0; index < connection->out.slot_count(); ++index) {
            note_acknowledgements(shard, client, connection->out.at(index).bytes());
        }
        bytes_sent_ += connection->out.bytes_queued();
        connection->out.clear(shard.heap, shard.blocks);
    }
}

// A slice holds whole packets here: nothing is sent in parts.
void BrokerWorld::note_acknowledgements(Shard& shard, WorldClient& client, Bytes sent) {
    constexpr uint8_t publish_at_least_once = 0x32;
    if ((sent[0] & 0xf6) != publish_at_least_once) return;
    if (client.acknowledgements.empty()) shard.acknowledging.push_back(&client);
    while (!sent.empty()) {
        const auto header = mqtt::read_fixed_header(sent);
        MR_ASSERT(header && header->packet_bytes() <= sent.size());
        const size_t topic = header->header_bytes;
        const size_t topic_bytes = size_t{sent[topic]} << 8 | sent[topic + 1];
        const size_t identifier = topic + 2 + topic_bytes;
        for (const uint8_t byte : {uint8_t{0x40}, uint8_t{2}, sent[identifier],
                                   sent[identifier + 1]}) {
            client.acknowledgements.push_back(byte);
        }
        sent = sent.subspan(header->packet_bytes());
    }
}

std::vector<uint8_t> publish_packets(std::string_view topic, uint32_t payload_bytes, mqtt::Qos qos,
                                     uint32_t count) {
    const std::vector<uint8_t> payload(payload_bytes, 0x5a);
    std::vector<uint8_t> packets;
    for (uint32_t number = 1; number <= count; ++number) {
        mqtt::Publish packet;
        packet.topic = topic;
        packet.payload = payload;
        packet.qos = qos;
        packet.packet_id = qos == mqtt::Qos::at_most_once ? 0 : static_cast<uint16_t>(number);
        const std::vector<uint8_t> one = encoded(packet);
        packets.insert(packets.end(), one.begin(), one.end());
    }
    return packets;
}

FanoutWorld::FanoutWorld(const Options& options)
    : options_(options),
      world_(options.shards),
      publisher_(&world_.connect(0, "publisher")),
      packets_(publish_packets("load/fanout", options.payload_bytes, options.qos,
                               options.window)) {
    for (uint32_t number = 0; number < options.receivers; ++number) {
        WorldClient& client = world_.connect(number % options.shards,
                                             "receiver-" + std::to_string(number));
        world_.subscribe(client, "load/fanout", options.qos);
    }
    publish();
    MR_ASSERT(world_.publishes_sent() == deliveries_per_publish());
}

}  // namespace millrace::perf
