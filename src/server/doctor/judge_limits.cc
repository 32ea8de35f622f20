// Limits of the process and of the host against the configured connections, over io_uring.
#include <algorithm>

#include <fmt/format.h>

#include "server/config_keys.h"
#include "server/doctor/judge.h"

namespace millrace::doctor {
namespace {

std::string connections_instead_of(uint64_t left, const Subject& subject) {
    return fmt::format("{} connections instead of {}", left, subject.connections());
}

// What tune.sh accepts.
std::string connections_option(const Subject& subject) {
    return fmt::format(" --connections {}", std::min<uint64_t>(subject.connections(), 999'999'999));
}

void judge_open_files(const Subject& subject, Findings& findings) {
    const LimitFacts& limits = subject.facts.limits;
    const uint64_t wanted = subject.config.shards.connections_max;
    const uint64_t hard = limits.open_files_hard.value_or(UINT64_MAX);
    if (hard < wanted) {
        const uint64_t left = hard * subject.plan.count;
        findings.push_back(
            {.id = "open_files",
             .severity = Severity::capacity,
             .what = "the hard limit of open files bounds each shard's table of "
                     "sockets",
             .found = fmt::format("{}", hard),
             .wanted = fmt::format("{} (shards.connections_max)", wanted),
             .cost = connections_instead_of(left, subject),
             .mend = fmt::format("LimitNOFILE={} in the systemd unit, or ulimit -Hn {} "
                                 "before the start; {}{}",
                                 wanted, wanted, tune_command(subject, "systemd"),
                                 connections_option(subject)),
             .connections_left = left});
    }
    const uint64_t ceiling = limits.open_files_ceiling.value_or(UINT64_MAX);
    if (ceiling < wanted) {
        const uint64_t left = ceiling * subject.plan.count;
        findings.push_back({.id = "nr_open",
                            .severity = Severity::capacity,
                            .what = "no process may have its limit of open files above fs.nr_open",
                            .found = fmt::format("{}", ceiling),
                            .wanted = fmt::format("{} (shards.connections_max)", wanted),
                            .cost = connections_instead_of(left, subject),
                            .mend = tune_command(subject, "files") + connections_option(subject),
                            .connections_left = left});
    }
    constexpr uint64_t spare = 10'000;  // of everything else on the host
    const uint64_t all = limits.files_of_host.value_or(UINT64_MAX);
    if (all < subject.connections() + spare) {
        const uint64_t left = all > spare ? all - spare : 0;
        findings.push_back({.id = "file_max",
                            .severity = Severity::capacity,
                            .what = "every socket counts against the files of the whole host "
                                    "(fs.file-max), but for processes with CAP_SYS_ADMIN",
                            .found = fmt::format("{}", all),
                            .wanted = fmt::format("{}", subject.connections() + spare),
                            .cost = connections_instead_of(left, subject),
                            .mend = tune_command(subject, "files") + connections_option(subject),
                            .connections_left = left});
    }
}

void judge_connection_tracking(const Subject& subject, Findings& findings) {
    const LimitFacts& limits = subject.facts.limits;
    if (!limits.tracked_max || listens_on_loopback_alone(subject.config)) return;
    const uint64_t tracked = limits.tracked_now.value_or(0);
    const bool tracks = tracked > 0;
    const bool fits = *limits.tracked_max >= subject.connections();
    const uint64_t spare = *limits.tracked_max - std::min(*limits.tracked_max, tracked);
    if (spare < *limits.tracked_max / 10) {
        findings.push_back(
            {.id = "conntrack",
             .severity = Severity::capacity,
             .what = "the table of tracked connections is full, or nearly: the "
                     "kernel drops newcomers of every service",
             .found = fmt::format("{} of nf_conntrack_max = {}", tracked, *limits.tracked_max),
             .wanted = "no tracking of the server's ports",
             .cost = connections_instead_of(spare, subject) +
                     ", if none of the tracked ones is the server's own",
             .mend = tune_command(subject, "conntrack") + connections_option(subject),
             .connections_left = spare});
        return;
    }
    if (fits && !tracks) return;
    Finding finding{
        .id = "conntrack",
        .severity = tracks ? Severity::performance : Severity::note,
        .what = "each packet is looked up in the table of tracked connections",
        .found = fmt::format("nf_conntrack_max = {}, {} tracked now", *limits.tracked_max, tracked),
        .wanted = "no tracking of the server's ports",
        .cost = not_measured,
        .mend = tune_command(subject, "conntrack") + connections_option(subject)};
    if (!fits) {
        finding.what = "a full table of tracked connections refuses newcomers";
        finding.wanted = fmt::format("{}, or no tracking", subject.connections());
        finding.cost = connections_instead_of(*limits.tracked_max, subject);
        if (tracks) {
            finding.severity = Severity::capacity;
            finding.connections_left = *limits.tracked_max;
        } else {
            finding.cost += ", once a firewall rule tracks: none does now";
        }
    }
    findings.push_back(std::move(finding));
}

void judge_queues(const Subject& subject, Findings& findings) {
    const LimitFacts& limits = subject.facts.limits;
    const uint32_t wanted = subject.config.uring.listen_backlog;
    const char* cost =
        "in a storm of connects the kernel drops what doesn't fit, and a client tries "
        "again after a second (RFC 6298, 2.1), then two; how many: not measured";
    if (limits.accept_queue.value_or(UINT64_MAX) < wanted) {
        findings.push_back({.id = "accept_queue",
                            .severity = Severity::performance,
                            .what = "the kernel cuts uring.listen_backlog to net.core.somaxconn",
                            .found = fmt::format("{}", *limits.accept_queue),
                            .wanted = fmt::format("{}", wanted),
                            .cost = cost,
                            .mend = tune_command(subject, "backlogs")});
    }
    // The queue is of no concern to a kernel that may answer by cookies (tcp_conn_request()).
    if (limits.syn_cookies == 0 && limits.handshake_queue.value_or(UINT64_MAX) < wanted) {
        findings.push_back({.id = "handshake_queue",
                            .severity = Severity::performance,
                            .what = "without SYN cookies fewer handshakes may be under way than "
                                    "may wait to be accepted (net.ipv4.tcp_max_syn_backlog)",
                            .found = fmt::format("{}", *limits.handshake_queue),
                            .wanted = fmt::format("{} (uring.listen_backlog)", wanted),
                            .cost = cost,
                            .mend = tune_command(subject, "backlogs")});
    }
}

void judge_buffers(const Subject& subject, Findings& findings) {
    const LimitFacts& limits = subject.facts.limits;
    constexpr uint64_t page_bytes = 4'096;
    const uint64_t pages = limits.tcp_memory_pages.value_or(UINT64_MAX);
    // More than a quarter of the memory shouldn't be in sockets' buffers.
    const uint64_t memory = subject.facts.memory.bytes;
    const uint64_t wanted =
        std::min(subject.connections(), memory == 0 ? UINT64_MAX : memory / 4 / page_bytes);
    if (pages < wanted) {
        findings.push_back(
            {.id = "tcp_memory",
             .severity = Severity::performance,
             .what = "all sockets together may buffer no more than the last value of "
                     "net.ipv4.tcp_mem; a message that waits in a socket takes a page at least",
             .found = fmt::format("{} pages", pages),
             .wanted = fmt::format(
                 "{} pages, {}", wanted,
                 wanted < subject.connections() ? "a quarter of the memory" : "one a connection"),
             .cost = fmt::format("past {} slow receivers of a broadcast the kernel shrinks every "
                                 "connection's window and drops; how much: not measured",
                                 pages),
             .mend = tune_command(subject, "tcp_memory") + connections_option(subject)});
    }
    const uint32_t send_bytes = subject.config.uring.socket_send_bytes;
    if (limits.send_buffer_bytes.value_or(UINT64_MAX) < send_bytes) {
        findings.push_back({.id = "send_buffer",
                            .severity = Severity::performance,
                            .what = "the kernel cuts uring.socket_send_bytes to net.core.wmem_max",
                            .found = fmt::format("{}", *limits.send_buffer_bytes),
                            .wanted = fmt::format("{}", send_bytes),
                            .cost = not_measured,
                            .mend = fmt::format("sysctl -w net.core.wmem_max={}", send_bytes)});
    }
}

// Blocks are registered with the ring for zero-copy sends, and count as locked memory
// (io_uring_register(2)). A shard registers this much of them at most
// (net/uring/uring_transport.cc).
constexpr uint64_t registered_bytes_a_shard = uint64_t{256} << 20;

void judge_locked_memory(const Subject& subject, Findings& findings) {
    const LimitFacts& limits = subject.facts.limits;
    if (subject.config.uring.zero_copy_bytes_min == 0 || limits.may_lock_memory) return;
    const uint64_t wanted = registered_bytes_a_shard * subject.plan.count;
    const uint64_t limit = limits.locked_bytes_hard.value_or(UINT64_MAX);
    if (limit >= wanted) return;
    findings.push_back(
        {.id = "locked_memory",
         .severity = Severity::performance,
         .what = "not all blocks can be registered for zero-copy sends: the kernel "
                 "pins pages anew for the others",
         .found = readable_bytes(limit),
         .wanted = readable_bytes(wanted),
         .cost = not_measured,
         .mend = fmt::format("LimitMEMLOCK={} in the systemd unit, or ulimit -Hl before "
                             "the start",
                             wanted)});
}

// "8080,9000-9100"
bool is_in_ranges(std::string_view ranges, uint16_t port) {
    while (!ranges.empty()) {
        const size_t comma = std::min(ranges.find(','), ranges.size());
        const std::string_view part = ranges.substr(0, comma);
        const size_t dash = part.find('-');
        const auto first = parse_number(part.substr(0, dash));
        const auto last =
            dash == std::string_view::npos ? first : parse_number(part.substr(dash + 1));
        if (first && last && port >= *first && port <= *last) return true;
        ranges.remove_prefix(std::min(comma + 1, ranges.size()));
    }
    return false;
}

void judge_listen_port(const LimitFacts& limits, uint16_t port, Findings& findings) {
    const auto& range = *limits.local_ports;
    const std::string& reserved = limits.reserved_ports;
    if (port < range.first || port > range.second || is_in_ranges(reserved, port)) return;
    findings.push_back(
        {.id = "listen_port",
         .severity = Severity::note,
         .what = fmt::format("port {} may be taken by an outgoing connection of this host while "
                             "the server is down",
                             port),
         .found = fmt::format("net.ipv4.ip_local_port_range = {} {}", range.first, range.second),
         .wanted = "outside of the range, or in net.ipv4.ip_local_reserved_ports",
         .cost = "a restart may find its address in use",
         .mend = fmt::format(
             "sysctl -w net.ipv4.ip_local_reserved_ports={}",
             shell_word(fmt::format("{}{}{}", reserved, reserved.empty() ? "" : ",", port)))});
}

void judge_ports(const Subject& subject, Findings& findings) {
    const auto& range = subject.facts.limits.local_ports;
    if (!range) return;
    for (const ListenAddress& local : subject.config.listen) {
        judge_listen_port(subject.facts.limits, local.port, findings);
    }
    const uint64_t count = range->second - range->first + 1;
    constexpr uint64_t wide = 60'000;
    // With clients on other hosts nobody needs these ports here.
    if (!listens_on_loopback_alone(subject.config)) return;
    if (range->second < range->first || count >= wide) return;
    findings.push_back(
        {.id = "port_range",
         .severity = Severity::note,
         .what = "a load generator on this host has few ports; the server needs none",
         .found = fmt::format("{} ports", count),
         .wanted = "1024 to 65535",
         .cost = fmt::format("millrace load reaches one address and port by {} "
                             "connections from each source address",
                             count),
         .mend = tune_command(subject, "ports")});
}

}  // namespace

void judge_limits(const Subject& subject, Findings& findings) {
    judge_open_files(subject, findings);
    judge_connection_tracking(subject, findings);
    judge_queues(subject, findings);
    judge_buffers(subject, findings);
    judge_locked_memory(subject, findings);
    judge_ports(subject, findings);
}

}  // namespace millrace::doctor
