// Connections in order, linked through the same field as the outbox's list.
// Owned by: a stack's transport, on its shard.
// Holds:    who stands here has `dirty` set, so that marking it in the outbox leaves it in place;
//           taking it out clears that.
// Not here: what they wait for.
#pragma once

#include "net/connection.h"

namespace millrace {

class ConnectionQueue {
public:
    bool empty() const { return first_ == nullptr; }
    Connection* first() const { return first_; }

    // Not dirty before.
    void push_back(Connection& connection) {
        MR_ASSERT(!connection.dirty);
        connection.dirty = true;
        connection.next_dirty = nullptr;
        append_list(&connection);
        last_ = &connection;
    }
    void push_front(Connection& connection) {
        MR_ASSERT(!connection.dirty);
        connection.dirty = true;
        connection.next_dirty = first_;
        if (first_ == nullptr) last_ = &connection;
        first_ = &connection;
    }
    // A list as Outbox::take_all() gives it: all dirty. Its end is looked for only when something
    // is to follow it.
    void append_list(Connection* first) {
        if (first == nullptr) return;
        if (first_ == nullptr) {
            first_ = first;
            last_ = nullptr;
            return;
        }
        end_of_list()->next_dirty = first;
        // From the newcomers on: what stood here before may be millions.
        last_ = end_from(first);
    }
    // All of `other`, which is empty then.
    void take_over(ConnectionQueue& other) {
        append_list(other.first_);
        other.first_ = other.last_ = nullptr;
    }
    // Null when there's none.
    Connection* pop_front() {
        Connection* connection = first_;
        if (connection == nullptr) return nullptr;
        first_ = connection->next_dirty;
        if (first_ == nullptr) last_ = nullptr;
        connection->next_dirty = nullptr;
        connection->dirty = false;
        return connection;
    }

private:
    static Connection* end_from(Connection* connection) {
        while (connection->next_dirty != nullptr) connection = connection->next_dirty;
        return connection;
    }
    Connection* end_of_list() const { return last_ != nullptr ? last_ : end_from(first_); }

    Connection* first_ = nullptr;
    Connection* last_ = nullptr;  // or null while nobody has looked for it
};

}  // namespace millrace
