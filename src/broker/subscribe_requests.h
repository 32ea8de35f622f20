// SUBSCRIBE packets that wait until other shards know of them: the SUBACK goes out when the last
// one has answered, so that a publish sent after it can't be missed. Until a shard has answered, a
// new subscription gets nothing that this shard routed: that was published before, and comes as a
// retained message if at all.
// Owned by: the shard's Broker.
// Holds:    a request names a session that is alive: forget() is called before it goes, and
//           forget_connection() before its connection goes; likewise forget_created().
#pragma once

#include <limits>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "broker/session.h"
#include "broker/subscription.h"
#include "runtime/ledger.h"

namespace millrace {

// One SUBSCRIBE packet.
struct PendingSuback {
    Connection* connection;               // null: the client has gone
    uint16_t packet_id;
    uint32_t requests_left = 0;
    std::vector<mqtt::Reason> reasons;    // one a filter, in order
};

// One of its filters.
struct SubscribeRequest {
    Session* session;
    const Subscription* created;          // null when the subscription stood before
    Grant grant;
    uint64_t unanswered;                  // shards, a bit each
    std::shared_ptr<PendingSuback> suback;
};

class SubscribeRequests {
public:
    explicit SubscribeRequests(Ledger& ledger) : line_(ledger.line("subscribe requests")) {}

    uint32_t next_number() { return ++last_ == 0 ? ++last_ : last_; }
    bool may_add(const Session& session) const {
        return session.pending_count < std::numeric_limits<uint16_t>::max();
    }
    void add(uint32_t number, SubscribeRequest request) {
        MR_ASSERT(may_add(*request.session));
        ++request.session->pending_count;
        ++request.suback->requests_left;
        if (request.created != nullptr) by_created_.emplace(request.created, number);
        requests_.emplace(number, std::move(request));
        count();
    }
    SubscribeRequest* find(uint32_t number) {
        const auto place = requests_.find(number);
        return place == requests_.end() ? nullptr : &place->second;
    }
    // Whether what `shard` routed was published before `subscription` existed there.
    bool is_early(const Subscription& subscription, uint32_t shard) const {
        const auto place = by_created_.find(&subscription);
        if (place == by_created_.end()) return false;
        return (requests_.at(place->second).unanswered >> shard & 1) != 0;
    }
    // One shard has answered. The SUBACK when that was the last answer to the whole packet and
    // its client is still there; null otherwise.
    std::shared_ptr<PendingSuback> answered(uint32_t number, uint32_t shard) {
        const auto place = requests_.find(number);
        if (place == requests_.end()) return nullptr;
        SubscribeRequest& request = place->second;
        request.unanswered &= ~(uint64_t{1} << shard);
        if (request.unanswered != 0) return nullptr;
        by_created_.erase(request.created);
        --request.session->pending_count;
        std::shared_ptr<PendingSuback> suback = std::move(request.suback);
        requests_.erase(place);
        count();
        const bool complete = --suback->requests_left == 0 && suback->connection != nullptr;
        return complete ? suback : nullptr;
    }
    void forget_connection(const Session& session) {
        if (session.pending_count == 0) return;
        for (auto& [number, request] : requests_) {
            if (request.session == &session) request.suback->connection = nullptr;
        }
    }
    void forget_created(const Subscription& subscription) {
        if (!by_created_.empty()) by_created_.erase(&subscription);
    }
    void forget(Session& session) {
        if (session.pending_count == 0) return;
        std::erase_if(requests_, [&](const auto& item) {
            if (item.second.session != &session) return false;
            by_created_.erase(item.second.created);
            return true;
        });
        session.pending_count = 0;
        count();
    }

private:
    void count() {
        line_.objects.set(requests_.size());
        line_.bytes.set(requests_.size() * sizeof(SubscribeRequest));
    }

    LedgerLine& line_;   // in general memory: it reserves nothing
    std::unordered_map<uint32_t, SubscribeRequest> requests_;
    std::unordered_map<const Subscription*, uint32_t> by_created_;
    uint32_t last_ = 0;
};

}  // namespace millrace
