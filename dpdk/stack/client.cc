// connect(): which address and port it comes from.
#include "stack/stack_transport.h"

namespace millrace {

namespace {

// Looks at that many candidates before it gives up: more than one address has ports. The turn goes
// on from there, so that the next connect() doesn't look at the same ones.
constexpr uint32_t candidates_max = 131'072;

}  // namespace

// Frames of the flow come to this shard, and nobody has the 4-tuple, TIME-WAIT included.
bool StackTransport::is_usable(const FlowKey& key) const {
    if (interface_.is_broadcast(key.local) || key.local == key.remote) return false;
    if (options_.shard_count > 1 &&
        link_->shard_of(key.local, key.local_port, key.remote, key.remote_port) !=
            options_.shard) {
        return false;
    }
    return flows_.find(flows_.hash(key), key) == nullptr;
}

// Addresses take turns; each goes through its own order of ports. Nothing when none was found.
std::optional<FlowKey> StackTransport::choose_flow(const IpAddress& remote, uint16_t remote_port,
                                                   const IpAddress* source) {
    const uint64_t source_count =
        source != nullptr ? 1 : interface_.source_count(remote.is_ipv4());
    if (source_count == 0) return std::nullopt;
    uint64_t& turn = source_ports_.turn(remote, remote_port, source);
    for (uint32_t candidate = 0; candidate < candidates_max; ++candidate) {
        const uint64_t now_turn = turn++;
        FlowKey key;
        key.remote = remote;
        key.remote_port = remote_port;
        key.local = source != nullptr
                        ? *source
                        : interface_.source_at(remote.is_ipv4(), now_turn % source_count);
        key.local_port = source_ports_.port_at(key.local, remote, remote_port,
                                               now_turn / source_count);
        if (is_usable(key)) return key;
    }
    return std::nullopt;
}

Connection* StackTransport::connect(const ConnectOptions& options) {
    stack_counters_.connects.add();
    const std::optional<IpAddress> remote = IpAddress::parse(options.remote.host);
    if (!remote || remote->is_multicast() || remote->is_unspecified() ||
        interface_.is_broadcast(*remote) || interface_.is_own(*remote)) {
        stack_counters_.connect_no_route.add();
        return nullptr;
    }
    std::optional<IpAddress> source;
    if (!options.source_host.empty()) {
        source = IpAddress::parse(options.source_host);
        if (!source || !interface_.is_own(*source) || source->is_ipv4() != remote->is_ipv4()) {
            stack_counters_.connect_no_route.add();
            return nullptr;
        }
    }
    if (alive_count_ >= options_.connections_max) {
        stack_counters_.connect_no_memory.add();
        return nullptr;
    }
    const std::optional<FlowKey> key =
        choose_flow(*remote, options.remote.port, source ? &*source : nullptr);
    if (!key) {
        stack_counters_.connect_no_port.add();
        return nullptr;
    }
    TcpConnection* connection = try_make_connection(*key, MacAddress{});
    if (connection != nullptr && !flows_.try_insert(flows_.hash(*key), connection->flow)) {
        connections_.destroy(connection);
        --alive_count_;
        connection = nullptr;
    }
    if (connection == nullptr) {
        stack_counters_.connect_no_memory.add();
        return nullptr;
    }
    enter_table(*connection);
    connection->is_client = true;
    connection->connecting = true;
    ++connection_count_;
    tcp_.open(*connection, isn_.next(*key, now_), path_mss(*remote), isn_.timestamp_offset(*key),
              now_);
    outbox_.mark(*connection);
    return connection;
}

}  // namespace millrace
