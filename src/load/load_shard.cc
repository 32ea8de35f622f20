#include "load/load_shard.h"

#include <algorithm>

#include "codec/mqtt/encode.h"
#include "runtime/clock.h"

namespace millrace {

LoadShard::LoadShard(const LoadShardParts& parts)
    : plan_(parts.plan),
      heap_(parts.heap),
      outbox_(parts.outbox),
      mailbox_(parts.mailbox),
      wheel_(parts.wheel),
      result_(parts.result),
      connector_(parts.connector),
      shard_(parts.shard),
      version_(static_cast<mqtt::Version>(parts.plan.options.mqtt_version)),
      stream_(parts.blocks),
      pattern_(std::max(parts.plan.options.payload_bytes, PayloadStamp::bytes_min),
               parts.plan.run_id),
      deliveries_(parts.plan, parts.shard, pattern_, totals_, parts.result.delivery_latency),
      publish_(parts.plan, parts.shard, pattern_, parts.outbox, stream_, totals_) {
    make_clients();
    open_next_ = static_cast<uint32_t>(clients_.size());
    if (plan_.options.keep_alive_s > 0) wheel_.start(ping_timer_, monotonic_now() + ping_tick);
}

LoadShard::~LoadShard() {
    wheel_.stop(ping_timer_);
    for (Client& client : clients_) client.tail.clear(heap_);
}

void LoadShard::make_clients() {
    const uint32_t subscribers = plan_.local_count(plan_.subscriber_count, shard_);
    const uint32_t publishers = plan_.local_count(plan_.publisher_count, shard_);
    const uint32_t shard_count = plan_.options.shard_count;
    clients_.reserve(subscribers + publishers);
    for (uint32_t local = 0; local < subscribers; ++local) {
        clients_.emplace_back(shard_ + local * shard_count, ClientRole::subscriber, local);
    }
    for (uint32_t local = 0; local < publishers; ++local) {
        const uint32_t number = plan_.subscriber_count + shard_ + local * shard_count;
        publish_.add(clients_.emplace_back(number, ClientRole::publisher, local));
    }
}

void LoadShard::on_event(const Event& event) {
    Connection& connection = *event.connection;
    switch (event.kind) {
    case Event::Kind::accepted: MR_UNREACHABLE();  // nobody listens here
    case Event::Kind::connected: on_connected(client_of(connection)); break;
    case Event::Kind::received: on_received(client_of(connection), event.bytes); break;
    case Event::Kind::drained:
        if (client_of(connection).role == ClientRole::publisher) {
            publish_.on_drained(client_of(connection));
        }
        break;
    case Event::Kind::closed: on_closed(client_of(connection), connection); break;
    }
}

void LoadShard::on_mail(uint32_t from, Bytes mail) {
    switch (static_cast<LoadMailKind>(mail[0])) {
    case LoadMailKind::command: on_command(read_mail<LoadCommand>(mail)); break;
    case LoadMailKind::progress: {
        const auto progress = read_mail<LoadProgress>(mail);
        publish_.on_progress(from, progress.publisher, progress.complete);
        break;
    }
    }
}

void LoadShard::on_command(const LoadCommand& command) {
    switch (command.kind) {
    case LoadCommandKind::open: begin_opening(command); break;
    case LoadCommandKind::publish: publish_.begin_phase(command); break;
    case LoadCommandKind::stop: publish_.stop(); break;
    case LoadCommandKind::measure: deliveries_.measure(); break;
    case LoadCommandKind::cut: cut_all(); break;
    case LoadCommandKind::leave: leave_all(); break;
    case LoadCommandKind::finish: finished_ = true; break;
    }
    ++totals_.commands_done;
}

void LoadShard::pass_on_progress() {
    deliveries_.take_advanced([&](uint32_t publisher, uint64_t complete) {
        const uint32_t to = publisher % plan_.options.shard_count;
        if (to == shard_) {
            publish_.on_progress(shard_, publisher, complete);
            return;
        }
        const LoadProgress progress{.publisher = publisher, .complete = complete};
        write_mail(mailbox_.reserve(to, sizeof(progress)), progress);
        mailbox_.post();
    });
}

void LoadShard::end_turn(Instant now) {
    pass_on_progress();
    publish_.end_turn(now);
    open_some(now);
    result_.totals.store(totals_);
}

void LoadShard::on_timer(TimerEntry& entry) {
    MR_ASSERT(&entry == &ping_timer_);
    ping_some();
    wheel_.start(ping_timer_, now_ + ping_tick);
}

// Every client is visited once in half of the keep-alive time, whatever else it has sent: one
// timer serves a million clients.
void LoadShard::ping_some() {
    const uint64_t ticks_per_round = std::max<int64_t>(
        1, Duration::s(plan_.options.keep_alive_s).to_ms() / 2 / ping_tick.to_ms());
    ping_credit_ += clients_.size();  // in parts of a client: so many a tick
    for (; ping_credit_ >= ticks_per_round; ping_credit_ -= ticks_per_round) {
        if (ping_next_ >= clients_.size()) ping_next_ = 0;
        Client& client = clients_[ping_next_++];
        if (client.state() != ClientState::ready) continue;
        const bool sent = send_packet(client, sizeof(mqtt::pingreq), [](ByteWriter& out) {
            out.bytes(mqtt::pingreq);
        });
        if (sent) ++totals_.pings_sent;
    }
}

}  // namespace millrace
