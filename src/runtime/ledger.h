// Where a shard's memory went: one line for each class of object, counted as it is taken.
// Owned by: one shard, which alone writes; any thread may read (relaxed atomics: a reader may see
//           lines of slightly different moments, never torn values).
// Holds:    a line's objects and bytes are those alive now; `reserved_bytes` is what the class
//           holds from the arena, free objects included.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace {

// A counter with one writer: plain cost on the shard, readable anywhere.
class Counter {
public:
    void add(uint64_t by = 1) {
        value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    void subtract(uint64_t by = 1) {
        value_.store(value_.load(std::memory_order_relaxed) - by, std::memory_order_relaxed);
    }
    void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
    uint64_t read() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

struct LedgerLine {
    std::string name;
    Counter objects;
    Counter bytes;
    Counter reserved_bytes;
};

class Ledger {
public:
    // The line of that name, made when missing. Start-up only; the reference stays valid.
    LedgerLine& line(std::string_view name);
    // For the shard itself, or once its start-up is over.
    const std::deque<LedgerLine>& lines() const { return lines_; }
    // Calls visit(const LedgerLine&) for each; from any thread, at any time.
    template <class Visit>
    void for_each(Visit&& visit) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (const LedgerLine& line : lines_) visit(line);
    }

private:
    mutable std::mutex mutex_;   // the list of lines grows during start-up; counters need no lock
    std::deque<LedgerLine> lines_;
};

}  // namespace millrace
