#include "broker/retained.h"

namespace millrace {

RetainedStore::RetainedStore(ShardContext& context, MessageStore& store)
    : context_(context), store_(store), messages_(context.heap, context.hash_key) {}

RetainedStore::~RetainedStore() {
    messages_.for_each([&](StoredMessage* message) { store_.release(*message); });
}

bool RetainedStore::set(const Message& message) {
    clear(message.topic);
    if (message.payload.empty()) return true;
    const QueueLimits& limits = context_.live->queues;
    const uint32_t bytes = canonical_bytes(message);
    const uint64_t shards = context_.shard_count();
    if (messages_.count() >= (limits.retained_messages_max + shards - 1) / shards ||
        bytes_ + bytes > limits.retained_bytes_max / shards) {
        return false;
    }
    StoredMessage* stored = store_.try_store(message);
    if (stored == nullptr) return false;
    if (!messages_.insert(message.topic, stored)) {
        store_.release(*stored);
        return false;
    }
    bytes_ += bytes;
    context_.counters.retained_messages.set(messages_.count());
    context_.counters.retained_bytes.set(bytes_);
    return true;
}

void RetainedStore::clear(std::string_view topic) {
    StoredMessage* stored = messages_.erase(topic);
    if (stored == nullptr) return;
    bytes_ -= stored->canonical_length;
    store_.release(*stored);
    context_.counters.retained_messages.set(messages_.count());
    context_.counters.retained_bytes.set(bytes_);
}

}  // namespace millrace
