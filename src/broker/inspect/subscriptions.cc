#include "broker/inspect/subscriptions.h"

#include "broker/broker.h"

namespace millrace {

const Subscription* SubscriptionReader::next(const BrokerInside& inside, const Session& session) {
    const Subscription* next = session.subscriptions;
    if (!read_.last.empty()) {
        const Subscription* last = inside.index.find(session, read_.last);
        is_lost_ = is_lost_ || last == nullptr;
        return last == nullptr ? nullptr : last->next;
    }
    for (uint32_t left = read_.count; left > 0 && next != nullptr; --left) next = next->next;
    return next;
}

Taken SubscriptionReader::take(const BrokerInside& inside, const Session& session,
                               uint32_t rows_max, std::vector<SubscriptionRow>& rows) {
    std::string scratch;
    uint32_t left = ShardTask::elements_per_step;
    for (const Subscription* own = next(inside, session); own != nullptr; own = own->next) {
        if (rows.size() == rows_max) return Taken::full;
        if (left-- == 0) return Taken::again;
        if (const Taken room = text_.room(); room != Taken::done) return room;
        const std::string_view filter = SubscriptionIndex::text_of(*own->filter, scratch);
        text_.add(session.client_id().size() + filter.size());
        rows.push_back({std::string(session.client_id()), std::string(filter), own->grant});
        read_.last = filter.size() <= last_bytes_max ? filter : "";
        ++read_.count;
    }
    start_over();
    return Taken::done;
}

bool ClientSubscriptions::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    const Session* session = inside.find_session(client_id_);
    is_found_ = session != nullptr && !inside.is_on_its_way(*session);
    if (!is_found_) return true;
    reader_.begin_step();
    const Taken taken = reader_.take(inside, *session, rows_max_, rows_);
    is_full_ = taken == Taken::full;
    return taken != Taken::again;
}

std::optional<SubscriptionsRead> ClientSubscriptions::rest() const {
    return is_full_ ? std::optional(reader_.read()) : std::nullopt;
}

bool SubscriptionsPage::step(Broker& broker) {
    const BrokerInside inside = broker.inside();
    reader_.begin_step();
    return walk_.step(inside.sessions, [&](const Session& session) {
        if (inside.is_on_its_way(session)) return Taken::done;
        // The session in which the page before ended may have gone.
        const uint64_t place = SessionTable::place_of(session);
        if (place != reader_place_) reader_.start_over();
        reader_place_ = place;
        return reader_.take(inside, session, rows_max_, rows_);
    });
}

std::optional<SubscriptionsPage::Rest> SubscriptionsPage::rest() const {
    const auto place = walk_.rest();
    return place ? std::optional<Rest>({*place, reader_.read()}) : std::nullopt;
}

}  // namespace millrace
