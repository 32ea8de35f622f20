// The program: parses, then serves, examines or loads. The only place that joins the parts by name.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "server/assemble_dpdk.h"
#include "server/assemble_uring.h"
#include "server/cli.h"
#include "server/exit_codes.h"
#include "server/object_sizes.h"
#include "server/service.h"

namespace millrace {

namespace {

// A closed one of the first three would be given to a ring or a socket, and the log written there.
void fill_standard_descriptors() {
    long lowest = 0;
    while (lowest >= 0 && lowest <= 2) {
        lowest = ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    }
    if (lowest > 2) ::syscall(SYS_close, lowest);
}

// Before the libraries' own beginnings: libunwind opens a pipe in its. So by plain system calls.
[[gnu::used, gnu::section(".preinit_array")]] void (*const fill_first)() = fill_standard_descriptors;

ExitCode examine(const DoctorCommand& command) {
    const auto config = make_config(command.config_path, {});
    if (!config) return complain(ExitCode::usage, config.error().message);
    doctor::Request request = command.request;
    request.has_config_file = command.config_path.has_value();
    const auto answer = doctor::examine(*config, object_sizes(), request);
    if (!answer) return complain(ExitCode::usage, answer.error().message);
    fmt::print("{}", answer->text);
    return answer->code;
}

}  // namespace

int run(int argument_count, const char* const* arguments) {
    const auto line = parse_command_line(argument_count, arguments);
    if (!line) return to_int(complain(ExitCode::usage, line.error().message));
    if (const auto* print = std::get_if<PrintCommand>(&line->command)) {
        fmt::print("{}", print->text);
        return to_int(ExitCode::success);
    }
    if (const auto* command = std::get_if<ServeCommand>(&line->command)) {
        return to_int(serve(*command));
    }
    if (const auto* command = std::get_if<DoctorCommand>(&line->command)) {
        return to_int(examine(*command));
    }
    if (const auto* command = std::get_if<remote::MemoryCommand>(&line->command)) {
        return to_int(remote::run_memory(*command));
    }
    if (const auto* command = std::get_if<remote::TopCommand>(&line->command)) {
        return to_int(remote::run_top(*command));
    }
    if (const auto* command = std::get_if<remote::TraceCommand>(&line->command)) {
        return to_int(remote::run_trace(*command));
    }
    const auto& load = std::get<LoadRequest>(line->command);
    return load.net == "dpdk" ? run_dpdk_load(load) : run_uring_load(load);
}

}  // namespace millrace

int main(int argument_count, char** arguments) {
    return millrace::run(argument_count, arguments);
}
