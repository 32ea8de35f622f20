// The sessions that this shard holds, by client id, and the memory of their parts.
// Owned by: the shard's Broker.
// Holds:    a client id stands here at most once.
// Not here: which shard holds a client id elsewhere (registrar.h), what ends a session (broker.h).
#pragma once

#include <string_view>

#include "base/hash_table.h"
#include "broker/context.h"
#include "broker/session.h"

namespace millrace {

class SessionTable {
public:
    SessionTable(ShardContext& context, MessageStore& store);
    ~SessionTable();

    Session* find(uint64_t hash, std::string_view client_id) const;
    bool knows_hash(uint64_t hash) const;
    // Null when memory is used up. The id isn't in the table yet.
    Session* try_make(uint64_t hash, std::string_view client_id);
    // Frees it with all that hangs on it, but for its subscriptions and its connection, which are
    // gone already.
    void destroy(Session& session);

    // The extras, made when missing; null when memory is used up.
    SessionExtras* try_extras(Session& session);
    void drop_extras_if_unused(Session& session);
    void drop_will(Session& session);
    Will* try_make_will(const Will& will);

    uint64_t count() const { return table_.count(); }
    template <class Visit>
    uint32_t for_each_from(uint32_t cursor, uint32_t buckets_max, Visit&& visit) {
        return table_.for_each_from(cursor, buckets_max, visit);
    }
    // The walk with pauses of base/hash_table.h.
    template <class Visit>
    uint64_t for_each_at(uint64_t place, Visit&& visit) {
        return table_.for_each_at(place, visit);
    }
    static uint64_t place_of(const Session& session) {
        return IntrusiveHashTable<Session, Traits>::place_of(session.hash);
    }

private:
    struct Traits {
        static Session*& next(Session& session) { return session.table_next; }
        static uint64_t hash(const Session& session) { return session.hash; }
    };
    static uint32_t bytes_for(uint32_t client_id_bytes);
    void clear_extras(SessionExtras& extras);

    ShardContext& context_;
    MessageStore& store_;
    LedgerLine& line_;
    Slab<SessionExtras> extras_;
    Slab<Will> wills_;
    IntrusiveHashTable<Session, Traits> table_;
};

}  // namespace millrace
