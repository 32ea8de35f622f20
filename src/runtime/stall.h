// The turn of a shard's loop that took longest, and what ran in it.
// Owned by: StallBox: one shard, which alone writes; any thread reads. Stall: values.
// Holds:    a reader sees all of one stall or none: it looks at the version before and after (a
//           sequence lock). The writer never waits.
// Not here: finding it (loop_watch.h), saying it in words: the kinds are those of other layers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace millrace {

// In their order.
enum class LoopPhase : uint8_t {
    admin,   // work that the admin side gave, and what else stands at the beginning of such a turn
    events,  // of the network; without admin work the turn's beginning, too
    mail,    // of other shards
    timers,
    flush,   // the end: mail and output go out, and the network works until it may wait
};

struct Stall {
    Duration length;
    Instant ended;           // by the shard's clock
    LoopPhase phase;         // the longest of the turn
    uint8_t event_kind = 0;  // Event::Kind of the last one; valid with an event, likewise the next
    uint8_t mail_kind = 0;   // the first byte of the last one
    uint8_t timer_kind = 0;  // TimerEntry::kind of the last one
    uint32_t events = 0;     // in that turn
    uint32_t mails = 0;
    uint32_t timers = 0;

    bool operator==(const Stall&) const = default;
};

class StallBox {
public:
    void put(const Stall& stall) {
        const uint64_t version = version_.load(std::memory_order_relaxed);
        version_.store(version + 1, std::memory_order_relaxed);
        const std::array<uint64_t, word_count> words = {
            static_cast<uint64_t>(stall.length.nanoseconds),
            static_cast<uint64_t>(stall.ended.nanoseconds),
            uint64_t{static_cast<uint8_t>(stall.phase)} | uint64_t{stall.event_kind} << 8 |
                uint64_t{stall.mail_kind} << 16 | uint64_t{stall.timer_kind} << 24 |
                uint64_t{stall.timers} << 32,
            uint64_t{stall.events} | uint64_t{stall.mails} << 32};
        // Release: nobody sees a word without the odd version before it.
        for (size_t index = 0; index < word_count; ++index) {
            words_[index].store(words[index], std::memory_order_release);
        }
        version_.store(version + 2, std::memory_order_release);
    }
    void clear() { put({}); }

    // Empty when there was none, and when the shard writes so often that none can be had.
    std::optional<Stall> read() const {
        for (int attempt = 0; attempt < 100; ++attempt) {
            const uint64_t version = version_.load(std::memory_order_acquire);
            if (version % 2 != 0) continue;
            std::array<uint64_t, word_count> words;
            // Acquire: the second look at the version comes after them.
            for (size_t index = 0; index < word_count; ++index) {
                words[index] = words_[index].load(std::memory_order_acquire);
            }
            if (version_.load(std::memory_order_relaxed) != version) continue;
            if (words[0] == 0) return std::nullopt;
            return stall_of(words);
        }
        return std::nullopt;
    }

private:
    static constexpr size_t word_count = 4;

    static Stall stall_of(const std::array<uint64_t, word_count>& words) {
        const uint64_t kinds = words[2];
        return {.length = Duration::ns(static_cast<int64_t>(words[0])),
                .ended = {static_cast<int64_t>(words[1])},
                .phase = static_cast<LoopPhase>(kinds & 0xff),
                .event_kind = static_cast<uint8_t>(kinds >> 8),
                .mail_kind = static_cast<uint8_t>(kinds >> 16),
                .timer_kind = static_cast<uint8_t>(kinds >> 24),
                .events = static_cast<uint32_t>(words[3]),
                .mails = static_cast<uint32_t>(words[3] >> 32),
                .timers = static_cast<uint32_t>(kinds >> 32)};
    }

    std::atomic<uint64_t> version_{0};   // odd while a stall is being written
    std::array<std::atomic<uint64_t>, word_count> words_{};
};

}  // namespace millrace
