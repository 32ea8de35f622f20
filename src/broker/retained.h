// Retained messages (MQTT 5.0, 3.3.1.3) of the topics whose home is this shard.
// Owned by: the shard's Broker.
// Holds:    at most one message a topic; bounded in count and bytes: what doesn't fit is
//           published all the same, but not kept, and counted by the caller.
#pragma once

#include <string>
#include <vector>

#include "broker/context.h"
#include "broker/level_trie.h"
#include "broker/stored_message.h"

namespace millrace {

class RetainedStore {
public:
    RetainedStore(ShardContext& context, MessageStore& store);
    ~RetainedStore();

    // An empty payload clears the topic. False when it couldn't be kept.
    bool set(const Message& message);
    // Null when there's none.
    const StoredMessage* find(std::string_view topic) const {
        const StoredMessage* message = messages_.find(topic);
        return message == nullptr || message->expired(context_.now) ? nullptr : message;
    }
    // Calls visit(const StoredMessage&) for each live message whose topic `filter` matches.
    template <class Visit>
    void for_each_match(std::string_view filter, Visit&& visit) {
        std::vector<std::string> expired;
        messages_.match_filter(filter, [&](StoredMessage* message) {
            if (!message->expired(context_.now)) {
                visit(*message);
            } else if (expired.size() < 256) {
                expired.emplace_back(message->read().topic);
            }
        });
        for (const std::string& topic : expired) clear(topic);
    }

private:
    void clear(std::string_view topic);

    ShardContext& context_;
    MessageStore& store_;
    LevelTrie<StoredMessage*> messages_;
    uint64_t bytes_ = 0;
};

}  // namespace millrace
