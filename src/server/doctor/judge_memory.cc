// The bill of the configured connections against the memory of the host; huge pages.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "server/doctor/judge.h"

namespace millrace::doctor {
namespace {

using Kind = BudgetTerm::Kind;

constexpr uint64_t huge_page_bytes = 2'097'152;  // what a shard takes its memory in (arena.cc)

// The configured connections, all open and idle.
struct Bill {
    uint64_t reserved;  // of all shards, whoever connects
    uint64_t ours;      // of all connections
    uint64_t kernel;    // of their sockets
    uint64_t connections;

    uint64_t sum() const { return reserved + ours + kernel; }
    // How many connections that much pays for.
    uint64_t connections_for(uint64_t bytes) const {
        if (bytes <= reserved) return 0;
        const uint64_t each = std::max<uint64_t>(1, (ours + kernel) / connections);
        return (bytes - reserved) / each;
    }
};

Bill bill_of(const Subject& subject) {
    const uint64_t count = subject.plan.count;
    return {.reserved = subject.budget.total(Kind::reserved) * count,
            .ours = subject.budget.total(Kind::typical) * count,
            .kernel = subject.budget.total(Kind::kernel) * count,
            .connections = subject.connections()};
}

std::string open_connections(const Subject& subject, uint64_t left) {
    return fmt::format("about {} idle connections instead of {}", left, subject.connections());
}

void judge_shard_memory(const Subject& subject, const Bill& bill, Findings& findings) {
    const uint64_t each = bill.ours / subject.plan.count;
    const uint64_t cap = subject.plan.memory_bytes_each;
    if (each <= cap) return;
    const uint64_t left = cap /
                          std::max<uint64_t>(1, each / subject.config.shards.connections_max) *
                          subject.plan.count;
    findings.push_back({.id = "shard_memory",
                        .severity = Severity::capacity,
                        .what = "a shard's memory ends before its connections are all open",
                        .found = readable_bytes(cap) + " a shard",
                        .wanted = readable_bytes(each) + " for idle connections alone",
                        .cost = open_connections(subject, left),
                        .mend = "raise shards.memory_bytes_max, or lower shards.connections_max "
                                "(millrace serve --print-budget)",
                        .connections_left = left});
}

void judge_host_memory(const Subject& subject, const Bill& bill, Findings& findings) {
    const MemoryFacts& memory = subject.facts.memory;
    const uint64_t limit = std::min(memory.bytes, memory.group_bytes.value_or(UINT64_MAX));
    const char* whose = limit == memory.bytes ? "the host" : "the control group";
    const uint64_t promised = subject.plan.memory_bytes_each * subject.plan.count + bill.kernel;
    if (bill.sum() > limit) {
        const uint64_t left = bill.connections_for(limit);
        findings.push_back(
            {.id = "memory",
             .severity = Severity::capacity,
             .what = "the configured connections need more memory than there is",
             .found = fmt::format("{} in {}", readable_bytes(limit), whose),
             .wanted = fmt::format("{} in the process and {} in the kernel, all of them idle",
                                   readable_bytes(bill.reserved + bill.ours),
                                   readable_bytes(bill.kernel)),
             .cost = open_connections(subject, left) + "; past that the kernel ends the process",
             .mend = fmt::format("shards.connections_max = {}, or more memory",
                                 std::max<uint64_t>(1, left / subject.plan.count)),
             .connections_left = left});
    } else if (promised > limit) {
        findings.push_back(
            {.id = "memory_promised",
             .severity = Severity::performance,
             .what = "the shards may fill their memory until none is left for sockets",
             .found = fmt::format("{} in {}", readable_bytes(limit), whose),
             .wanted = fmt::format("{}: shards.memory_bytes_max of each, and the kernel's sockets",
                                   readable_bytes(promised)),
             .cost = "none while queues are short; when they fill, the kernel ends the process",
             .mend = fmt::format("shards.memory_bytes_max = {}, or fewer connections",
                                 limit > bill.kernel ? (limit - bill.kernel) / subject.plan.count
                                                     : bill.ours / subject.plan.count)});
    }
}

void judge_swap(const Subject& subject, Findings& findings) {
    const MemoryFacts& memory = subject.facts.memory;
    const uint64_t usable =
        std::min(memory.swap_bytes, memory.group_swap_bytes.value_or(UINT64_MAX));
    if (usable == 0) return;
    findings.push_back({.id = "swap",
                        .severity = Severity::performance,
                        .what = "memory of silent connections may be moved to disk: a shard waits "
                                "for it, and so do all its connections",
                        .found = readable_bytes(usable) + " of swap",
                        .wanted = "none for the server; huge pages aren't swapped",
                        .cost = "a read from disk for each page that is needed again; its time: "
                                "not measured",
                        .mend = "MemorySwapMax=0 in the systemd unit, or swapoff -a"});
}

// Pages of the pool can't hold sockets.
void judge_pool_against_sockets(const Subject& subject, const Bill& bill, Findings& findings) {
    const MemoryFacts& memory = subject.facts.memory;
    const uint64_t pool = memory.huge_pages * memory.huge_page_bytes;
    if (pool == 0 || pool > memory.bytes || bill.sum() > memory.bytes) return;
    const uint64_t plain = memory.bytes - pool;
    if (bill.kernel <= plain) return;
    const uint64_t left = plain / std::max<uint64_t>(1, bill.kernel / bill.connections);
    findings.push_back({.id = "huge_page_pool",
                        .severity = Severity::capacity,
                        .what = "huge pages are set aside for processes: the kernel's sockets have "
                                "to do with the rest",
                        .found = fmt::format("{} of {} are huge pages", readable_bytes(pool),
                                             readable_bytes(memory.bytes)),
                        .wanted = fmt::format("{} left for sockets", readable_bytes(bill.kernel)),
                        .cost = open_connections(subject, left),
                        .mend = fmt::format("sysctl -w vm.nr_hugepages={}",
                                            (memory.bytes - bill.kernel) / 2 /
                                                std::max<uint64_t>(1, memory.huge_page_bytes)),
                        .connections_left = left});
}

// Huge pages that the shards of each node take until their connections are open.
std::map<uint32_t, uint64_t> pages_wanted(const Subject& subject) {
    const bool own_dpdk = subject.is_dpdk() && subject.config.dpdk.huge_pages;
    uint64_t each = 0;
    if (subject.config.shards.huge_pages == HugePagesMode::when_available) {
        const uint64_t idle = subject.budget.total(Kind::typical) +
                              (subject.is_dpdk() ? 0 : subject.budget.total(Kind::reserved));
        each = std::min(idle, subject.plan.memory_bytes_each);
    }
    if (own_dpdk) each += dpdk_memory_bytes(subject) / subject.plan.count;
    std::map<uint32_t, uint64_t> pages;
    for (const uint32_t cpu : subject.plan.cpus) {
        const CoreFacts* core = find_core(subject.facts, cpu);
        pages[core != nullptr ? core->node.value_or(0) : 0] +=
            (each + huge_page_bytes - 1) / huge_page_bytes;
    }
    return pages;
}

uint64_t pages_free(const Facts& facts, uint32_t node) {
    for (const NodeFacts& one : facts.nodes) {
        if (one.index == node) return one.huge_pages_free;
    }
    return facts.memory.huge_pages_free;  // no nodes are known: one pool for all
}

}  // namespace

void judge_memory(const Subject& subject, Findings& findings) {
    if (subject.facts.memory.bytes == 0) return;  // not known
    const Bill bill = bill_of(subject);
    judge_shard_memory(subject, bill, findings);
    judge_host_memory(subject, bill, findings);
    judge_pool_against_sockets(subject, bill, findings);
    judge_swap(subject, findings);
}

void judge_huge_pages(const Subject& subject, Findings& findings) {
    const MemoryFacts& memory = subject.facts.memory;
    const bool in_shards = subject.config.shards.huge_pages == HugePagesMode::when_available;
    if (memory.huge_page_bytes == 0) return;  // not known, or a kernel without them
    if (in_shards && memory.huge_page_bytes != huge_page_bytes) {
        findings.push_back({.id = "huge_page_bytes",
                            .severity = Severity::performance,
                            .what = "shards take memory in steps of 2 MiB, which other huge pages "
                                    "can't serve: they get plain pages",
                            .found = readable_bytes(memory.huge_page_bytes) + " by default",
                            .wanted = readable_bytes(huge_page_bytes),
                            .cost = not_measured,
                            .mend = "default_hugepagesz=2M on the kernel command line"});
        return;
    }
    std::string found;
    std::string wanted;
    uint64_t missing = 0;
    uint64_t most = 0;
    for (const auto& [node, pages] : pages_wanted(subject)) {
        const uint64_t free = pages_free(subject.facts, node);
        found += fmt::format("{}{} on node {}", found.empty() ? "" : ", ", free, node);
        wanted += fmt::format("{}{} on node {}", wanted.empty() ? "" : ", ", pages, node);
        if (pages > free) missing += pages - free;
        most = std::max(most, pages);
    }
    if (missing == 0) return;
    findings.push_back({.id = "huge_pages",
                        .severity = Severity::performance,
                        .what = "the shards' memory is in pages of 4 KiB where no huge ones are "
                                "free on their NUMA node",
                        .found = found + " free, of 2 MiB",
                        .wanted = wanted + ", for the configured connections while idle",
                        .cost = fmt::format("{} in plain pages, or on another node: more misses "
                                            "of the TLB; not measured{}",
                                            readable_bytes(missing * huge_page_bytes),
                                            memory.transparent_huge_pages == "always"
                                                ? ". Transparent huge pages stand in where the "
                                                  "kernel finds some"
                                                : ""),
                        .mend = fmt::format("{} --huge-page-mib {}",
                                            tune_command(subject, "huge_pages"), most * 2)});
}

}  // namespace millrace::doctor
