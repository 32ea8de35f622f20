#include "broker/inspect/top.h"

#include "broker/broker.h"

namespace millrace {

bool TopListCopy::step(Broker& broker) {
    TopLists& lists = *broker.inside().context.top_lists;
    const Instant now = broker.inside().context.now;
    list_ = of_ == Of::topics ? lists.topics(now) : lists.receivers(now);
    return true;
}

bool SubscriberCounts::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    for (size_t left = names_per_step; left > 0 && counts_.size() < topics_->size(); --left) {
        const std::string& topic = (*topics_)[counts_.size()];
        uint64_t count = 0;
        if (const ExactFilter* exact = inside.index.find_exact(inside.context.hash(topic), topic)) {
            count += exact->subscribers.count();
        }
        inside.index.match(topic, [&](const ReplicatedFilter& filter) {
            count += filter.subscribers.count();
            // A group's messages go to one of its members.
            for (const SharedGroup* group = filter.groups; group != nullptr; group = group->next) {
                count += group->subscribers.count() > 0 ? 1 : 0;
            }
        });
        counts_.push_back(count);
    }
    return counts_.size() == topics_->size();
}

bool ReceiverStates::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    for (size_t left = names_per_step; left > 0 && states_.size() < client_ids_->size(); --left) {
        State& state = states_.emplace_back();
        const Session* session = inside.find_session((*client_ids_)[states_.size() - 1]);
        if (session == nullptr || inside.is_on_its_way(*session)) continue;
        state.is_here = true;
        state.is_connected = session->connection != nullptr;
        if (state.is_connected) state.queued_bytes = session->connection->out.bytes_queued();
        if (session->extras != nullptr) state.waiting_messages = session->extras->waiting.count();
    }
    return states_.size() == client_ids_->size();
}

bool AdoptTraces::step(Broker& broker) {
    broker.adopt_traces(list_);
    return true;
}

}  // namespace millrace
