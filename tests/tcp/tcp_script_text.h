// The notation of scripted TCP tests: how a line of a script and a segment are read and written.
// Owned by: values. Thread: any.
// Holds:    sequence numbers are relative: 0 is the SYN, 1 the first byte, of whichever side the
//           number belongs to; they may be negative. Times are milliseconds since the script began.
// Not here: running a script (tcp_script.h has the whole notation).
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tcp/segment.h"

namespace millrace::test {

// A line can't be read, or didn't come true.
struct ScriptFault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// What a line says about a segment. What isn't said is not compared; `sack` always is.
struct SegmentText {
    struct Range {
        int64_t begin = 0;
        int64_t end = 0;
    };
    struct Timestamps {
        int64_t value = 0;
        int64_t echo = 0;
    };

    uint32_t repeat = 1;              // "x3": that many, alike
    uint8_t flags = 0;
    std::optional<Range> range;       // of the payload: "1:1461"; "1" alone is "1:1"
    uint32_t cut_bytes = 0;           // "/1460": the range in segments of that length
    std::optional<int64_t> ack;
    std::optional<uint32_t> window;   // as on the wire
    bool has_options = false;         // "<...>" was written, if only "<>"
    uint16_t mss = 0;
    std::optional<uint8_t> window_scale;
    bool sack_permitted = false;
    std::optional<Timestamps> timestamps;
    std::vector<Range> sack;
};

struct ScriptLine {
    enum class Kind : uint8_t { arrives, leaves, state, action };

    uint32_t number = 0;              // from 1
    std::string text;
    std::optional<int64_t> at_ms;     // absent: the same time as the line before
    bool is_relative = false;         // at_ms counts from the line before
    Kind kind = Kind::action;
    std::vector<std::string> words;   // of state and action lines, and of options before "<"
    SegmentText segment;              // of arrives and leaves
};

std::vector<ScriptLine> parse_script(std::string_view script);
SegmentText parse_segment(const std::vector<std::string>& words);
int64_t parse_number(std::string_view text);

// What a segment's numbers are relative to.
struct Numbering {
    SeqNumber own_first;              // sequence number of the sender's SYN
    SeqNumber other_first;
    uint32_t own_clock = 0;           // what the sender's timestamps are relative to
    uint32_t other_clock = 0;
};
std::string segment_as_text(const OutSegment& segment, const Numbering& numbering);

}  // namespace millrace::test
