// `millrace memory`: what a running server's memory history says, as tables.
// Owned by: main. Thread: main's.
// Not here: taking and comparing snapshots: the server does that (admin/memory_history.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/exit_codes.h"
#include "server/remote/http_client.h"

namespace millrace::remote {

struct MemoryCommand {
    enum class What { list, snapshot, diff };

    Target target;
    What what = What::list;
    std::optional<std::string> from;  // of a diff; none: the oldest that is kept
    std::optional<std::string> to;    // none: now
    bool by_shard = false;
    bool json = false;                // the server's answer as it came
};

ExitCode run_memory(const MemoryCommand& command);

// The server's answers as text for a terminal: pure. Nullopt when it's none of that kind.
std::optional<std::string> list_text(std::string_view json);
std::optional<std::string> diff_text(std::string_view json, bool by_shard);

}  // namespace millrace::remote
