#include "peer_reports.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "base/json_text.h"

namespace millrace::test {
namespace {

#define TCP_COUNTER(name) {#name, &TcpCounters::name}
constexpr std::pair<const char*, Counter TcpCounters::*> tcp_names[] = {
    TCP_COUNTER(segments_in), TCP_COUNTER(segments_out), TCP_COUNTER(bytes_in_order),
    TCP_COUNTER(bytes_out), TCP_COUNTER(out_of_order), TCP_COUNTER(duplicates),
    TCP_COUNTER(dropped_no_memory), TCP_COUNTER(resets_received), TCP_COUNTER(challenge_acks),
    TCP_COUNTER(retransmissions), TCP_COUNTER(retransmitted_bytes), TCP_COUNTER(timeouts),
    TCP_COUNTER(fast_recoveries), TCP_COUNTER(probes), TCP_COUNTER(tail_probes),
    TCP_COUNTER(keepalives), TCP_COUNTER(keepalive_failures), TCP_COUNTER(send_timeouts),
    TCP_COUNTER(mtu_reductions), TCP_COUNTER(black_holes)};
#undef TCP_COUNTER

#define STACK_COUNTER(name) {#name, &StackCounters::name}
constexpr std::pair<const char*, Counter StackCounters::*> stack_names[] = {
    STACK_COUNTER(frames_in), STACK_COUNTER(frames_out), STACK_COUNTER(tcp_bad_checksum),
    STACK_COUNTER(tcp_bad_header), STACK_COUNTER(tcp_no_listener), STACK_COUNTER(tcp_unknown_flow),
    STACK_COUNTER(resets_sent), STACK_COUNTER(cookies_sent), STACK_COUNTER(cookies_accepted),
    STACK_COUNTER(handshakes_completed), STACK_COUNTER(time_waits),
    STACK_COUNTER(echoes_answered), STACK_COUNTER(arp_requests_answered),
    STACK_COUNTER(solicitations_answered), STACK_COUNTER(link_full)};
#undef STACK_COUNTER

template <class Counters, class Names>
std::string fields(const Counters& counters, const Names& names) {
    std::string line;
    for (const auto& [name, member] : names) {
        line += fmt::format(R"({}"{}":{})", line.empty() ? "" : ",", name,
                            (counters.*member).read());
    }
    return line;
}

}  // namespace

void print_line(const std::string& line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void report_error(std::string_view message) {
    print_line(fmt::format(R"({{"event":"error","message":{}}})", json_text(message)));
}

std::string counters_line(StackTransport& net) {
    return fmt::format(R"({{"event":"counters",{},{},"tcp_connections":{},"half_opens":{}}})",
                       fields(net.tcp_counters(), tcp_names),
                       fields(net.stack_counters(), stack_names), net.tcp_connection_count(),
                       net.half_open_count());
}

}  // namespace millrace::test
