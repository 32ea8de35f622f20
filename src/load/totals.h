// What one shard of the generator has counted, and the way the coordinator reads it.
// Owned by: the shard writes, once a turn; the coordinator reads at any time.
// Holds:    the fields only grow, but `missing` and those of a phase. A reader sees, field by
//           field, values of one turn or of a later one: `turns` is stored last with release and
//           loaded first with acquire.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace {

struct LoadTotals {
    uint64_t commands_done = 0;
    // Connections. Each attempt is opened, then ready or refused; a ready one may be lost.
    uint64_t opened = 0;
    uint64_t accepted = 0;         // CONNACK without an error
    uint64_t resumed = 0;          // of those, with the session of before
    uint64_t ready = 0;            // and subscribed, where they subscribe
    uint64_t refused = 0;          // never ready: no connection, an error in CONNACK or SUBACK
    uint64_t lost = 0;             // closed by the broker or the network after they were ready
    uint64_t closed = 0;           // every attempt's end
    uint64_t protocol_errors = 0;  // packets that a broker may not send
    uint64_t pings_sent = 0;
    uint64_t pings_answered = 0;
    // Publishers
    uint64_t published = 0;
    uint64_t acknowledged = 0;        // QoS 1 and 2: flows that have ended
    uint64_t publishes_refused = 0;   // of those, with an error
    uint64_t publishers_finished = 0; // have sent their share of this phase, or are gone
    uint64_t phase = 0;               // publish phase that `publishers_finished` speaks of
    // Subscribers
    uint64_t delivered = 0;        // for the first time
    uint64_t resolved = 0;         // delivered in order, or known to be missing
    uint64_t missing = 0;          // skipped so far, without those that came late
    uint64_t late = 0;             // out of order
    uint64_t duplicates = 0;
    uint64_t corrupt = 0;
    uint64_t bytes_received = 0;
    // Instants, in nanoseconds of the monotonic clock; 0: not yet
    uint64_t last_accepted_ns = 0;
    uint64_t first_published_ns = 0;  // of the latest phase
    uint64_t last_delivered_ns = 0;
};

// Sums over shards; instants are the latest ones, but the first publish is the earliest;
// `commands_done` and `phase` are those of the shard that is furthest behind.
LoadTotals add_up(std::span<const LoadTotals> shards);

class SharedTotals {
public:
    void store(const LoadTotals& totals) {
        const Words words = std::bit_cast<Words>(totals);
        for (size_t index = 0; index < word_count; ++index) {
            words_[index].store(words[index], std::memory_order_relaxed);
        }
        turns_.store(turns_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    LoadTotals load() const {
        static_cast<void>(turns_.load(std::memory_order_acquire));
        Words words;
        for (size_t index = 0; index < word_count; ++index) {
            words[index] = words_[index].load(std::memory_order_relaxed);
        }
        return std::bit_cast<LoadTotals>(words);
    }

private:
    static constexpr size_t word_count = sizeof(LoadTotals) / sizeof(uint64_t);
    using Words = std::array<uint64_t, word_count>;

    alignas(64) std::array<std::atomic<uint64_t>, word_count> words_{};
    std::atomic<uint64_t> turns_{0};
};

}  // namespace millrace
