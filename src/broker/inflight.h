// QoS 1 and 2 messages sent to a client and not yet acknowledged, in the order of sending.
// Owned by: a session, on its shard.
// Holds:    a packet identifier stands here at most once. An entry keeps its message only when
//           the session outlives the connection: else nobody will ever ask for it again.
//
// Packet identifiers come from a shard-wide counter, so that all receivers of a frame share its
// bytes, identifier included (design: the packet identifier belongs to the frame). A number is
// free in a session as long as its oldest entry is younger than one round of the counter; only
// behind that, or with entries that came from another shard, must the window be searched.
#pragma once

#include <cstdint>

#include "broker/growing_ring.h"
#include "broker/stored_message.h"

namespace millrace {

// A number of the shard-wide counter and the identifier that belongs to it.
struct PacketNumber {
    uint32_t sequence = 0;
    uint16_t packet_id() const { return static_cast<uint16_t>(sequence % 65'535 + 1); }
};

class PacketNumbers {
public:
    // 0 is left out: its identifier is the same as that of 2^32 - 1, just before it. All other
    // equal identifiers are at least a round apart, over the wrap too.
    PacketNumber next() {
        if (++sequence_ == 0) ++sequence_;
        return {sequence_};
    }
    uint32_t current() const { return sequence_; }

private:
    uint32_t sequence_ = 0;
};

struct InflightEntry {
    enum class State : uint8_t { awaiting_puback, awaiting_pubrec, awaiting_pubcomp, done };
    StoredMessage* message;      // null when nothing needs to be sent again
    uint32_t sequence;           // of the shard that sent it
    uint32_t subscription_id;    // 0: none
    uint16_t packet_id;
    State state;
    bool foreign : 1;            // numbered by another shard
    bool retain : 1;             // as it was sent
    bool unsent : 1;             // to be sent again on this connection, when the window allows
};
static_assert(sizeof(InflightEntry) == 24);

class Inflight {
public:
    uint32_t count() const { return open_count_; }
    bool empty() const { return open_count_ == 0; }
    uint32_t unsent_count() const { return unsent_count_; }

    bool is_free(PacketNumber number) const {
        if (entries_.empty()) return true;
        const bool one_round = foreign_count_ == 0 &&
                               number.sequence - entries_.at(0).sequence < 65'535;
        return one_round || find_index(number.packet_id()) < 0;
    }
    bool push(Heap& heap, const InflightEntry& entry) {
        if (!entries_.push_back(heap, entry)) return false;
        ++open_count_;
        if (entry.foreign) ++foreign_count_;
        if (entry.unsent) ++unsent_count_;
        return true;
    }
    // Null when no such packet is open.
    InflightEntry* find(uint16_t packet_id) {
        const int32_t index = find_index(packet_id);
        return index < 0 ? nullptr : &entries_.at(static_cast<uint32_t>(index));
    }
    // The message's reference must have been released before.
    void finish(Heap& heap, InflightEntry& entry) {
        MR_ASSERT(entry.message == nullptr);
        entry.state = InflightEntry::State::done;
        --open_count_;
        if (entry.unsent) --unsent_count_;
        if (entry.foreign) --foreign_count_;
        while (!entries_.empty() && entries_.at(0).state == InflightEntry::State::done) {
            entries_.pop_front(heap);
        }
    }
    template <class Visit>
    void for_each(Visit&& visit) {
        for (uint32_t index = 0; index < entries_.count(); ++index) {
            InflightEntry& entry = entries_.at(index);
            if (entry.state != InflightEntry::State::done) visit(entry);
        }
    }
    // Whether any of those up to that number is open; what came from another shard is older.
    bool has_open_until(uint32_t sequence) const {
        for (uint32_t index = 0; index < entries_.count(); ++index) {
            const InflightEntry& entry = entries_.at(index);
            const bool is_later = static_cast<int32_t>(entry.sequence - sequence) > 0;
            if (entry.state != InflightEntry::State::done && (entry.foreign || !is_later)) return true;
        }
        return false;
    }
    // A new connection: everything is to be sent again (4.4).
    void mark_all_unsent() {
        unsent_count_ = open_count_;
        for_each([](InflightEntry& entry) { entry.unsent = true; });
    }
    // The oldest entry to be sent again; it counts as sent now. Only while unsent_count() > 0.
    InflightEntry& take_unsent() {
        for (uint32_t index = 0;; ++index) {
            InflightEntry& entry = entries_.at(index);
            if (entry.state == InflightEntry::State::done || !entry.unsent) continue;
            entry.unsent = false;
            --unsent_count_;
            return entry;
        }
    }
    void clear(Heap& heap, MessageStore& store) {
        for_each([&](InflightEntry& entry) {
            if (entry.message != nullptr) store.release(*entry.message);
        });
        entries_.release(heap);
        open_count_ = foreign_count_ = unsent_count_ = 0;
    }

private:
    int32_t find_index(uint16_t packet_id) const {
        for (uint32_t index = 0; index < entries_.count(); ++index) {
            const InflightEntry& entry = entries_.at(index);
            if (entry.packet_id == packet_id && entry.state != InflightEntry::State::done) {
                return static_cast<int32_t>(index);
            }
        }
        return -1;
    }

    GrowingRing<InflightEntry> entries_;
    uint32_t open_count_ = 0;
    uint32_t foreign_count_ = 0;
    uint32_t unsent_count_ = 0;
};

}  // namespace millrace
