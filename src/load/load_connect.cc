// From connect() to `closed`: opening at a bounded pace, the greeting, losing, leaving.
#include <algorithm>

#include "codec/mqtt/encode.h"
#include "load/load_shard.h"

namespace millrace {

void LoadShard::begin_opening(const LoadCommand& command) {
    const LoadOptions& options = plan_.options;
    for (const Client& client : clients_) MR_ASSERT(client.state() == ClientState::closed);
    opening_since_ = Instant{command.instant_ns};
    round_ = command.phase;
    open_next_ = 0;
    outstanding_ = 0;
    outstanding_max_ = UINT32_MAX;
    if (options.mode != LoadMode::storm) {
        outstanding_max_ = std::max<uint32_t>(
            1, options.connects_outstanding_max / options.shard_count);
    }
}

Instant LoadShard::next_open_deadline() const {
    if (open_next_ >= clients_.size() || outstanding_ >= outstanding_max_) {
        return Instant::never();
    }
    const uint64_t rate = plan_.options.connect_rate;
    if (rate == 0) return opening_since_;
    const uint64_t place = uint64_t{open_next_} * plan_.options.shard_count + shard_;
    return opening_since_ + Duration::ns(static_cast<int64_t>(place * 1'000'000'000 / rate));
}

void LoadShard::open_some(Instant now) {
    for (uint32_t count = 0; count < opens_per_turn_max; ++count) {
        const Instant due = next_open_deadline();
        if (due > now) return;
        open(clients_[open_next_++], plan_.options.connect_rate == 0 ? now : due);
    }
}

void LoadShard::open(Client& client, Instant due) {
    const LoadOptions& options = plan_.options;
    client.set_state(ClientState::connecting);
    client.opened_at_ns = due.nanoseconds;
    ++totals_.opened;
    ConnectOptions to{.remote = {options.host, options.port}, .source_host = {}};
    if (!options.source_hosts.empty()) {
        to.source_host = options.source_hosts[client.number % options.source_hosts.size()];
    }
    Connection* connection = connector_.connect(connector_.context, to);
    if (connection == nullptr) {  // the transport's tables are full
        ++totals_.refused;
        ++totals_.closed;
        client.set_state(ClientState::closed);
        return;
    }
    ++outstanding_;
    client.connection = connection;
    new (connection->user) ClientLink{&client};
}

void LoadShard::on_connected(Client& client) {
    if (client.state() != ClientState::connecting) return;
    client.set_state(ClientState::greeting);
    send_connect(client);
}

void LoadShard::send_connect(Client& client) {
    const LoadOptions& options = plan_.options;
    NameBuffer client_id;
    plan_.client_id(client_id, client.number);
    mqtt::Connect packet;
    packet.version = version_;
    packet.clean_start = options.clean_start;
    packet.keep_alive_s = options.keep_alive_s;
    packet.client_id = client_id.text();
    if (version_ == mqtt::Version::v5 && !options.clean_start) {
        packet.session_expiry_s = options.session_expiry_s;
    }
    const bool sent = send_packet(client, mqtt::encoded_bytes(packet), [&](ByteWriter& out) {
        mqtt::encode(out, packet);
    });
    if (!sent) fail(client);
}

void LoadShard::send_subscribe(Client& client) {
    NameBuffer filter;
    plan_.subscribe_filter(filter, client.number);
    mqtt::SubscribeEntry entry;
    entry.filter = filter.text();
    entry.options.qos = static_cast<mqtt::Qos>(plan_.options.qos);
    mqtt::Subscribe packet;
    packet.packet_id = 1;
    packet.entries = {&entry, 1};
    const uint32_t bytes = mqtt::encoded_bytes(version_, packet);
    const bool sent = send_packet(client, bytes, [&](ByteWriter& out) {
        mqtt::encode(out, version_, packet);
    });
    if (!sent) fail(client);
}

void LoadShard::become_ready(Client& client) {
    client.set_state(ClientState::ready);
    --outstanding_;
    ++totals_.ready;
}

// The accounts of a client that stops being what it was, once.
void LoadShard::note_end(Client& client) {
    if (client.opening()) {
        --outstanding_;
        ++totals_.refused;
    } else if (client.state() == ClientState::ready) {
        ++totals_.lost;
        if (client.role == ClientRole::publisher) publish_.on_gone(client);
    }
}

// Closes a connection that can't be of use any more.
void LoadShard::fail(Client& client) {
    if (client.state() == ClientState::leaving) return;
    note_end(client);
    client.set_state(ClientState::leaving);
    outbox_.close_now(*client.connection, CloseReason::local);
}

void LoadShard::on_closed(Client& client, Connection& connection) {
    MR_ASSERT(client.connection == &connection);
    note_end(client);
    client.tail.clear(heap_);
    client.connection = nullptr;
    client.set_state(ClientState::closed);
    ++totals_.closed;
}

void LoadShard::cut_all() {
    open_next_ = static_cast<uint32_t>(clients_.size());
    for (Client& client : clients_) {
        if (client.opening()) {
            note_end(client);
        } else if (client.state() != ClientState::ready) {
            continue;
        }
        client.set_state(ClientState::leaving);
        outbox_.close_now(*client.connection, CloseReason::local);
    }
}

void LoadShard::leave_all() {
    open_next_ = static_cast<uint32_t>(clients_.size());
    mqtt::Disconnect packet;
    // A session that was only to last for the run isn't left behind.
    if (version_ == mqtt::Version::v5 && !plan_.options.clean_start) packet.session_expiry_s = 0;
    const uint32_t bytes = mqtt::encoded_bytes(version_, packet);
    for (Client& client : clients_) {
        if (client.state() != ClientState::ready) {
            if (client.opening()) fail(client);
            continue;
        }
        send_packet(client, bytes, [&](ByteWriter& out) { mqtt::encode(out, version_, packet); });
        client.set_state(ClientState::leaving);
        outbox_.close_when_sent(*client.connection, CloseReason::local);
    }
}

}  // namespace millrace
