// TCP sequence numbers: 32 bits that wrap (RFC 9293, 3.4).
// Owned by: values. Thread: any.
// Holds:    a comparison is right while both numbers are less than 2^31 apart.
#pragma once

#include <cstdint>

namespace millrace {

struct SeqNumber {
    uint32_t value = 0;

    constexpr bool operator==(const SeqNumber&) const = default;
    constexpr SeqNumber operator+(uint32_t by) const { return {value + by}; }
    constexpr SeqNumber operator-(uint32_t by) const { return {value - by}; }
    // How far this is after `from`; huge when it's before.
    constexpr uint32_t operator-(SeqNumber from) const { return value - from.value; }
    constexpr SeqNumber& operator+=(uint32_t by) {
        value += by;
        return *this;
    }
    constexpr bool operator<(SeqNumber other) const {
        return static_cast<int32_t>(value - other.value) < 0;
    }
    constexpr bool operator<=(SeqNumber other) const { return !(other < *this); }
    constexpr bool operator>(SeqNumber other) const { return other < *this; }
    constexpr bool operator>=(SeqNumber other) const { return !(*this < other); }
};

constexpr SeqNumber later(SeqNumber a, SeqNumber b) { return a < b ? b : a; }
constexpr SeqNumber earlier(SeqNumber a, SeqNumber b) { return a < b ? a : b; }

// [begin, end)
struct SeqRange {
    SeqNumber begin;
    SeqNumber end;

    constexpr bool operator==(const SeqRange&) const = default;
    constexpr uint32_t bytes() const { return end - begin; }
    constexpr bool contains(SeqNumber seq) const { return begin <= seq && seq < end; }
};

}  // namespace millrace
