// The parts of one shard's broker, for tasks.
// Owned by: the broker. Valid within one step of a task, on the shard.
// Not here: changing what isn't a task's to change: that goes by the broker's own methods.
#pragma once

#include <string_view>

#include "broker/context.h"
#include "broker/fanout.h"
#include "broker/retained.h"
#include "broker/session_table.h"
#include "broker/subscription_index.h"

namespace millrace {

struct BrokerInside {
    ShardContext& context;
    SessionTable& sessions;
    SubscriptionIndex& index;
    RetainedStore& retained;
    Fanout& fanout;

    // Null: this shard doesn't hold it.
    Session* find_session(std::string_view client_id) const {
        return sessions.find(context.hash(client_id), client_id);
    }
    // It leaves for another shard, where it stands already.
    bool is_on_its_way(const Session& session) const {
        return session.is_moving && session.extras->move->claimant != context.self();
    }
};

}  // namespace millrace
