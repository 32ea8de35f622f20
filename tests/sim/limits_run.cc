#include "limits_run.h"

#include <fmt/format.h>

#include "codec/mqtt/decode.h"
#include "codec/mqtt/encode.h"

namespace millrace::sim {

namespace {

template <class... Parts>
void send(Pipe& pipe, const Parts&... parts) {
    std::vector<uint8_t> bytes(mqtt::encoded_bytes(parts...));
    ByteWriter out(bytes);
    mqtt::encode(out, parts...);
    pipe.to_server.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void expect_equal(uint64_t counted, uint64_t expected, std::string_view what) {
    if (counted != expected) {
        throw Failure(fmt::format("{}: {} instead of {}", what, counted, expected));
    }
}

}  // namespace

Config LimitsRun::draw_config(Prng& setup) {
    Config config;
    config.queues.send_bytes_max = 100 + setup.below(2'000);
    config.queues.session_messages_max = 1 + setup.below(20);
    config.timeouts.connect = config.timeouts.send_stall = std::chrono::hours(10);
    config.timeouts.sys_interval = std::chrono::milliseconds(0);
    return config;
}

LimitsRun::LimitsRun(uint64_t seed) : LimitsRun(Prng(seed ^ 0x11117), seed) {}

LimitsRun::LimitsRun(Prng setup, uint64_t seed)
    : setup_(setup),
      config_(draw_config(setup_)),
      world_(seed, 1 + setup_.below(4), config_),
      peers_(2 + setup_.below(5)) {
    world_.calm_down();
}

void LimitsRun::run() {
    publish_past_stalled_receivers();
    publish_past_full_queues();
}

void LimitsRun::connect(Peer& peer, const std::string& client_id, uint32_t session_expiry_s) {
    peer.pipe = std::make_shared<Pipe>();
    peer.incoming.clear();
    world_.open(setup_.below(world_.shard_count()), peer.pipe);
    mqtt::Connect packet;
    packet.client_id = client_id;
    packet.clean_start = false;
    packet.session_expiry_s = session_expiry_s;
    send(*peer.pipe, packet);
    settle();
}

void LimitsRun::subscribe(Peer& peer, mqtt::Qos qos) {
    const mqtt::SubscribeEntry entry{setup_.below(2) == 0 ? "a/b" : "a/+", {.qos = qos}};
    mqtt::Subscribe packet;
    packet.packet_id = 1;
    packet.entries = {&entry, 1};
    send(*peer.pipe, mqtt::Version::v5, packet);
    settle();
}

void LimitsRun::publish(Peer& peer, mqtt::Qos qos) {
    mqtt::Publish packet;
    packet.topic = "a/b";
    packet.payload = as_bytes("some bytes of payload");
    packet.qos = qos;
    if (qos != mqtt::Qos::at_most_once) packet.packet_id = ++last_packet_id_;
    send(*peer.pipe, mqtt::Version::v5, packet);
}

void LimitsRun::acknowledge(Peer& peer, const mqtt::Publish& packet) {
    if (packet.qos != mqtt::Qos::at_least_once) return;
    send(*peer.pipe, mqtt::Version::v5, mqtt::PacketType::puback,
         mqtt::Ack{.packet_id = packet.packet_id});
}

void LimitsRun::read(Peer& peer) {
    if (peer.is_stalled || peer.pipe == nullptr) return;
    peer.incoming += peer.pipe->to_client;
    peer.pipe->to_client.clear();
    for (;;) {
        const Bytes all = as_bytes(peer.incoming);
        const auto header = mqtt::read_fixed_header(all);
        if (!header || header->packet_bytes() > all.size()) return;
        if (header->type == mqtt::PacketType::publish) {
            const auto packet = mqtt::decode_publish(
                mqtt::Version::v5, header->flags,
                all.subspan(header->header_bytes, header->remaining_bytes));
            if (!packet) throw Failure("malformed PUBLISH");
            ++peer.publishes;
            acknowledge(peer, *packet);
        } else {
            ++peer.answers;
        }
        peer.incoming.erase(0, header->packet_bytes());
    }
}

void LimitsRun::settle() {
    for (uint32_t idle = 0; idle < 5;) {
        bool is_idle = true;
        for (Peer& peer : peers_) read(peer);
        for (uint32_t shard = 0; shard < world_.shard_count(); ++shard) {
            is_idle &= !world_.turn(shard);
        }
        world_.advance(Duration::ms(1));
        idle = is_idle ? idle + 1 : 0;
    }
}

// Quality of service 0 past a send ring that is full.
void LimitsRun::publish_past_stalled_receivers() {
    for (size_t index = 0; index < peers_.size(); ++index) {
        connect(peers_[index], fmt::format("c{}", index), 0);
        if (index == 0) continue;
        subscribe(peers_[index], mqtt::Qos::at_most_once);
        peers_[index].is_stalled = setup_.below(2) == 0;
        peers_[index].pipe->to_client_bytes_max = 50 + setup_.below(500);
    }
    const uint32_t count = 50 + setup_.below(200);
    for (uint32_t sent = 0; sent < count; ++sent) {
        publish(peers_[0], mqtt::Qos::at_most_once);
        if (setup_.below(3) == 0) settle();
    }
    settle();
    for (Peer& peer : peers_) peer.is_stalled = false;
    settle();
    uint64_t received = 0;
    for (const Peer& peer : peers_) received += peer.publishes;
    expect_equal(received + world_.total(&BrokerCounters::dropped_slow_receiver),
                 uint64_t{count} * (peers_.size() - 1), "delivered and dropped");
    expect_equal(received, world_.total(&BrokerCounters::publishes_sent), "delivered");
}

// Sessions whose clients are away and whose queues are full. Each comes back on some shard, and
// gets what the queue could take.
void LimitsRun::publish_past_full_queues() {
    for (size_t index = 1; index < peers_.size(); ++index) {
        peers_[index].pipe->client_finished = true;
        connect(peers_[index], fmt::format("kept{}", index), 1'000);
        subscribe(peers_[index], mqtt::Qos::at_least_once);
        peers_[index].pipe->client_reset = true;
        peers_[index].publishes = 0;
        settle();
    }
    const uint32_t count = 1 + setup_.below(40);
    for (uint32_t sent = 0; sent < count; ++sent) publish(peers_[0], mqtt::Qos::at_least_once);
    settle();
    const uint64_t kept = std::min(count, config_.queues.session_messages_max);
    const uint64_t receivers = peers_.size() - 1;
    expect_equal(world_.total(&BrokerCounters::waiting_messages), kept * receivers, "waiting");
    expect_equal(world_.total(&BrokerCounters::dropped_queue_full), (count - kept) * receivers,
                 "dropped past full queues");
    for (size_t index = 1; index < peers_.size(); ++index) {
        connect(peers_[index], fmt::format("kept{}", index), 1'000);
        settle();
        expect_equal(peers_[index].publishes, kept, "delivered after coming back");
    }
    expect_equal(world_.total(&BrokerCounters::waiting_messages), 0, "still waiting");
}

}  // namespace millrace::sim
