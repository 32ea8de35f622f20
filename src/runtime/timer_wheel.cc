#include "runtime/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace millrace {
namespace {

constexpr int64_t tick_ns = 1'000'000;

uint64_t tick_at_or_before(Instant time) {
    return time.nanoseconds <= 0 ? 0 : static_cast<uint64_t>(time.nanoseconds / tick_ns);
}

uint64_t tick_at_or_after(Instant time) {
    if (time.nanoseconds <= 0) return 0;
    return static_cast<uint64_t>(time.nanoseconds / tick_ns + (time.nanoseconds % tick_ns != 0));
}

bool is_empty(const TimerEntry& head) {
    return head.next == &head;
}

void make_empty(TimerEntry& head) {
    head.next = &head;
    head.previous = &head;
}

void append(TimerEntry& head, TimerEntry& entry) {
    entry.next = &head;
    entry.previous = head.previous;
    head.previous->next = &entry;
    head.previous = &entry;
}

// Moves all of `from` behind what stands in `to`.
void splice(TimerEntry& from, TimerEntry& to) {
    if (is_empty(from)) return;
    from.next->previous = to.previous;
    to.previous->next = from.next;
    from.previous->next = &to;
    to.previous = from.previous;
    make_empty(from);
}

}  // namespace

TimerWheel::TimerWheel(Instant now) : current_ms_(tick_at_or_before(now)) {
    for (Slots& level : slots_) {
        for (TimerEntry& head : level) make_empty(head);
    }
    make_empty(expired_);
    make_empty(overdue_);
}

void TimerWheel::start(TimerEntry& entry, Instant deadline) {
    constexpr uint64_t horizon_ms = (uint64_t{1} << (level_bits * level_count)) - 1;
    if (entry.started())
        unlink(entry);
    else
        ++started_count_;
    const uint64_t tick = std::min(tick_at_or_after(deadline), current_ms_ + horizon_ms);
    entry.deadline_ms = tick & ((uint64_t{1} << 56) - 1);
    if (tick < current_ms_)
        append(overdue_, entry);
    else
        place(entry);
}

void TimerWheel::stop(TimerEntry& entry) {
    if (!entry.started()) return;
    unlink(entry);
    --started_count_;
}

Instant TimerWheel::next_deadline() const {
    if (started_count_ == 0) return Instant::never();
    Step step{};
    if (!is_empty(expired_) || !is_empty(overdue_) || !next_step(step)) {
        return Instant::at_ms(static_cast<int64_t>(current_ms_) - 1);
    }
    return Instant::at_ms(static_cast<int64_t>(step.tick));
}

TimerEntry* TimerWheel::next_expired(Instant now) {
    if (!advancing_) {
        advancing_ = true;
        splice(overdue_, expired_);
    }
    const uint64_t now_ms = tick_at_or_before(now);
    while (is_empty(expired_)) {
        if (current_ms_ > now_ms) {
            advancing_ = false;
            return nullptr;
        }
        Step step{};
        if (!next_step(step) || step.tick > now_ms) {
            enter(now_ms + 1);
        } else if (step.level > 0) {
            enter(step.tick);
        } else {
            const uint32_t slot = step.tick % slots_per_level;
            splice(slots_[0][slot], expired_);
            occupied_[0] &= ~(uint64_t{1} << slot);
            enter(step.tick + 1);
        }
    }
    TimerEntry* entry = expired_.next;
    __builtin_prefetch(entry->next);
    unlink(*entry);
    --started_count_;
    return entry;
}

bool TimerWheel::next_step(Step& step) const {
    for (uint32_t level = 0; level < level_count; ++level) {
        const uint64_t occupied = occupied_[level];
        if (occupied == 0) continue;
        const uint32_t shift = level * level_bits;
        const uint64_t begin = current_ms_ >> shift;  // of the current slot, in slots
        const uint32_t current = begin % slots_per_level;
        uint64_t distance;
        if (level == 0) {
            distance = static_cast<uint64_t>(
                std::countr_zero(std::rotr(occupied, static_cast<int>(current))));
        } else {
            // The current slot of a higher level was spread when it was reached: what stands in
            // it now belongs to the next turn of the level.
            const int after = static_cast<int>((current + 1) % slots_per_level);
            distance = static_cast<uint64_t>(std::countr_zero(std::rotr(occupied, after))) + 1;
        }
        step = {(begin + distance) << shift, level};
        return true;
    }
    return false;
}

// Makes `tick` the current one. The slots in between are empty.
void TimerWheel::enter(uint64_t tick) {
    current_ms_ = tick;
    for (uint32_t level = level_count - 1; level > 0; --level) {
        const uint32_t shift = level * level_bits;
        if (tick % (uint64_t{1} << shift) != 0) continue;
        const uint32_t slot = (tick >> shift) % slots_per_level;
        const uint64_t bit = uint64_t{1} << slot;
        if ((occupied_[level] & bit) == 0) continue;
        TimerEntry entries;
        make_empty(entries);
        splice(slots_[level][slot], entries);
        occupied_[level] &= ~bit;
        while (!is_empty(entries)) {
            TimerEntry* entry = entries.next;
            entries.next = entry->next;
            entry->next->previous = &entries;
            __builtin_prefetch(entries.next->next);
            place(*entry);
        }
    }
}

void TimerWheel::place(TimerEntry& entry) {
    const uint64_t tick = entry.deadline_ms;
    MR_VERIFY(tick >= current_ms_);
    const uint64_t differing = (tick ^ current_ms_) | (slots_per_level - 1);
    const uint32_t highest_bit = static_cast<uint32_t>(std::bit_width(differing)) - 1;
    const uint32_t level = std::min(highest_bit / level_bits, level_count - 1);
    const uint32_t slot = (tick >> (level * level_bits)) % slots_per_level;
    append(slots_[level][slot], entry);
    occupied_[level] |= uint64_t{1} << slot;
}

void TimerWheel::unlink(TimerEntry& entry) {
    TimerEntry* next = entry.next;
    TimerEntry* previous = entry.previous;
    next->previous = previous;
    previous->next = next;
    entry.next = nullptr;
    entry.previous = nullptr;
    if (next != previous) return;
    // Only a head is left. When it's a slot's, its bit goes.
    const auto place = reinterpret_cast<uintptr_t>(next);
    const auto first = reinterpret_cast<uintptr_t>(slots_.data());
    if (place < first || place >= first + sizeof(slots_)) return;
    const uint64_t index = (place - first) / sizeof(TimerEntry);
    occupied_[index / slots_per_level] &= ~(uint64_t{1} << (index % slots_per_level));
}

}  // namespace millrace
