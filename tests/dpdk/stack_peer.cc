// Our TCP over a DPDK device, as a process that does what it's told on standard input (the commands
// are in stack_peer_app.h) and reports in lines of JSON. The tests beside it have the Linux kernel
// talk to it.

#include <cstdio>

#include "base/json_text.h"
#include "command_reader.h"
#include "peer_options.h"
#include "peer_reports.h"
#include "runtime/clock.h"
#include "stack_peer_app.h"

namespace millrace::test {
namespace {

constexpr uint64_t arena_bytes_max = uint64_t{2} << 30;

int fail_start(const Error& error) {
    report_error(error.message);
    return 1;
}

// How often commands are looked for: that costs a system call, which a busy turn shouldn't.
constexpr Duration command_interval = Duration::ms(2);

void run_turns(StackTransport& net, StackPeerApp& app) {
    CommandReader commands;
    Instant look_at = monotonic_now();
    while (!app.finished()) {
        const std::span<const Event> events = net.poll(look_at);
        const Instant now = monotonic_now();
        for (const Event& event : events) app.on_event(event, now);
        if (now >= look_at) {
            for (const std::string& line : commands.take()) app.on_command(line);
            look_at = now + command_interval;
        }
        app.end_turn();
        net.flush(now);
    }
}

int run(const PeerOptions& options) {
    auto waker = Waker::create();
    if (!waker) return fail_start(waker.error());
    auto port = Port::open(options.port);
    if (!port) return fail_start(port.error());
    auto arena = Arena::create({.bytes_max = arena_bytes_max, .huge_pages = HugePages::off});
    if (!arena) return fail_start(arena.error());
    Ledger ledger;
    Heap heap(**arena, ledger);
    BlockPool blocks(heap, ledger);
    auto link = (*port)->make_link(0, blocks);
    if (!link) return fail_start(link.error());
    auto net = StackTransport::create(options.stack, std::move(*link), **arena, ledger, heap,
                                      blocks, *waker);
    if (!net) return fail_start(net.error());

    print_line(fmt::format(R"({{"event":"started","port":{},"stack":{}}})",
                           json_text((*port)->describe()), json_text((*net)->describe())));
    {
        StackPeerApp app(**net, blocks, !options.stack.close_on_peer_fin);
        run_turns(**net, app);
        app.report_counters();
    }
    // Frames that refer to blocks go before the blocks do.
    net->reset();
    port->reset();
    return 0;
}

}  // namespace
}  // namespace millrace::test

int main(int count, char** arguments) {
    int status = 0;
    const auto options = millrace::test::parse_peer_options(count, arguments, status);
    return options ? millrace::test::run(*options) : status;
}
