#include "broker/stored_message.h"

#include <cstring>

namespace millrace {

StoredMessage* MessageStore::try_make(uint32_t canonical_length, Instant expires,
                                      uint64_t publisher) {
    const uint32_t bytes = static_cast<uint32_t>(sizeof(StoredMessage)) + canonical_length;
    void* memory = heap_.try_allocate(bytes);
    if (memory == nullptr) return nullptr;
    line_.objects.add();
    line_.bytes.add(bytes);
    return new (memory) StoredMessage{1, canonical_length, expires, publisher};
}

StoredMessage* MessageStore::try_store(const Message& message) {
    StoredMessage* stored = try_make(canonical_bytes(message), message.expires, message.publisher);
    if (stored != nullptr) {
        write_canonical({reinterpret_cast<uint8_t*>(stored + 1), stored->canonical_length}, message);
    }
    return stored;
}

StoredMessage* MessageStore::try_store_canonical(Bytes canonical, Instant expires,
                                                 uint64_t publisher) {
    StoredMessage* stored = try_make(static_cast<uint32_t>(canonical.size()), expires, publisher);
    if (stored != nullptr) std::memcpy(stored + 1, canonical.data(), canonical.size());
    return stored;
}

void MessageStore::release(StoredMessage& message) {
    MR_ASSERT(message.references > 0);
    if (--message.references > 0) return;
    const uint32_t bytes = static_cast<uint32_t>(sizeof(StoredMessage)) + message.canonical_length;
    line_.objects.subtract();
    line_.bytes.subtract(bytes);
    heap_.free(&message, bytes);
}

}  // namespace millrace
