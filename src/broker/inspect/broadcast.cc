#include "broker/inspect/broadcast.h"

#include "broker/broker.h"
#include "broker/inspect/inside.h"

namespace millrace {

bool Broadcast::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    receivers_.clear();
    bool is_over = walk_.step(inside.sessions, [&](Session& session) {
        const bool is_meant = session.connection != nullptr &&
                              session.client_id().starts_with(text_->prefix) &&
                              mqtt_of(*session.connection).state == MqttConnection::State::connected;
        if (is_meant) receivers_.push_back(&session);
        return Taken::done;
    });
    Message message;
    message.topic = text_->topic;
    message.payload = text_->payload;
    message.qos = text_->qos;
    message.topic_hash = inside.context.hash(text_->topic);
    inside.fanout.deliver_direct(message, receivers_);
    client_count_ += receivers_.size();
    // A walk pauses for whoever waits for a page; this one goes on to the end.
    if (is_over && walk_.rest()) {
        walk_ = SessionWalk(*walk_.rest());
        is_over = false;
    }
    return is_over;
}

}  // namespace millrace
