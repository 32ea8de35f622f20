// Counters as text, for an operator who asks for a shard's state: a line each, those of zero left
// out.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "net/transport.h"

namespace millrace {

inline void put_count(std::string& out, std::string_view name, uint64_t value) {
    if (value == 0) return;
    out += "  ";
    out += name;
    out += ' ';
    out += std::to_string(value);
    out += '\n';
}

inline void put_transport(std::string& out, const TransportCounters& counters) {
    const std::pair<std::string_view, const Counter&> lines[] = {
        {"accepted", counters.accepted},
        {"connected", counters.connected},
        {"closed", counters.closed},
        {"accept_failures", counters.accept_failures},
        {"bytes_received", counters.bytes_received},
        {"bytes_sent", counters.bytes_sent},
        {"receives", counters.receives},
        {"sends", counters.sends},
        {"sends_zero_copy", counters.sends_zero_copy},
        {"sends_zero_copy_copied", counters.sends_zero_copy_copied},
        {"receive_buffer_shortages", counters.receive_buffer_shortages},
        {"completion_overflows", counters.completion_overflows},
    };
    out += "transport\n";
    for (const auto& [name, counter] : lines) put_count(out, name, counter.read());
}

}  // namespace millrace
