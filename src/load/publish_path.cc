#include "load/publish_path.h"

#include <algorithm>

#include "load/publish_wire.h"
#include "runtime/clock.h"

namespace millrace {

PublishPath::PublishPath(const LoadPlan& plan, uint32_t shard, const PayloadPattern& pattern,
                         Outbox& outbox, BlockStream& stream, LoadTotals& totals)
    : plan_(plan),
      pattern_(pattern),
      outbox_(outbox),
      stream_(stream),
      totals_(totals),
      shard_(shard),
      version_(static_cast<mqtt::Version>(plan.options.mqtt_version)),
      qos_(plan.options.qos),
      closed_loop_(plan.closed_loop()) {
    const uint32_t count = plan.local_count(plan.publisher_count, shard);
    publishers_.reserve(count);
    line_.reserve(count);
    served_.reserve(count);
}

void PublishPath::add(Client& client) {
    Publisher& publisher = publishers_.emplace_back();
    publisher.client = &client;
    publisher.number = client.number - plan_.subscriber_count;
    MR_ASSERT(client.local + 1 == publishers_.size());
    if (!closed_loop_) return;
    for (uint32_t shard = 0; shard < plan_.options.shard_count; ++shard) {
        const bool receives = plan_.local_receivers(publisher.number, shard) > 0;
        completes_.push_back(receives ? 0 : UINT64_MAX);
    }
}

void PublishPath::on_ready(Client& client, uint16_t receive_maximum) {
    if (qos_ == 0) return;
    // Acknowledgements may come later than the deliveries that a closed loop waits for.
    const uint32_t wanted =
        closed_loop_ ? std::max<uint32_t>(64, 2 * plan_.options.window_count) : 4'096;
    publishers_[client.local].packets.reset(std::min<uint32_t>(wanted, receive_maximum));
}

void PublishPath::on_gone(Client& client) {
    Publisher& publisher = publishers_[client.local];
    publisher.limit = publisher.sent;
    publisher.due = publisher.sent;
    finish(publisher);
}

void PublishPath::begin_phase(const LoadCommand& command) {
    totals_.phase = command.phase;
    totals_.publishers_finished = 0;
    totals_.first_published_ns = 0;
    for (Publisher& publisher : publishers_) {
        publisher.finished = false;
        publisher.phase_first = publisher.sent;
        publisher.limit = publisher.sent;
        publisher.due = publisher.sent;
        if (publisher.client->state() == ClientState::ready) {
            publisher.limit = command.messages == 0
                                  ? UINT64_MAX
                                  : publisher.sent + plan_.share(command.messages,
                                                                 publisher.number);
        }
        if (closed_loop_) {
            publisher.due =
                std::min(publisher.limit, publisher.complete + plan_.options.window_count);
        }
        if (publisher.sent == publisher.limit) finish(publisher);
        else stand_in_line(publisher);
    }
    if (closed_loop_) return;
    schedule_ = PublishSchedule({
        .start = Instant{command.instant_ns},
        .rate = plan_.options.rate,
        .message_count = command.messages,
        .publisher_count = plan_.publisher_count,
        .shard = shard_,
        .shard_count = plan_.options.shard_count,
        .local_publisher_count = static_cast<uint32_t>(publishers_.size()),
    });
}

void PublishPath::stop() {
    schedule_ = PublishSchedule();
    for (Publisher& publisher : publishers_) {
        publisher.limit = publisher.sent;
        publisher.due = publisher.sent;
        finish(publisher);
    }
}

void PublishPath::finish(Publisher& publisher) {
    if (publisher.finished) return;
    publisher.finished = true;
    ++totals_.publishers_finished;
}

void PublishPath::stand_in_line(Publisher& publisher) {
    if (publisher.waiting_in_line || publisher.sent >= publisher.due) return;
    publisher.waiting_in_line = true;
    line_.push_back(publisher.client->local);
}

void PublishPath::on_progress(uint32_t from_shard, uint32_t number, uint64_t complete) {
    const uint32_t shard_count = plan_.options.shard_count;
    const uint32_t local = number / shard_count;
    uint64_t* const completes = &completes_[uint64_t{local} * shard_count];
    completes[from_shard] = complete;
    Publisher& publisher = publishers_[local];
    publisher.complete = *std::min_element(completes, completes + shard_count);
    publisher.due = std::max(
        publisher.due, std::min(publisher.limit, publisher.complete + plan_.options.window_count));
    stand_in_line(publisher);
}

void PublishPath::end_flow(Publisher& publisher, bool refused) {
    ++totals_.acknowledged;
    if (refused) ++totals_.publishes_refused;
    stand_in_line(publisher);
}

bool PublishPath::on_puback(Client& client, uint16_t packet_id, bool refused) {
    Publisher& publisher = publishers_[client.local];
    using Step = PacketWindow::Step;
    if (!publisher.packets.move(packet_id, Step::puback, Step::idle)) return false;
    end_flow(publisher, refused);
    return true;
}

bool PublishPath::on_pubrec(Client& client, uint16_t packet_id, bool refused) {
    Publisher& publisher = publishers_[client.local];
    using Step = PacketWindow::Step;
    const Step next = refused ? Step::idle : Step::pubcomp;
    if (!publisher.packets.move(packet_id, Step::pubrec, next)) return false;
    if (refused) end_flow(publisher, true);
    return true;
}

bool PublishPath::on_pubcomp(Client& client, uint16_t packet_id) {
    Publisher& publisher = publishers_[client.local];
    using Step = PacketWindow::Step;
    if (!publisher.packets.move(packet_id, Step::pubcomp, Step::idle)) return false;
    end_flow(publisher, false);
    return true;
}

void PublishPath::end_turn(Instant now) {
    while (schedule_.next_due() <= now) {
        Publisher& publisher = publishers_[schedule_.take()];
        if (publisher.due < publisher.limit) ++publisher.due;
        stand_in_line(publisher);
    }
    if (line_.empty()) return;
    line_.swap(served_);
    uint32_t bytes_left = turn_bytes_max;
    for (const uint32_t local : served_) {
        Publisher& publisher = publishers_[local];
        publisher.waiting_in_line = false;
        if (send_batch(publisher, bytes_left) == Sent::more) stand_in_line(publisher);
    }
    served_.clear();
}

PublishPath::Sent PublishPath::send_batch(Publisher& publisher, uint32_t& bytes_left) {
    if (publisher.sent >= publisher.due) return Sent::done;
    if (bytes_left == 0) return Sent::more;
    Connection& connection = *publisher.client->connection;
    const int64_t now_ns = closed_loop_ ? monotonic_now().nanoseconds : 0;
    for (uint32_t count = 0; publisher.sent < publisher.due; ++count) {
        if (count == batch_count_max || bytes_left == 0) return Sent::more;
        if (qos_ > 0 && !publisher.packets.can_take()) return Sent::blocked;
        const int64_t sent_at_ns =
            closed_loop_ ? now_ns
                         : schedule_.due_of(publisher.number,
                                            publisher.sent - publisher.phase_first).nanoseconds;
        const bool is_full = connection.out.bytes_queued() >= queued_bytes_max;
        if (is_full || !send_one(publisher, sent_at_ns)) {
            // Without anything queued it is the shard's memory that ran out: look again.
            if (connection.out.empty()) return Sent::more;
            connection.tell_when_drained = true;
            return Sent::blocked;
        }
        bytes_left -= std::min(bytes_left, packet_bytes_);
    }
    if (publisher.sent == publisher.limit) finish(publisher);
    return Sent::done;
}

bool PublishPath::send_one(Publisher& publisher, int64_t sent_at_ns) {
    NameBuffer topic;
    plan_.publish_topic(topic, publisher.number);
    PublishHead head{version_, topic.text(), qos_, 0, pattern_.payload_bytes()};
    packet_bytes_ = head.packet_bytes();
    const std::span<uint8_t> room = stream_.try_reserve(packet_bytes_);
    if (room.empty()) return false;
    if (qos_ > 0) {
        using Step = PacketWindow::Step;
        head.packet_id = publisher.packets.take(qos_ == 1 ? Step::puback : Step::pubrec);
    }
    ByteWriter writer(room);
    write_publish_head(writer, head);
    pattern_.fill(writer.position(), {sent_at_ns, publisher.sent, publisher.number});
    if (!outbox_.send(*publisher.client->connection, stream_.commit(packet_bytes_))) {
        if (qos_ > 0) publisher.packets.put_back();
        return false;
    }
    if (totals_.first_published_ns == 0) {
        totals_.first_published_ns = static_cast<uint64_t>(sent_at_ns);
    }
    ++publisher.sent;
    ++totals_.published;
    return true;
}

}  // namespace millrace
