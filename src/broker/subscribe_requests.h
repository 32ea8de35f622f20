// SUBSCRIBE packets that wait until other shards know of them: the SUBACK goes out when the last
// one has answered, so that a publish sent after it can't be missed.
// Owned by: the shard's Broker.
// Holds:    a request names a session that is alive: forget() is called before it goes, and
//           forget_connection() before its connection goes.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "broker/session.h"
#include "broker/subscription.h"

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
    Grant grant;
    uint32_t answers_left;
    std::shared_ptr<PendingSuback> suback;
};

class SubscribeRequests {
public:
    uint32_t next_number() { return ++last_ == 0 ? ++last_ : last_; }
    void add(uint32_t number, SubscribeRequest request) {
        ++request.session->pending_count;
        ++request.suback->requests_left;
        requests_.emplace(number, std::move(request));
    }
    SubscribeRequest* find(uint32_t number) {
        const auto place = requests_.find(number);
        return place == requests_.end() ? nullptr : &place->second;
    }
    // One shard has answered. The SUBACK when that was the last answer to the whole packet and
    // its client is still there; null otherwise.
    std::shared_ptr<PendingSuback> answered(uint32_t number) {
        const auto place = requests_.find(number);
        if (place == requests_.end()) return nullptr;
        SubscribeRequest& request = place->second;
        if (--request.answers_left > 0) return nullptr;
        --request.session->pending_count;
        std::shared_ptr<PendingSuback> suback = std::move(request.suback);
        requests_.erase(place);
        const bool complete = --suback->requests_left == 0 && suback->connection != nullptr;
        return complete ? suback : nullptr;
    }
    void forget_connection(const Session& session) {
        if (session.pending_count == 0) return;
        for (auto& [number, request] : requests_) {
            if (request.session == &session) request.suback->connection = nullptr;
        }
    }
    void forget(Session& session) {
        if (session.pending_count == 0) return;
        std::erase_if(requests_, [&](const auto& item) { return item.second.session == &session; });
        session.pending_count = 0;
    }

private:
    std::unordered_map<uint32_t, SubscribeRequest> requests_;
    uint32_t last_ = 0;
};

}  // namespace millrace
