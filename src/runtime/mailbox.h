// Messages between shards: a single-producer single-consumer byte ring for every ordered pair.
// Owned by: MailMesh owns all rings and lives longer than the shards; each shard uses its own
//           Mailbox only, on its own thread. One extra sender, the "host" (index shard_count),
//           lets another thread speak to shards under a lock of its own.
// Holds:    mails of one sender to one receiver arrive complete and in order; those of different
//           senders in the order of their flushes, so that what was caused by a mail (an answer on
//           the network, and what its reader does next) arrives after it. post() never fails
//           and never waits: what finds its ring full waits in the sender's overflow queue, whose
//           length the sender can ask for, to shed or slow down its own sources.
// Not here: what a mail says (broker/mail.h).
//
// A shard with overflow is woken when the receiver has made room. The host is never woken: it calls
// flush() again, a little later, while overflow_bytes_total() isn't zero.
//
// Memory order: the producer stores `tail` with release after the bytes, the consumer stores
// `head` with release after it has read them; each loads the other's index with acquire. Sleeping
// uses sequentially consistent stores and loads on both sides (Dekker): either the sleeper sees
// the mail, or the sender sees the sleeper and wakes it.
#pragma once

#include <algorithm>
#include <atomic>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "runtime/waker.h"

namespace millrace {

class MailRing;  // one ordered pair

class MailMesh {
public:
    // Rings are allocated at once and touched as they fill. `ring_bytes` is a power of two.
    static Outcome<std::unique_ptr<MailMesh>> create(uint32_t shard_count, uint32_t ring_bytes);
    ~MailMesh();

    uint32_t shard_count() const { return shard_count_; }
    uint32_t host_index() const { return shard_count_; }
    struct Rings {
        uint64_t count;
        uint64_t waiting_bytes;  // published and not taken, of about this moment
        uint64_t bytes;          // of all rings; touched as they fill
    };
    Rings rings() const;         // any thread
    Waker& waker(uint32_t shard) { return wakers_[shard]; }

private:
    friend class Mailbox;
    MailMesh();

    struct alignas(64) Sleep {
        std::atomic<bool> sleeping{false};
    };
    MailRing& ring(uint32_t from, uint32_t to) { return *rings_[from * shard_count_ + to]; }
    void wake_if_asleep(uint32_t shard);

    uint32_t shard_count_ = 0;
    uint32_t ring_bytes_ = 0;
    std::vector<std::unique_ptr<MailRing>> rings_;  // (shard_count + 1 senders) x shard_count,
                                                  // null from a shard to itself
    std::unique_ptr<Sleep[]> sleeps_;
    std::vector<Waker> wakers_;
};

// The host's mailbox (self is host_index()) only sends: drain() and sleeping belong to shards.
class Mailbox {
public:
    Mailbox(MailMesh& mesh, uint32_t self);
    ~Mailbox();
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    uint32_t self() const { return self_; }
    uint32_t shard_count() const { return mesh_.shard_count(); }

    // Room for a mail of exactly `bytes` to `to` (another shard), 8-aligned; fill it, then call
    // post() before the next reserve(). A mail longer than a quarter of the ring travels as a
    // general allocation, behind the same interface; so does one that finds its ring full. Both
    // end the process when the system itself has no memory: watch overflow_bytes() to shed before.
    std::span<uint8_t> reserve(uint32_t to, uint32_t bytes);
    void post();
    // Whether flush() has anything to do: what was posted, or what overflowed before.
    bool has_posted() const { return !active_.empty(); }
    // Makes posted mails visible, moves what overflowed, and wakes the sleepers. Once a turn.
    // `now` is read for this call: it orders mails (what overflowed counts from when it has room).
    void flush(Instant now);

    // Whether drain() may find anything; so the time needn't be read where it can't.
    bool has_mail();
    // Calls `receive(from, mail)` for what was flushed until `now`, which is read for this call:
    // a mail flushed later may follow from one whose ring has been found empty already. Ends past
    // `bytes_max`; returns the mails handed out. The mail's bytes are valid during the call.
    template <class Receive>
    uint32_t drain(Instant now, uint32_t bytes_max, Receive&& receive) {
        uint32_t count = 0;
        uint32_t taken_bytes = 0;
        find_arrived(now);
        while (!arrived_.empty() && taken_bytes < bytes_max) {
            Arrived& oldest = *std::min_element(arrived_.begin(), arrived_.end());
            const Bytes mail = front(oldest.from);
            receive(oldest.from, mail);
            taken_bytes += static_cast<uint32_t>(mail.size()) + record_bytes;
            ++count;
            pop(oldest, now);
        }
        release();
        return count;
    }

    // Bytes that wait in this sender's overflow queue for `to`, record headers included.
    uint64_t overflow_bytes(uint32_t to) const;
    uint64_t overflow_bytes_total() const { return overflow_bytes_total_; }

    // Before a sleep: true when it's fine to sleep; senders will wake from now on. False when
    // mail is waiting (and nothing changed). After a sleep: end_sleep().
    bool begin_sleep();
    void end_sleep();

private:
    static constexpr uint32_t record_bytes = 8;  // before each mail in a ring

    // A sender whose front mail may be taken.
    struct Arrived {
        Instant published;
        uint32_t from;
        auto operator<=>(const Arrived&) const = default;
    };

    void find_arrived(Instant now);
    Bytes front(uint32_t from);
    void pop(Arrived& sender, Instant now);  // leaves arrived_ when it has nothing more
    void release();                  // gives popped room back to the senders
    void move_overflow(uint32_t to);  // as much as has room
    bool may_sleep();

    struct Outgoing;
    static constexpr uint32_t nobody = UINT32_MAX;

    MailMesh& mesh_;
    uint32_t self_;
    uint32_t reserved_to_ = nobody;
    std::unique_ptr<Outgoing[]> outgoing_;  // one a receiver
    uint64_t overflow_bytes_total_ = 0;
    std::vector<Arrived> arrived_;          // during a drain
    std::vector<uint32_t> active_;  // receivers with mail since the last flush, or with overflow
};

}  // namespace millrace
