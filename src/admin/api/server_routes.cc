#include "admin/api/server_routes.h"

#include <algorithm>

#include "admin/loop_json.h"
#include "admin/process_figures.h"
#include "base/json_line.h"
#include "millrace/version.h"

namespace millrace {
namespace {

std::string connections_json(const ShardFigures& shard) {
    const BrokerCounters& broker = *shard.broker;
    const TransportCounters& transport = *shard.transport;
    JsonLine line;
    const uint64_t connected = broker.connections.read();
    // Read at two moments, so one may be past the other.
    const uint64_t active = std::min(connected, broker.connections_active.read());
    line.add("connected", connected);
    line.add("active", active);
    line.add("idle", connected - active);
    line.add("sockets_accepted", transport.accepted.read());
    line.add("sockets_closed", transport.closed.read());
    line.add("accept_failures", transport.accept_failures.read());
    line.add("connects_accepted", broker.connects_accepted.read());
    line.add("connects_refused", broker.connects_refused.read());
    line.add("protocol_errors", broker.protocol_errors.read());
    line.add("keep_alive_timeouts", broker.keep_alive_timeouts.read());
    line.add("connect_timeouts", broker.connect_timeouts.read());
    line.add("slow_receivers_closed", broker.slow_receivers_closed.read());
    line.add("takeovers", broker.takeovers.read());
    return line.object();
}

std::string messages_json(const BrokerCounters& broker) {
    JsonLine dropped;
    dropped.add("slow_receiver", broker.dropped_slow_receiver.read());
    dropped.add("queue_full", broker.dropped_queue_full.read());
    dropped.add("too_large", broker.dropped_too_large.read());
    dropped.add("expired", broker.dropped_expired.read());
    dropped.add("exhausted", broker.dropped_exhausted.read());
    JsonLine line;
    line.add("received", broker.publishes_received.read());
    line.add("sent", broker.publishes_sent.read());
    line.add("rejected", broker.publishes_denied.read() + broker.refused_quota.read());
    line.add("dropped", dropped.object());
    line.add("waiting", broker.waiting_messages.read());
    return line.object();
}

std::string memory_json(const Ledger& ledger) {
    uint64_t bytes = 0;
    uint64_t reserved_bytes = 0;
    ledger.for_each([&](const LedgerLine& line) {
        bytes += line.bytes.read();
        reserved_bytes += line.reserved_bytes.read();
    });
    JsonLine line;
    line.add("objects_bytes", bytes);
    line.add("reserved_bytes", reserved_bytes);
    return line.object();
}

std::string shard_json(const AdminSubject& subject, uint32_t index, const WallTime& now) {
    const ShardFigures& shard = subject.shards()[index];
    const BrokerCounters& broker = *shard.broker;
    JsonLine bytes;
    bytes.add("received", shard.transport->bytes_received.read());
    bytes.add("sent", shard.transport->bytes_sent.read());
    JsonLine queues;
    queues.add("mail_bytes_waiting", broker.mail_waiting_bytes.read());
    JsonLine line;
    line.add("shard", index);
    line.add("connections", connections_json(shard));
    line.add("sessions", broker.sessions.read());
    line.add("subscriptions", broker.subscriptions.read());
    line.add("retained_messages", broker.retained_messages.read());
    line.add("retained_bytes", broker.retained_bytes.read());
    line.add("messages", messages_json(broker));
    line.add("bytes", bytes.object());
    line.add("queues", queues.object());
    const Duration cpu = subject.processor_time(index).value_or(Duration::ns(0));
    line.add_decimal("cpu_seconds", static_cast<double>(cpu.nanoseconds) / 1e9, 6);
    line.add("memory", memory_json(*shard.ledger));
    line.add("loop", loop_json(*shard.loop, now));
    line.add("delivery_us", delivery_json(*shard.delivery));
    return line.object();
}

AdminResponse server(const AdminSubject& subject) {
    JsonLine line;
    line.add_text("version", MILLRACE_VERSION);
    line.add_text("network", subject.network());
    line.add_text("state", service_state_name(subject.state()));
    line.add_decimal("started", ProcessFigures::take().start_time_seconds);
    line.add_decimal("time", WallTime::now().wall_s);
    line.add("shards", subject.shards().size());
    line.add("connections_max_each", subject.shard_connections_max());
    line.add("memory_bytes_max_each", subject.shard_memory_bytes_max());
    return json_response(line.object());
}

AdminResponse shards(const AdminSubject& subject) {
    const WallTime now = WallTime::now();
    std::string list;
    for (uint32_t index = 0; index < subject.shards().size(); ++index) {
        if (index > 0) list += ',';
        list += shard_json(subject, index, now);
    }
    JsonLine line;
    line.add_decimal("time", now.wall_s);
    line.add("shards", "[" + list + "]");
    return json_response(line.object());
}

}  // namespace

std::vector<Route> server_routes(AdminSubject& subject) {
    std::vector<Route> routes;
    routes.push_back({"GET", "/api/v1/server", {}, {},
                      [&](const ApiCall&) { return server(subject); }});
    routes.push_back({"GET", "/api/v1/shards", {}, {},
                      [&](const ApiCall&) { return shards(subject); }});
    return routes;
}

}  // namespace millrace
