// One ordered pair's ring of mails. Private to mailbox.cc, and to its tests through Mailbox.
// Owned by: MailMesh; the producer's calls on the sender's thread, the consumer's on the
//           receiver's.
// Holds:    records {length, kind} are 8-aligned and contiguous; a record that wouldn't fit before
//           the end of the memory is preceded by a `wrap` record. What was published at once is
//           preceded by a `stamp` record with the time. A long mail is a Parcel, whose address
//           travels; parcels under way are bounded in bytes as the ring itself is.
// Not here: overflow and waking (mailbox.cc).
//
// The four cache lines: each side's published index, and what each side keeps for itself, so that
// a producer's work takes no line from the consumer until it publishes, and the other way round.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/time.h"

namespace millrace {

// A mail in memory of its own: long, or overflowed.
struct Parcel {
    Parcel* next;  // in an overflow queue
    uint32_t length;
    uint32_t unused;
    uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }

    static Parcel* make(uint32_t length);
    static void destroy(Parcel* parcel);
};
static_assert(sizeof(Parcel) == 16);

class MailRing {
public:
    // Null when the system refuses the memory.
    static std::unique_ptr<MailRing> create(uint32_t ring_bytes);
    ~MailRing();
    MailRing(const MailRing&) = delete;
    MailRing& operator=(const MailRing&) = delete;

    uint32_t inline_bytes_max() const { return ring_bytes_ / 4; }

    // The producer's side. Room for a mail of `length` (at most inline_bytes_max()), null when
    // there's none; commit_mail() makes it the newest mail.
    uint8_t* try_reserve_mail(uint32_t length);
    void commit_mail();
    bool try_push_parcel(Parcel* parcel);
    // Whether try_push_parcel, or a mail of `length`, would find room now. Sequentially consistent.
    bool has_room(uint32_t length);
    bool is_published() const { return tail_.load(std::memory_order_relaxed) == written_; }
    bool publish(Instant now);  // true when there was something new
    std::atomic<bool>& producer_waits() { return producer_waits_; }
    // Any thread: what is published and wasn't taken, of about this moment.
    uint64_t waiting_bytes() const {
        const uint64_t head = head_.load(std::memory_order_acquire);  // first: tail is never behind
        return tail_.load(std::memory_order_acquire) - head;
    }

    // The consumer's side.
    Bytes front();                    // null data when empty
    Instant front_published() const { return front_published_; }  // of what front() gave
    void pop();                       // the front one
    bool release();                   // gives popped room back; true when the producer waits for it
    bool is_empty_for_sleep() const;  // sequentially consistent

private:
    enum class Kind : uint32_t { mail, parcel, wrap, stamp };
    struct Record {
        uint32_t length;
        Kind kind;
    };
    static_assert(sizeof(Record) == 8);

    explicit MailRing(uint32_t ring_bytes) : ring_bytes_(ring_bytes) {}
    // What a record takes, its header and padding included.
    static uint64_t whole(uint32_t length) {
        return sizeof(Record) + ((uint64_t{length} + 7) & ~uint64_t{7});
    }
    Record* record_at(uint64_t position) {
        return reinterpret_cast<Record*>(memory_ + (position & (ring_bytes_ - 1)));
    }
    static Parcel* parcel_of(Record* record);
    // Where a record that is written at `position` ends, a wrap before it included.
    uint64_t end_of(uint64_t position, uint32_t length) const;
    uint64_t end_of_stamp() const;  // where the next mail begins
    bool room_until(uint64_t end);
    uint8_t* write_record(uint64_t position, uint32_t length, Kind kind);
    uint8_t* place(uint32_t length, Kind kind);

    uint8_t* memory_ = nullptr;
    const uint32_t ring_bytes_;

    alignas(64) std::atomic<uint64_t> tail_{0};  // written by the producer
    alignas(64) uint64_t written_ = 0;           // the producer's: tail_ once published
    uint64_t reserved_end_ = 0;
    Instant* stamp_ = nullptr;                   // of what isn't published yet
    uint64_t head_seen_ = 0;
    uint64_t parcel_bytes_sent_ = 0;
    alignas(64) std::atomic<uint64_t> head_{0};   // written by the consumer
    std::atomic<uint64_t> parcel_bytes_done_{0};  // written by the consumer, before head_
    alignas(64) uint64_t read_ = 0;               // the consumer's: head_ once released
    uint64_t tail_seen_ = 0;
    Instant front_published_;
    // Written by the producer when it goes to sleep with overflow, rarely.
    alignas(64) std::atomic<bool> producer_waits_{false};
};

}  // namespace millrace
