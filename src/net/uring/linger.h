// Connections whose output is complete and that wait for the peer to close first.
// Owned by: one transport, on its shard.
// Holds:    every connection waits equally long, so the list is in order of its deadlines. A place
//           is named by a number that counts up; one that was given up stays empty until its time.
// Not here: what happens at the deadline.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "net/connection.h"
#include "runtime/slab.h"

namespace millrace::uring {

class LingerList {
public:
    static constexpr Duration wait = Duration::s(2);

    explicit LingerList(Heap& heap) : heap_(heap) {}
    ~LingerList() {
        if (places_ != nullptr) heap_.free(places_, places_bytes(capacity_));
    }
    LingerList(const LingerList&) = delete;
    LingerList& operator=(const LingerList&) = delete;

    // False when memory is used up. The place is noted in send_progress_ms, which means nothing
    // once all output has been sent.
    bool add(Connection& connection, Instant now) {
        if (count_ == capacity_ && !grow()) return false;
        const uint32_t number = first_number_ + count_++;
        place(number) = {&connection, now + wait};
        connection.send_progress_ms = number;
        return true;
    }
    void remove(const Connection& connection) {
        Place& own = place(connection.send_progress_ms);
        MR_ASSERT(own.connection == &connection);
        own.connection = nullptr;
    }
    // A connection whose wait is over, and no longer in the list; null when there's none (left).
    Connection* take_due(Instant now) {
        while (count_ > 0 && place(first_number_).deadline <= now) {
            Connection* connection = place(first_number_).connection;
            ++first_number_;
            --count_;
            if (connection != nullptr) return connection;
        }
        return nullptr;
    }
    Instant next_deadline() const {
        return count_ == 0 ? Instant::never() : place(first_number_).deadline;
    }

private:
    struct Place {
        Connection* connection;
        Instant deadline;
    };
    static uint32_t places_bytes(uint32_t count) {
        return static_cast<uint32_t>(count * sizeof(Place));
    }
    Place& place(uint32_t number) { return places_[number & (capacity_ - 1)]; }
    const Place& place(uint32_t number) const { return places_[number & (capacity_ - 1)]; }

    bool grow() {
        const uint32_t wider = capacity_ == 0 ? 64 : capacity_ * 2;
        auto* places = static_cast<Place*>(heap_.try_allocate(places_bytes(wider)));
        if (places == nullptr) return false;
        for (uint32_t index = 0; index < count_; ++index) {
            const uint32_t number = first_number_ + index;
            places[number & (wider - 1)] = place(number);
        }
        if (places_ != nullptr) heap_.free(places_, places_bytes(capacity_));
        places_ = places;
        capacity_ = wider;
        return true;
    }

    Heap& heap_;
    Place* places_ = nullptr;
    uint32_t capacity_ = 0;  // a power of two
    uint32_t first_number_ = 0;
    uint32_t count_ = 0;
};

}  // namespace millrace::uring
