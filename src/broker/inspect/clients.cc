#include "broker/inspect/clients.h"

#include "broker/broker.h"
#include "broker/inspect/inside.h"

namespace millrace {
namespace {

ClientRow row_of(const ShardContext& context, const Session& session) {
    ClientRow row;
    row.client_id = session.client_id();
    row.shard = context.self();
    row.expiry_s = session.expiry_s;
    row.subscriptions = session.subscription_count;
    if (session.extras != nullptr) {
        row.inflight = session.extras->inflight.count();
        row.waiting_messages = session.extras->waiting.count();
        row.waiting_bytes = session.extras->waiting.bytes();
    }
    if (session.connection == nullptr) return row;
    const MqttConnection& client = mqtt_of(*session.connection);
    row.is_connected = true;
    row.is_v5 = client.is_v5();
    row.keep_alive_s = client.keep_alive_s;
    row.silent_ms = static_cast<uint32_t>(context.now.to_ms()) - client.last_received_ms;
    row.send_queue_bytes = session.connection->out.bytes_queued();
    return row;
}

}  // namespace

bool ClientsPage::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    text_.begin_step();
    return walk_.step(inside.sessions, [&](const Session& session) {
        if (inside.is_on_its_way(session)) return Taken::done;  // its new shard lists it
        if (!session.client_id().starts_with(wanted_.prefix)) return Taken::done;
        const bool is_connected = session.connection != nullptr;
        if (wanted_.is_connected && is_connected != *wanted_.is_connected) return Taken::done;
        if (rows_.size() == wanted_.rows_max) return Taken::full;
        if (const Taken room = text_.room(); room != Taken::done) return room;
        text_.add(session.client_id().size());
        rows_.push_back(row_of(inside.context, session));
        return Taken::done;
    });
}

bool ClientLookup::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    const Session* session = inside.find_session(client_id_);
    if (session != nullptr && !inside.is_on_its_way(*session)) row_ = row_of(inside.context, *session);
    return true;
}

bool ClientKick::step(Broker& broker) {
    Session* session = broker.inside().find_session(client_id_);
    is_moving_ = session != nullptr && session->is_moving;
    if (session == nullptr || is_moving_) return true;
    done_ = Done{session->connection != nullptr, ends_session_ || !session->is_kept()};
    broker.kick(*session, ends_session_);
    return true;
}

}  // namespace millrace
