#include "broker/fanout.h"

#include <algorithm>

#include "base/probes.h"
#include "broker/tracer.h"

namespace millrace {

Fanout::Fanout(ShardContext& context, MessageStore& store, SessionTable& sessions,
               const SubscribeRequests& requests, ControlWriter& control)
    : context_(context),
      store_(store),
      sessions_(sessions),
      requests_(requests),
      control_(control),
      frames_(context, numbers_) {}

void Fanout::begin(const Message& message, uint32_t routed_by) {
    message_ = &message;
    routed_by_ = routed_by;
}

void Fanout::end() {
    frames_.release();
    if (stored_ != nullptr) store_.release(*stored_);
    stored_ = nullptr;
    message_ = nullptr;
}

void Fanout::deliver(const Message& message, std::span<const Filter* const> filters,
                     uint32_t routed_by) {
    if (filters.empty()) return;
    begin(message, routed_by);
    if (filters.size() == 1) {
        to_filter(*filters[0]);
    } else {
        to_overlapping(filters);
    }
    end();
}

void Fanout::to_filter(const Filter& filter) {
    // Receivers lie all over the memory: ask for the sessions and connections ahead of their turn.
    constexpr uint32_t session_ahead = 12;
    constexpr uint32_t connection_ahead = 6;
    const Subscriber* subscribers = filter.subscribers.begin();
    const uint32_t count = filter.subscribers.count();
    MR_PROBE(publish_matched, message_->topic.data(), message_->topic.size(), count);
    for (uint32_t index = 0; index < count; ++index) {
        if (index + session_ahead < count) {
            __builtin_prefetch(subscribers[index + session_ahead].session);
            __builtin_prefetch(subscribers[index + session_ahead].subscription);
        }
        if (index + connection_ahead < count) {
            const Connection* ahead = subscribers[index + connection_ahead].session->connection;
            if (ahead != nullptr) {  // null while the client is away
                __builtin_prefetch(ahead);
                __builtin_prefetch(reinterpret_cast<const char*>(ahead) + 64);
            }
        }
        to_subscriber(subscribers[index]);
    }
}

// By "no local" (3.8.3.1), or because the message was published before the subscription.
bool Fanout::is_excluded(const Subscriber& subscriber) const {
    const Session& session = *subscriber.session;
    if (subscriber.subscription->grant.no_local() && session.hash == message_->publisher) return true;
    return session.pending_count != 0 && routed_by_ != any_shard &&
           requests_.is_early(*subscriber.subscription, routed_by_);
}

void Fanout::to_subscriber(const Subscriber& subscriber) {
    if (is_excluded(subscriber)) return;
    const Grant grant = subscriber.subscription->grant;
    const uint32_t id = grant.identifier();
    to_session(*subscriber.session, {std::min(message_->qos, grant.qos()),
                         grant.retain_as_published() && message_->retain,
                         std::span<const uint32_t>(&id, id == 0 ? 0 : 1)});
}

// Several filters match. The largest is walked in place; the others' subscribers are sorted by
// session, so that the sessions in both are found by a search.
void Fanout::to_overlapping(std::span<const Filter* const> filters) {
    const Filter* largest = *std::max_element(
        filters.begin(), filters.end(), [](const Filter* a, const Filter* b) {
            return a->subscribers.count() < b->subscribers.count();
        });
    overlaps_.clear();
    overlap_ids_.assign(1, {});
    for (const Filter* filter : filters) {
        if (filter != largest) collect_overlaps(*filter);
    }
    const auto by_session = [](const Overlap& a, const Overlap& b) { return a.session < b.session; };
    std::sort(overlaps_.begin(), overlaps_.end(), by_session);
    merge_overlaps();
    for (const Subscriber& subscriber : largest->subscribers) {
        const Grant grant = subscriber.subscription->grant;
        const auto place = std::lower_bound(overlaps_.begin(), overlaps_.end(),
                                            Overlap{subscriber.session, {}, false, 0},
                                            by_session);
        if (place == overlaps_.end() || place->session != subscriber.session) {
            to_subscriber(subscriber);
            continue;
        }
        if (is_excluded(subscriber)) continue;
        place->qos = std::max(place->qos, grant.qos());
        place->retain_as_published |= grant.retain_as_published();
        add_id(*place, grant.identifier());
    }
    for (const Overlap& overlap : overlaps_) {
        to_session(*overlap.session, {std::min(message_->qos, overlap.qos),
                                      overlap.retain_as_published && message_->retain,
                                      ids_of(overlap)});
    }
}

void Fanout::collect_overlaps(const Filter& filter) {
    for (const Subscriber& subscriber : filter.subscribers) {
        if (is_excluded(subscriber)) continue;
        const Grant grant = subscriber.subscription->grant;
        Overlap overlap{subscriber.session, grant.qos(), grant.retain_as_published(), 0};
        add_id(overlap, grant.identifier());
        overlaps_.push_back(overlap);
    }
}

void Fanout::add_id(Overlap& overlap, uint32_t id) {
    if (id == 0) return;
    overlap_ids_.push_back({id, overlap.last_id});
    overlap.last_id = static_cast<uint32_t>(overlap_ids_.size() - 1);
}

std::span<const uint32_t> Fanout::ids_of(const Overlap& overlap) {
    ids_.clear();
    for (uint32_t place = overlap.last_id; place != 0; place = overlap_ids_[place].previous) {
        ids_.push_back(overlap_ids_[place].id);
    }
    return ids_;
}

// Neighbours of one session become one.
void Fanout::merge_overlaps() {
    size_t kept = 0;
    for (size_t index = 0; index < overlaps_.size(); ++index) {
        if (kept > 0 && overlaps_[kept - 1].session == overlaps_[index].session) {
            Overlap& into = overlaps_[kept - 1];
            const Overlap& from = overlaps_[index];
            into.qos = std::max(into.qos, from.qos);
            into.retain_as_published |= from.retain_as_published;
            // Neighbours come from several filters, one identifier each.
            if (from.last_id != 0) add_id(into, overlap_ids_[from.last_id].id);
        } else {
            overlaps_[kept++] = overlaps_[index];
        }
    }
    overlaps_.resize(kept);
}

void Fanout::deliver_shared(const Message& message, SharedGroup& group) {
    const uint32_t count = group.subscribers.count();
    if (count == 0) return;
    const Subscriber* members = group.subscribers.begin();
    const uint32_t turn = group.local_turn++;
    const uint32_t connected = group.connected[context_.self()];
    const Subscriber* chosen = &members[turn % (connected > 0 ? connected : count)];
    if (connected == 0) {   // one that leaves is better than one that is away
        for (uint32_t step = 0; step < count; ++step) {
            const Subscriber& member = members[(turn + step) % count];
            if (member.session->connection == nullptr) continue;
            chosen = &member;
            break;
        }
    }
    begin(message, any_shard);
    to_subscriber(*chosen);
    end();
}

void Fanout::deliver_retained(const Message& message, Session& session, Grant grant) {
    if (grant.no_local() && session.hash == message.publisher) return;
    const uint32_t id = grant.identifier();
    begin(message, context_.self());
    to_session(session, {std::min(message.qos, grant.qos()), true,
                         std::span<const uint32_t>(&id, id == 0 ? 0 : 1)});
    end();
}

void Fanout::deliver_direct(const Message& message, std::span<Session* const> receivers) {
    if (receivers.empty()) return;
    begin(message, any_shard);
    for (Session* session : receivers) to_session(*session, {message.qos, false, {}});
    end();
}

void Fanout::to_session(Session& session, const Delivery& delivery) {
    if (session.is_special) [[unlikely]] return to_special(session, delivery);
    to_receiver(session, delivery);
}

inline void Fanout::to_receiver(Session& session, const Delivery& delivery) {
    if (session.connection != nullptr) {
        if (delivery.qos == mqtt::Qos::at_most_once) {
            send_at_most_once(*session.connection, delivery);
        } else {
            send_acknowledged(session, delivery);
        }
    } else if (delivery.qos != mqtt::Qos::at_most_once) {
        wait(session, delivery);
    }
}

// One that moves, or is traced. Tells the trace of the bytes that this added to the receiver's ring,
// however they got there: those of one packet, beside what told of itself.
void Fanout::to_special(Session& session, const Delivery& delivery) {
    if (session.is_moving && routed_by_ != any_shard &&
        !session.extras->move->is_served_by(routed_by_)) {
        return;
    }
    if (!session.is_traced) return to_receiver(session, delivery);
    const Connection* connection = session.connection;
    const uint64_t bytes_before = connection == nullptr ? 0 : connection->out.bytes_queued();
    const uint64_t told_before = context_.tracer->bytes_out();
    to_receiver(session, delivery);
    if (connection == nullptr || connection->out.empty()) return;
    const uint64_t added = connection->out.bytes_queued() - bytes_before -
                           (context_.tracer->bytes_out() - told_before);
    const Bytes newest = connection->out.at(connection->out.slot_count() - 1).bytes();
    if (added == 0 || added > newest.size()) return;  // nothing, or more than one packet
    context_.tracer->packet_out(*connection, newest.last(added));
}

bool Fanout::has_room(const Connection& connection, uint32_t bytes) const {
    return connection.out.empty() || uint64_t{connection.out.bytes_queued()} + bytes <=
                                         context_.live->queues.send_bytes_max;
}

bool Fanout::push(Connection& connection, Slice slice) {
    if (!context_.outbox.send(connection, slice)) {
        drop(*mqtt_of(connection).session, Drop::exhausted, {});
        return false;
    }
    context_.counters.publishes_sent.add();
    MR_PROBE(packet_out, &connection,
             static_cast<uint8_t>(mqtt::PacketType::publish), slice.length);
    return true;
}

// The shared frame for this receiver; the slice is empty when there's no memory, or when the
// receiver has several subscription identifiers (then it's nobody else's, and not cached).
Frame Fanout::frame_for(Connection& connection, const Delivery& delivery, FrameVariant& variant,
                        TopicAliases::Alias& alias) {
    const MqttConnection& client = mqtt_of(connection);
    variant = {client.version, delivery.qos, delivery.retain, false, 0, 0};
    if (!client.is_v5()) return frames_.find_or_encode(*message_, variant);
    if (client.limits != nullptr && client.limits->outgoing_aliases > 0) {
        alias = aliases_.find_or_assign(message_->topic_hash, message_->topic);
        if (alias.number > client.limits->outgoing_aliases) alias = {};
        variant.topic_alias = alias.number;
        variant.topic_left_out =
            alias.number != 0 &&
            client.limits->known_generations[alias.number - 1] == alias.generation;
    }
    if (delivery.subscription_ids.size() > 1) {
        return {frames_.encode_single(*message_, {variant, delivery.subscription_ids, 0, false}), {}};
    }
    if (delivery.subscription_ids.size() == 1) variant.subscription_id = delivery.subscription_ids[0];
    return frames_.find_or_encode(*message_, variant);
}

void Fanout::send_at_most_once(Connection& connection, const Delivery& delivery) {
    FrameVariant variant;
    TopicAliases::Alias alias;
    const Frame frame = frame_for(connection, delivery, variant, alias);
    if (frame.slice.empty()) {
        drop(*mqtt_of(connection).session, Drop::exhausted, message_->topic);
    } else if (frame.slice.length > mqtt_of(connection).maximum_packet_bytes()) {
        drop(*mqtt_of(connection).session, Drop::too_large, message_->topic);
    } else if (!has_room(connection, frame.slice.length)) {
        drop(*mqtt_of(connection).session, Drop::slow_receiver, message_->topic);
    } else if (push(connection, frame.slice) && alias.number != 0) {
        mqtt_of(connection).limits->known_generations[alias.number - 1] = alias.generation;
    }
}

bool Fanout::window_open(const Session& session) const {
    const Inflight* inflight = session.extras == nullptr ? nullptr : &session.extras->inflight;
    const uint32_t open = inflight == nullptr ? 0 : inflight->count() - inflight->unsent_count();
    const uint32_t window = std::min<uint32_t>(mqtt_of(*session.connection).receive_maximum(),
                                               context_.live->queues.inflight_max);
    return open < window;
}

void Fanout::send_acknowledged(Session& session, const Delivery& delivery) {
    Connection& connection = *session.connection;
    const bool others_wait =
        session.extras != nullptr &&
        (!session.extras->waiting.empty() || session.extras->inflight.unsent_count() > 0);
    const bool must_wait = others_wait || !window_open(session) || !has_room(connection, 0);
    if (must_wait || delivery.subscription_ids.size() > 1) {
        if (wait(session, delivery) && must_wait) note_waits(session);
        if (!others_wait) send_waiting(session);
        return;
    }
    FrameVariant variant;
    TopicAliases::Alias alias;
    const Frame frame = frame_for(connection, delivery, variant, alias);
    if (!frame.slice.empty() && frame.slice.length > mqtt_of(connection).maximum_packet_bytes()) {
        drop(session, Drop::too_large, message_->topic);
        return;
    }
    SessionExtras* extras = sessions_.try_extras(session);
    if (frame.slice.empty() || extras == nullptr || !extras->inflight.is_free(frame.number)) {
        wait(session, delivery);   // gets a number of its own there
        send_waiting(session);
        return;
    }
    StoredMessage* kept = session.is_kept() ? stored(delivery) : nullptr;
    const auto state = delivery.qos == mqtt::Qos::at_least_once
                           ? InflightEntry::State::awaiting_puback
                           : InflightEntry::State::awaiting_pubrec;
    const uint32_t id = delivery.subscription_ids.empty() ? 0 : delivery.subscription_ids[0];
    const InflightEntry entry{kept,  frame.number.sequence, id, frame.number.packet_id(),
                              state, false,                 delivery.retain, false};
    if (!extras->inflight.push(context_.heap, entry)) {
        if (kept != nullptr) store_.release(*kept);
        drop(session, Drop::exhausted, message_->topic);
        return;
    }
    if (!push(connection, frame.slice)) {
        finish(*extras, *extras->inflight.find(entry.packet_id));
        sessions_.drop_extras_if_unused(session);
        return;
    }
    if (alias.number != 0) {
        mqtt_of(connection).limits->known_generations[alias.number - 1] = alias.generation;
    }
}

void Fanout::finish(SessionExtras& extras, InflightEntry& entry) {
    if (entry.message != nullptr) store_.release(*entry.message);
    entry.message = nullptr;
    extras.inflight.finish(context_.heap, entry);
}

// A counted reference to the message at hand, written down once for all that need it. What has
// several identifiers is one receiver's own.
StoredMessage* Fanout::stored(const Delivery& delivery) {
    if (delivery.subscription_ids.size() > 1) {
        Message own = *message_;
        own.properties.subscription_ids.values = delivery.subscription_ids;
        return store_.try_store(own);
    }
    if (stored_ == nullptr) stored_ = store_.try_store(*message_);
    if (stored_ != nullptr) MessageStore::hold(*stored_);
    return stored_;
}

// False: it was dropped.
bool Fanout::wait(Session& session, const Delivery& delivery) {
    StoredMessage* message = stored(delivery);
    SessionExtras* extras = message == nullptr ? nullptr : sessions_.try_extras(session);
    if (extras == nullptr) {
        if (message != nullptr) store_.release(*message);
        drop(session, Drop::exhausted, message_->topic);
        return false;
    }
    const QueueLimits& limits = context_.live->queues;
    const uint32_t id = delivery.subscription_ids.size() == 1 ? delivery.subscription_ids[0] : 0;
    if (extras->waiting.would_exceed(limits.session_messages_max, limits.session_bytes_max,
                                     message->canonical_length) ||
        !extras->waiting.push(context_.heap, {message, id, delivery.qos, delivery.retain})) {
        store_.release(*message);
        sessions_.drop_extras_if_unused(session);
        drop(session, Drop::queue_full, message_->topic);
        return false;
    }
    context_.counters.waiting_messages.add();
    if (session.is_traced) {
        context_.tracer->on_message(session, TraceKind::queued, message_->topic, {});
    }
    return true;
}

}  // namespace millrace
