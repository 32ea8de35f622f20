// A session moves to the shard on which its client has come back (design: the session registry).
//
// Nothing published meanwhile may be lost, or delivered twice. So the topics' home shards decide,
// each at one moment, from when on the new shard is delivered to, and mark that moment in the
// mail to the old one:
//
//   holder ── move_state ──► claimant            the subscriptions
//   claimant ── move_interest ──► every home     delivers to the claimant from now on ...
//   every home ── move_marker ──► holder         ... and what follows this isn't for the session
//   every home ── move_marker ──► claimant       ... and what follows this is; it waits
//   holder ── move_rest ──► claimant             after its last marker: what is in flight and what
//                                                waits, all of it older than what waits there
//
// (A home may deliver to the claimant before its marker too, for other subscribers of a filter.)
#include <bit>

#include "broker/broker.h"
#include "broker/parcel.h"

namespace millrace {

void Broker::on_yield(Bytes bytes) {
    Bytes rest;
    const ClaimMail claim = read_mail<ClaimMail>(bytes, rest);
    const std::string client_id(as_text(rest));
    Session* session = sessions_.find(claim.hash, client_id);
    if (session != nullptr && session->connection != nullptr) {
        context_.counters.takeovers.add();
        disconnect_client(*session->connection, mqtt::Reason::session_taken_over,
                          CloseReason::local);
        session = sessions_.find(claim.hash, client_id);
    }
    if (session != nullptr && (claim.clean_start || sessions_.try_extras(*session) == nullptr)) {
        end_session(*session);
        session = nullptr;
    }
    if (session != nullptr) {
        begin_move(*session, claim);
    } else {
        post_.post(claim.claimant, MoveMail{MailKind::move_state, false, 0, claim.ticket,
                                            context_.self(), 0});
    }
    ClaimMail done = claim;
    done.kind = MailKind::yield_done;
    done.still_known = session == nullptr && sessions_.knows_hash(claim.hash);
    post_.post_text(context_.home_of(claim.hash), done, client_id);
}

void Broker::begin_move(Session& session, const ClaimMail& claim) {
    context_.counters.session_moves.add();
    context_.wheel.stop(session.extras->timer);
    sessions_.drop_will(session);  // the client has come back in time
    requests_.forget(session);
    session.set_moving(true);
    session.extras->move =
        new SessionMove{++last_move_, claim.claimant, claim.ticket, ~uint64_t{0}};
    departing_.emplace(last_move_, &session);

    ParcelWriter parcel;
    parcel.put(session.expiry_s);
    parcel.put(uint32_t{session.subscription_count});
    std::string scratch;
    for (const Subscription* own = session.subscriptions; own != nullptr; own = own->next) {
        parcel.put(own->grant);
        parcel.put_bytes(as_bytes(SubscriptionIndex::text_of(*own->filter, scratch)));
    }
    post_.post(claim.claimant,
               MoveMail{MailKind::move_state, true, 0, claim.ticket, context_.self(), last_move_},
               parcel.bytes());
}

void Broker::on_move_state(uint32_t from, Bytes bytes) {
    Bytes rest;
    const MoveMail mail = read_mail<MoveMail>(bytes, rest);
    MR_ASSERT(mail.holder == from);
    if (!mail.found) {
        finish_claim(mail.ticket, false);
        return;
    }
    PendingClaim& claim = claims_.at(mail.ticket);
    claim.arriving = sessions_.try_make(claim.hash, claim.client_id);
    if (claim.arriving != nullptr && sessions_.try_extras(*claim.arriving) == nullptr) {
        sessions_.destroy(*claim.arriving);
        claim.arriving = nullptr;
    }
    if (claim.arriving != nullptr) {
        claim.arriving->set_moving(true);
        claim.arriving->extras->move = new SessionMove{mail.move, context_.self(), mail.ticket, 0};
        if (tracer_.has_clients()) tracer_.on_session(*claim.arriving);
        restore_state(*claim.arriving, rest);
    }
    // Without memory for it the session is lost, but the holder is waiting for its markers.
    announce_moved(claim.arriving, mail);
}

void Broker::restore_state(Session& session, Bytes bytes) {
    ParcelReader parcel(bytes);
    session.expiry_s = parcel.take<uint32_t>();
    for (uint32_t left = parcel.take<uint32_t>(); left > 0; --left) {
        const Grant grant = parcel.take<Grant>();
        const std::string_view text = as_text(parcel.take_bytes());
        if (index_.add(session, text, grant).added == SubscriptionIndex::Added::exhausted) {
            context_.counters.dropped_exhausted.add();
        }
    }
}

// Tells each home shard which filters to deliver here.
void Broker::announce_moved(const Session* session, const MoveMail& state) {
    std::vector<ParcelWriter> parcels(context_.shard_count());
    std::string scratch;
    for (const Subscription* own = session == nullptr ? nullptr : session->subscriptions;
         own != nullptr; own = own->next) {
        const Bytes text = as_bytes(SubscriptionIndex::text_of(*own->filter, scratch));
        switch (own->filter->kind) {
        case Filter::Kind::exact:
            parcels[context_.home_of(context_.hash(as_text(text)))].put_bytes(text);
            break;
        case Filter::Kind::wildcard:
            for (ParcelWriter& parcel : parcels) parcel.put_bytes(text);
            break;
        case Filter::Kind::shared:
            router_.announce_members(static_cast<SharedGroup&>(*own->filter), 0);
            break;
        }
    }
    const MoveMail mail{MailKind::move_interest, true, 0, state.ticket, state.holder, state.move};
    for (uint32_t home = 0; home < context_.shard_count(); ++home) {
        post_.post(home, mail, parcels[home].bytes());
    }
}

void Broker::on_move_interest(uint32_t from, Bytes bytes) {
    Bytes rest;
    const MoveMail mail = read_mail<MoveMail>(bytes, rest);
    for (ParcelReader parcel(rest); !parcel.empty();) {
        const std::string_view text = as_text(parcel.take_bytes());
        if (!mqtt::has_wildcard(text)) {
            router_.note_interest(from, context_.hash(text), true);
        } else if (from != context_.self() && !index_.set_remote(from, text, true)) {
            context_.counters.dropped_exhausted.add();
        }
    }
    const MoveMail marker{MailKind::move_marker, true, 0, mail.ticket, mail.holder, mail.move};
    post_.post(mail.holder, marker);
    post_.post(from, marker);
}

void Broker::on_move_marker(uint32_t from, Bytes bytes) {
    Bytes rest;
    const MoveMail mail = read_mail<MoveMail>(bytes, rest);
    const uint64_t bit = uint64_t{1} << from;
    const int shard_count = static_cast<int>(context_.shard_count());
    if (mail.holder == context_.self()) {
        Session& session = *departing_.at(mail.move);
        session.extras->move->served_by &= ~bit;
        if (std::popcount(~session.extras->move->served_by) == shard_count) finish_move(session);
        return;
    }
    PendingClaim& claim = claims_.at(mail.ticket);
    ++claim.markers;
    if (claim.arriving != nullptr) claim.arriving->extras->move->served_by |= bit;
    finish_arrival(mail.ticket);
}

namespace {

void put_message(ParcelWriter& parcel, const StoredMessage& message) {
    parcel.put(message.expires);
    parcel.put(message.publisher);
    parcel.put_bytes(message.canonical());
}

StoredMessage* take_message(ParcelReader& parcel, MessageStore& store) {
    const Instant expires = parcel.take<Instant>();
    const uint64_t publisher = parcel.take<uint64_t>();
    return store.try_store_canonical(parcel.take_bytes(), expires, publisher);
}

}  // namespace

void Broker::finish_move(Session& session) {
    SessionExtras& extras = *session.extras;
    ParcelWriter parcel;
    parcel.put(extras.received_qos2.count());
    for (const uint16_t id : extras.received_qos2.ids()) parcel.put(id);
    parcel.put(extras.inflight.count());
    extras.inflight.for_each([&](InflightEntry& entry) {
        InflightEntry copy = entry;
        copy.message = nullptr;
        parcel.put(copy);
        parcel.put(entry.message != nullptr);
        if (entry.message != nullptr) put_message(parcel, *entry.message);
    });
    parcel.put(extras.waiting.count());
    for (uint32_t index = 0; index < extras.waiting.count(); ++index) {
        const QueuedMessage& queued = extras.waiting.at(index);
        parcel.put(QueuedMessage{nullptr, queued.subscription_id, queued.qos, queued.retain});
        put_message(parcel, *queued.message);
    }
    const SessionMove move = *extras.move;
    departing_.erase(move.move);
    while (session.subscriptions != nullptr) remove_subscription(session, *session.subscriptions);
    sessions_.destroy(session);
    post_.post(move.claimant, MoveMail{MailKind::move_rest, true, 0, move.ticket, context_.self(),
                                       move.move},
               parcel.bytes());
}

void Broker::on_move_rest(Bytes bytes) {
    Bytes rest;
    const MoveMail mail = read_mail<MoveMail>(bytes, rest);
    PendingClaim& claim = claims_.at(mail.ticket);
    claim.has_rest = true;
    if (claim.arriving != nullptr) restore_rest(*claim.arriving, rest);
    finish_arrival(mail.ticket);
}

// When the state is whole and every home shard delivers here.
void Broker::finish_arrival(uint32_t ticket) {
    PendingClaim& claim = claims_.at(ticket);
    if (!claim.has_rest || claim.markers < context_.shard_count()) return;
    Session* session = claim.arriving;
    if (session != nullptr) {
        session->set_moving(false);
        delete session->extras->move;
        session->extras->move = nullptr;
        // Nobody to attach it to any more: it waits for its client like any other.
        if (claim.connection == nullptr) start_session_timer(*session);
    }
    finish_claim(ticket, session == nullptr);
}

void Broker::restore_rest(Session& session, Bytes bytes) {
    ParcelReader parcel(bytes);
    SessionExtras* extras = session.extras;
    for (uint32_t left = parcel.take<uint32_t>(); left > 0; --left) {
        extras->received_qos2.insert(context_.heap, parcel.take<uint16_t>());
    }
    for (uint32_t left = parcel.take<uint32_t>(); left > 0; --left) {
        InflightEntry entry = parcel.take<InflightEntry>();
        entry.foreign = true;  // numbered by another shard's counter
        if (parcel.take<bool>()) entry.message = take_message(parcel, store_);
        if (!extras->inflight.push(context_.heap, entry)) {
            if (entry.message != nullptr) store_.release(*entry.message);
            context_.counters.dropped_exhausted.add();
        }
    }
    // What has come here already is younger than what comes now.
    std::vector<QueuedMessage> younger;
    while (!extras->waiting.empty()) younger.push_back(extras->waiting.pop(context_.heap));
    context_.counters.waiting_messages.subtract(younger.size());
    const auto push = [&](const QueuedMessage& queued) {
        if (queued.message == nullptr) return;
        if (extras->waiting.push(context_.heap, queued)) {
            context_.counters.waiting_messages.add();
        } else {
            store_.release(*queued.message);
            context_.counters.dropped_exhausted.add();
        }
    };
    for (uint32_t left = parcel.take<uint32_t>(); left > 0; --left) {
        QueuedMessage queued = parcel.take<QueuedMessage>();
        queued.message = take_message(parcel, store_);
        push(queued);
    }
    for (const QueuedMessage& queued : younger) push(queued);
}

}  // namespace millrace
