// The commands that ask a running server, in a build that can't.
#include "server/remote/memory_command.h"
#include "server/remote/top_command.h"
#include "server/remote/trace_command.h"

namespace millrace::remote {
namespace {

ExitCode refuse() {
    return complain(ExitCode::failed, "this millrace was built without libcurl or simdjson: install "
                                      "libcurl4-openssl-dev and libsimdjson-dev and build again");
}

}  // namespace

ExitCode run_memory(const MemoryCommand&) { return refuse(); }
ExitCode run_top(const TopCommand&) { return refuse(); }
ExitCode run_trace(const TraceCommand&) { return refuse(); }

}  // namespace millrace::remote
