// `millrace trace`: what a running server does with one client's packets, or with a topic's, as it
// happens.
// Owned by: main. Thread: main's.
// Holds:    the trace on the server ends with the command, by whatever way it ends but a kill; else
//           by its own time.
// Not here: what is traced: the server does that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/pcap.h"
#include "server/exit_codes.h"
#include "server/remote/http_client.h"
#include "server/remote/json.h"

namespace millrace::remote {

struct TraceCommand {
    Target target;
    std::optional<std::string> client_id;  // one of the two
    std::optional<std::string> topic;      // a filter
    uint32_t seconds = 60;
    std::optional<std::string> pcap;       // a file for tools for networks, beside the lines
};

ExitCode run_trace(const TraceCommand& command);

// One event of the API as a line without its end: pure.
std::string trace_line(const JsonValue& event);
// What an event adds to a capture file; empty for what is no packet.
std::string trace_capture(PcapWriter& writer, const JsonValue& event);

}  // namespace millrace::remote
