// What leaves a session later: messages that waited, and what a reconnection sends again.
#include <algorithm>

#include "broker/fanout.h"
#include "broker/tracer.h"

namespace millrace {

void Fanout::send_waiting(Session& session) {
    SessionExtras* extras = session.extras;
    if (extras == nullptr || session.connection == nullptr) return;
    while (extras->inflight.unsent_count() > 0 && window_open(session)) {
        resend(session, extras->inflight.take_unsent());
    }
    if (extras->inflight.unsent_count() == 0) {
        while (!extras->waiting.empty() && send_one_waiting(session, *extras)) {
        }
    }
    sessions_.drop_extras_if_unused(session);
}

// False when nothing more can go now.
bool Fanout::send_one_waiting(Session& session, SessionExtras& extras) {
    Connection& connection = *session.connection;
    if (!window_open(session)) return false;  // an acknowledgement will come
    const QueuedMessage& front = extras.waiting.front();
    if (!has_room(connection, front.message->canonical_length)) {
        connection.tell_when_drained = true;
        return false;
    }
    const QueuedMessage next = extras.waiting.pop(context_.heap);
    context_.counters.waiting_messages.subtract();
    if (next.message->expired(context_.now)) {
        drop(session, Drop::expired, next.message->read().topic);
        store_.release(*next.message);
        return true;
    }
    PacketNumber number = numbers_.next();
    while (!extras.inflight.is_free(number)) number = numbers_.next();
    const Message message = next.message->read();
    FrameCache::Single single;
    single.variant = {mqtt_of(connection).version, next.qos, next.retain, false, 0, 0};
    single.packet_id = number.packet_id();
    if (next.subscription_id != 0) single.subscription_ids = {&next.subscription_id, 1};
    const Slice slice = frames_.encode_single(message, single);
    const bool too_large = slice.length > mqtt_of(connection).maximum_packet_bytes();
    const auto state = next.qos == mqtt::Qos::at_least_once ? InflightEntry::State::awaiting_puback
                                                            : InflightEntry::State::awaiting_pubrec;
    StoredMessage* kept = session.is_kept() ? next.message : nullptr;
    const InflightEntry entry{kept,  number.sequence, next.subscription_id, number.packet_id(),
                              state, false,           next.retain, false};
    if (slice.empty() || too_large || !extras.inflight.push(context_.heap, entry)) {
        drop(session, too_large ? Drop::too_large : Drop::exhausted, message.topic);
        store_.release(*next.message);
        return true;
    }
    if (kept == nullptr) store_.release(*next.message);
    if (!push(connection, slice)) {
        finish(extras, *extras.inflight.find(number.packet_id()));
    } else if (session.is_traced) {
        context_.tracer->packet_out(connection, slice.bytes());
    }
    return true;
}

// One entry of before the reconnection (4.4).
void Fanout::resend(Session& session, InflightEntry& entry) {
    Connection& connection = *session.connection;
    const mqtt::Version version = mqtt_of(connection).version;
    if (entry.state == InflightEntry::State::awaiting_pubcomp) {
        control_.send_ack(connection, version, mqtt::PacketType::pubrel,
                          {.packet_id = entry.packet_id});
        return;
    }
    if (entry.message == nullptr) return;
    const Message message = entry.message->read();
    const bool once = entry.state == InflightEntry::State::awaiting_pubrec;
    FrameCache::Single single;
    single.variant = {version, once ? mqtt::Qos::exactly_once : mqtt::Qos::at_least_once,
                      entry.retain, false, 0, 0};
    if (entry.subscription_id != 0) single.subscription_ids = {&entry.subscription_id, 1};
    single.packet_id = entry.packet_id;
    single.duplicate = true;
    const Slice slice = frames_.encode_single(message, single);
    if (!slice.empty() && slice.length <= mqtt_of(connection).maximum_packet_bytes()) {
        if (push(connection, slice) && session.is_traced) {
            context_.tracer->packet_out(connection, slice.bytes());
        }
    }
}

void Fanout::resend_inflight(Session& session) {
    if (session.extras == nullptr) return;
    session.extras->inflight.mark_all_unsent();
    send_waiting(session);
}

}  // namespace millrace
