#include "broker/inspect/topics.h"

#include <algorithm>

#include "broker/broker.h"

namespace millrace {
namespace {

TopicRow row_of(const ShardContext& context, const Filter& filter) {
    std::string scratch;
    const std::string_view text = SubscriptionIndex::text_of(filter, scratch);
    return {std::string(text), filter.kind, context.self(), filter.subscribers.count()};
}

// The filter itself, if it has subscribers here, and its groups that have members here.
template <class Visit>
void for_each_subscribed(const ReplicatedFilter& filter, Visit&& visit) {
    if (filter.subscribers.count() > 0) visit(filter);
    uint32_t left = groups_listed_max;
    for (const SharedGroup* group = filter.groups; group != nullptr && left > 0;
         group = group->next, --left) {
        if (group->subscribers.count() > 0) visit(*group);
    }
}

}  // namespace

TopicsPage::TopicsPage(Rest from, std::optional<Filter::Kind> kind, uint32_t rows_max)
    : at_(from), kind_(kind), rows_max_(rows_max) {
    const bool wants_exact = !kind_ || *kind_ == Filter::Kind::exact;
    if (at_.is_exact && !wants_exact) at_ = {false, 0, 0};
}

void TopicsPage::note(uint64_t place, const Filter& filter) {
    if (place >= at_.place && (!kind_ || filter.kind == *kind_)) found_.push_back({place, &filter});
}

uint64_t TopicsPage::collect(SubscriptionIndex& index) {
    found_.clear();
    uint64_t next = 0;
    if (at_.is_exact) {
        next = index.for_each_exact_at(at_.place, [&](uint64_t place, const ExactFilter& filter) {
            note(place, filter);
        });
    } else {
        next = index.for_each_replicated_at(
            at_.place, [&](uint64_t place, const ReplicatedFilter& filter) {
                for_each_subscribed(filter, [&](const Filter& one) { note(place, one); });
            });
    }
    // Those of one place stay in their order.
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Found& a, const Found& b) { return a.place < b.place; });
    return next;
}

// What was collected; false when the page is full.
bool TopicsPage::take(const BrokerInside& inside, uint64_t next) {
    uint64_t place = at_.place;
    uint32_t number = 0;   // among those of its place
    for (const Found& found : found_) {
        if (found.place != place) number = 0;
        place = found.place;
        if (place == at_.place && number++ < at_.taken) continue;
        if (rows_.size() == rows_max_ || text_.room() == Taken::full) return false;
        if (place != at_.place) {
            at_.taken = 0;
            number = 1;
        }
        at_.place = place;
        ++at_.taken;
        rows_.push_back(row_of(inside.context, *found.filter));
        text_.add(rows_.back().filter.size());
    }
    at_.place = next;
    at_.taken = 0;
    return true;
}

bool TopicsPage::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    text_.begin_step();
    for (uint32_t left = elements_per_step; left > 0 && text_.room() == Taken::done;) {
        const uint64_t next = collect(inside.index);
        if (!take(inside, next)) return true;
        if (next == 0) {
            is_at_end_ = !at_.is_exact || (kind_ && *kind_ == Filter::Kind::exact);
            if (is_at_end_) return true;
            at_ = {false, 0, 0};
        }
        const auto looked = static_cast<uint32_t>(found_.size()) + 1;
        looked_ += looked;
        if (looked_ >= looks_per_page_max) return true;
        left -= std::min(left, looked);
    }
    return text_.room() == Taken::full;
}

bool TopicLookup::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    const uint64_t hash = inside.context.hash(topic_);
    const auto add = [&](const Filter& filter) {
        if (rows_.size() < rows_max) rows_.push_back(row_of(inside.context, filter));
    };
    if (const ExactFilter* exact = inside.index.find_exact(hash, topic_)) add(*exact);
    inside.index.match(topic_, [&](const ReplicatedFilter& filter) {
        for_each_subscribed(filter, add);
    });
    is_home_ = inside.context.home_of(hash) == inside.context.self();
    if (const StoredMessage* kept = inside.retained.find(topic_)) {
        const Message message = kept->read();
        retained_ = Retained{static_cast<uint32_t>(message.payload.size()), message.qos};
    }
    return true;
}

}  // namespace millrace
