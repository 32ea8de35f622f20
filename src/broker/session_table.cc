#include "broker/session_table.h"

#include <cstring>
#include <new>

#include "broker/heap_segments.h"

namespace millrace {

SessionTable::SessionTable(ShardContext& context, MessageStore& store)
    : context_(context),
      store_(store),
      line_(context.ledger.line("sessions")),
      extras_(context.heap.arena(), context.ledger.line("session extras")),
      wills_(context.heap.arena(), context.ledger.line("wills")),
      table_(segments_of(context.heap)) {}

SessionTable::~SessionTable() {
    table_.for_each([&](Session& session) { destroy(session); });
}

uint32_t SessionTable::bytes_for(uint32_t client_id_bytes) {
    const uint32_t id_offset = offsetof(Session, client_id_bytes_low) + 1;
    return std::max<uint32_t>(sizeof(Session), id_offset + client_id_bytes);
}

Session* SessionTable::find(uint64_t hash, std::string_view client_id) const {
    return table_.find(hash, [&](const Session& session) {
        return session.client_id() == client_id;
    });
}

bool SessionTable::knows_hash(uint64_t hash) const {
    return table_.find(hash, [](const Session&) { return true; }) != nullptr;
}

Session* SessionTable::try_make(uint64_t hash, std::string_view client_id) {
    const uint32_t bytes = bytes_for(static_cast<uint32_t>(client_id.size()));
    void* memory = context_.heap.try_allocate(bytes);
    if (memory == nullptr) return nullptr;
    Session* session = new (memory) Session;
    session->hash = hash;
    session->client_id_bytes_high = static_cast<uint8_t>(client_id.size() >> 8);
    session->client_id_bytes_low = static_cast<uint8_t>(client_id.size());
    std::memcpy(const_cast<char*>(session->client_id().data()), client_id.data(), client_id.size());
    table_.insert(*session);
    line_.objects.add();
    line_.bytes.add(bytes);
    context_.counters.sessions.add();
    return session;
}

void SessionTable::destroy(Session& session) {
    if (session.extras != nullptr) {
        clear_extras(*session.extras);
        extras_.destroy(session.extras);
    }
    table_.erase(session);
    const uint32_t bytes = bytes_for(session.client_id_bytes());
    line_.objects.subtract();
    line_.bytes.subtract(bytes);
    context_.counters.sessions.subtract();
    context_.heap.free(&session, bytes);
}

SessionExtras* SessionTable::try_extras(Session& session) {
    if (session.extras == nullptr) {
        session.extras = extras_.try_make();
        if (session.extras != nullptr) session.extras->timer.session = &session;
    }
    return session.extras;
}

void SessionTable::drop_extras_if_unused(Session& session) {
    if (session.extras == nullptr || !session.extras->unused()) return;
    extras_.destroy(session.extras);
    session.extras = nullptr;
}

void SessionTable::drop_will(Session& session) {
    if (session.extras == nullptr || session.extras->will == nullptr) return;
    store_.release(*session.extras->will->message);
    wills_.destroy(session.extras->will);
    session.extras->will = nullptr;
    session.extras->will_due = Instant::never();
}

Will* SessionTable::try_make_will(const Will& will) { return wills_.try_make(will); }

void SessionTable::clear_extras(SessionExtras& extras) {
    context_.wheel.stop(extras.timer);
    extras.inflight.clear(context_.heap, store_);
    extras.received_qos2.clear(context_.heap);
    context_.counters.waiting_messages.subtract(extras.waiting.count());
    extras.waiting.clear(context_.heap, store_);
    drop_will(*extras.timer.session);
    delete extras.move;
}

}  // namespace millrace
