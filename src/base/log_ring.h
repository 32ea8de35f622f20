// The log's last lines, kept in memory for whoever asks later.
// Owned by: the process (`log_ring` in log.h). Any thread puts, any thread reads, nobody waits.
// Holds:    nothing is allocated, and the memory is fixed: untouched pages of it cost nothing, so
//           that a process which keeps no lines has none. Entries are numbered from 1 on, without a
//           gap; a reader gets an entry whole or not at all (each has a version, as in a sequence
//           lock).
// Not here: what a line says (log_line.h), levels and limits (log.h).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/config.h"

namespace millrace {

struct LoggedEvent {
    uint64_t number;
    std::chrono::system_clock::time_point time;
    LogLevel level;
    std::string event;
    std::string fields;   // as members of a JSON object, without its braces
};

class LogRing {
public:
    static constexpr uint32_t entries_max = 512;
    static constexpr size_t event_bytes_max = 40;
    static constexpr size_t fields_bytes_max = 1'024;

    // Between the two, lines are kept. Several may want it at once.
    void begin_keeping() { keepers_.fetch_add(1, std::memory_order_relaxed); }
    void end_keeping() { keepers_.fetch_sub(1, std::memory_order_relaxed); }
    bool is_keeping() const { return keepers_.load(std::memory_order_relaxed) != 0; }

    void put(std::chrono::system_clock::time_point time, LogLevel level, std::string_view event,
             std::string_view fields) {
        Text text{};
        text.bytes[0] = static_cast<char>(level);
        text.bytes[1] = static_cast<char>(std::min(event.size(), event_bytes_max));
        const size_t fields_bytes = fields.size() <= fields_bytes_max ? fields.size() : 0;
        const auto fields_length = static_cast<uint16_t>(fields_bytes);
        std::memcpy(text.bytes + 2, &fields_length, sizeof(fields_length));
        const auto microseconds =
            std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
        std::memcpy(text.bytes + 8, &microseconds, sizeof(microseconds));
        std::memcpy(text.bytes + 16, event.data(), std::min(event.size(), event_bytes_max));
        std::memcpy(text.bytes + head_bytes, fields.data(), fields_bytes);
        store(text, (head_bytes + fields_bytes + 7) / 8);
    }

    // The number of the newest entry; 0 when there's none.
    uint64_t last_number() const { return next_.load(std::memory_order_acquire) - 1; }

    enum class Answer : uint8_t {
        found,
        gone,      // another one stands in its place, or it was never put whole
        not_yet,   // it's being written, or it's still to come
    };
    Answer read(uint64_t number, LoggedEvent& found) const {
        if (number == 0) return Answer::gone;
        const uint64_t newest = last_number();
        if (number > newest) return Answer::not_yet;
        const Entry& entry = entries_[number % entries_max];
        const uint64_t version = entry.version.load(std::memory_order_acquire);
        // Whoever takes a number writes at once. One whose place is taken gives up (store()).
        const bool is_late = newest - number > entries_max / 2;
        if (version < done(number)) return is_late ? Answer::gone : Answer::not_yet;
        if (version > done(number)) return Answer::gone;
        Text text;
        // Acquire: the second look at the version comes after them.
        for (size_t index = 0; index < words_max; ++index) {
            const uint64_t word = entry.words[index].load(std::memory_order_acquire);
            std::memcpy(text.bytes + index * 8, &word, 8);
        }
        if (entry.version.load(std::memory_order_relaxed) != version) return Answer::gone;
        found = event_of(number, text);
        return Answer::found;
    }

private:
    static constexpr size_t head_bytes = 56;
    static constexpr size_t words_max = (head_bytes + fields_bytes_max) / 8;
    static_assert(16 + event_bytes_max == head_bytes && fields_bytes_max % 8 == 0);

    //   0 level | 1 event's bytes | 2 fields' bytes | 8 microseconds | 16 event | 56 fields
    struct Text {
        char bytes[words_max * 8];
    };
    struct Entry {
        std::atomic<uint64_t> version{0};   // odd: being written. Twice its number: it's there
        std::array<std::atomic<uint64_t>, words_max> words{};
    };

    static constexpr uint64_t done(uint64_t number) { return 2 * number; }

    void store(const Text& text, size_t words) {
        const uint64_t number = next_.fetch_add(1, std::memory_order_acq_rel);
        Entry& entry = entries_[number % entries_max];
        uint64_t version = entry.version.load(std::memory_order_relaxed);
        // A thread that stood still for hundreds of lines has this entry, or has come too late.
        if (version % 2 != 0 || version > done(number)) return;
        if (!entry.version.compare_exchange_strong(version, done(number) - 1,
                                                   std::memory_order_acq_rel)) {
            return;
        }
        // Release: nobody sees a word without the odd version before it.
        for (size_t index = 0; index < words; ++index) {
            uint64_t word;
            std::memcpy(&word, text.bytes + index * 8, 8);
            entry.words[index].store(word, std::memory_order_release);
        }
        entry.version.store(done(number), std::memory_order_release);
    }

    static LoggedEvent event_of(uint64_t number, const Text& text) {
        int64_t microseconds;
        uint16_t fields_bytes;
        std::memcpy(&microseconds, text.bytes + 8, sizeof(microseconds));
        std::memcpy(&fields_bytes, text.bytes + 2, sizeof(fields_bytes));
        const auto event_bytes = static_cast<unsigned char>(text.bytes[1]);
        return {number,
                std::chrono::system_clock::time_point(std::chrono::microseconds(microseconds)),
                static_cast<LogLevel>(text.bytes[0]), std::string(text.bytes + 16, event_bytes),
                std::string(text.bytes + head_bytes, fields_bytes)};
    }

    std::atomic<uint32_t> keepers_{0};
    std::atomic<uint64_t> next_{1};
    std::array<Entry, entries_max> entries_{};
};

// Somebody wants the last lines, as long as it lives.
class LogKeeping {
public:
    explicit LogKeeping(LogRing& ring) : ring_(ring) { ring_.begin_keeping(); }
    ~LogKeeping() { ring_.end_keeping(); }
    LogKeeping(const LogKeeping&) = delete;
    LogKeeping& operator=(const LogKeeping&) = delete;

private:
    LogRing& ring_;
};

}  // namespace millrace
