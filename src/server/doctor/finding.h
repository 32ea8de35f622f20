// One thing about a host that hurts a server, and how to mend it.
// Owned by: values. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::doctor {

// The order of weight.
enum class Severity : uint8_t {
    blocks,       // the server doesn't start, or isn't what was asked for
    capacity,     // fewer connections, or less memory, than configured
    performance,  // slower, or less predictable, than this host could be
    note,         // good to know; nothing to mend, or nothing is concluded from it
};

std::string_view name_of(Severity severity);

struct Finding {
    std::string id;  // stable, for programs: "open_files"
    Severity severity = Severity::note;
    std::string what;
    std::string found;
    std::string wanted;
    std::string cost;  // with its figure where that is known; else it says "not measured"
    std::string mend;  // a command, or what to change in the configuration
    // With `capacity`: the connections that are left. The fewest come first.
    uint64_t connections_left = UINT64_MAX;
};

// By severity, then by connections left, then as they came.
void sort_by_weight(std::vector<Finding>& findings);

}  // namespace millrace::doctor
