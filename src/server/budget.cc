#include "server/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "port/memory_needed.h"
#include "server/dpdk_config.h"
#include "server/kernel_memory.h"

namespace millrace {
namespace {

using Kind = BudgetTerm::Kind;

// Assumed where a text's length is up to the clients.
constexpr uint32_t client_id_bytes = 24;
constexpr uint32_t filter_text_bytes = 32;

uint64_t saturating_product(uint64_t left, uint64_t right) {
    uint64_t product = 0;
    return __builtin_mul_overflow(left, right, &product) ? UINT64_MAX : product;
}

uint64_t saturating_sum(uint64_t left, uint64_t right) {
    uint64_t sum = 0;
    return __builtin_add_overflow(left, right, &sum) ? UINT64_MAX : sum;
}

void add_uring(std::vector<BudgetTerm>& terms, const UringOptions& uring) {
    terms.push_back({Kind::reserved, "submission queue", uring.submission_entries,
                     submission_entry_bytes, "uring.submission_entries"});
    terms.push_back({Kind::reserved, "completion queue", uring.completion_entries,
                     completion_entry_bytes, "uring.completion_entries"});
    terms.push_back({Kind::reserved, "receive buffers", uring.receive_buffer_count,
                     uint64_t{uring.receive_buffer_bytes} + provided_buffer_entry_bytes,
                     "uring.receive_buffer_count, lent only while data is in flight"});
}

void add_dpdk(std::vector<BudgetTerm>& terms, const DpdkOptions& dpdk, uint32_t shard_count) {
    terms.push_back({Kind::reserved, "DPDK's memory", 1,
                     memory_needed(port_options(dpdk, shard_count)) / shard_count,
                     dpdk.memory_bytes != 0
                         ? "dpdk.memory_bytes, divided by the shards"
                         : "buffers and descriptors of [dpdk], divided by the shards"});
}

void add_reserved(std::vector<BudgetTerm>& terms, const Config& config, uint32_t shard_count) {
    if (config.net == "dpdk") {
        add_dpdk(terms, config.dpdk, shard_count);
    } else {
        add_uring(terms, config.uring);
    }
    terms.push_back({Kind::reserved, "mailbox rings", shard_count, config.shards.mailbox_ring_bytes,
                     "from each other shard and the host; touched as they fill"});
}

void add_typical(std::vector<BudgetTerm>& terms, const Config& config, const ObjectSizes& sizes) {
    const uint64_t connections = config.shards.connections_max;
    const bool own_tcp = config.net == "dpdk";
    terms.push_back({Kind::typical, "connections", connections,
                     own_tcp ? sizes.tcp_connection_bytes : sizes.connection_bytes,
                     own_tcp ? "shards.connections_max; our own TCP included"
                             : "shards.connections_max"});
    terms.push_back({Kind::typical, "sessions", connections, sizes.session_bytes,
                     "one a connection; absent clients' come on top"});
    terms.push_back({Kind::typical, "client ids", connections, client_id_bytes,
                     "assumed length; it's up to the clients"});
    terms.push_back({Kind::typical, "subscriptions", connections, sizes.subscription_bytes,
                     "assumed: one a session"});
    terms.push_back({Kind::typical, "filters", connections,
                     uint64_t{sizes.filter_bytes} + filter_text_bytes,
                     "worst case: all different; text length assumed"});
}

void add_bounds(std::vector<BudgetTerm>& terms, const Config& config, const ObjectSizes& sizes,
                uint32_t shard_count) {
    const uint64_t connections = config.shards.connections_max;
    const QueueLimits& queues = config.queues;
    terms.push_back({Kind::bound, "partial packets", connections, config.mqtt.maximum_packet_bytes,
                     "every client in the middle of mqtt.maximum_packet_bytes"});
    terms.push_back({Kind::bound, "unsent output", connections, queues.send_bytes_max,
                     "queues.send_bytes_max; receivers of one message share it"});
    terms.push_back({Kind::bound, "in flight", connections,
                     uint64_t{queues.inflight_max} * sizes.inflight_bytes,
                     "queues.inflight_max a session, payloads counted above"});
    const uint64_t references = uint64_t{queues.session_messages_max} * sizes.queued_message_bytes;
    terms.push_back({Kind::bound, "session queues", connections,
                     saturating_sum(queues.session_bytes_max, references),
                     "queues.session_bytes_max and session_messages_max references"});
    terms.push_back({Kind::bound, "retained entries", queues.retained_messages_max / shard_count,
                     sizes.retained_bytes, "queues.retained_messages_max, divided by the shards"});
    terms.push_back({Kind::bound, "retained bytes", 1, queues.retained_bytes_max / shard_count,
                     "queues.retained_bytes_max, divided by the shards"});
    terms.push_back({Kind::bound, "mailbox overflow", shard_count - 1, queues.mailbox_bytes_max,
                     "queues.mailbox_bytes_max to each other shard"});
}

struct Section {
    Kind kind;
    const char* title;
    const char* sum;
};

constexpr std::array sections{
    Section{Kind::reserved, "Reserved at start", "reserved"},
    Section{Kind::typical, "All connections open and idle", "idle"},
    Section{Kind::bound, "Every bound reached at the same moment", "bounds"},
    Section{Kind::kernel, "Kernel (an estimate, outside of the process)", "kernel"},
};

std::string render_section(const Budget& budget, const Section& section) {
    std::string out = fmt::format("\n{}\n", section.title);
    for (const BudgetTerm& term : budget.terms) {
        if (term.kind != section.kind) continue;
        out +=
            fmt::format("  {:<18}{:>13} x {:>10} {:>11}   {}\n", term.name, term.count,
                        readable_bytes(term.each_bytes), readable_bytes(term.bytes()), term.reason);
    }
    const uint64_t total = budget.total(section.kind);
    out += fmt::format("  {:<18}{:>26} {:>11}   {} over {} shard{}\n", section.sum, "a shard",
                       readable_bytes(total),
                       readable_bytes(saturating_product(total, budget.host.shard_count)),
                       budget.host.shard_count, budget.host.shard_count == 1 ? "" : "s");
    return out;
}

std::string render_cap(const Budget& budget) {
    const uint64_t cap = budget.host.memory_bytes_per_shard;
    const uint64_t idle = budget.total(Kind::typical);
    const uint64_t all = saturating_sum(idle, budget.total(Kind::bound));
    std::string out = fmt::format(
        "\nCap of a shard's memory: {}, {} in all (shards.memory_bytes_max).\n",
        readable_bytes(cap), readable_bytes(saturating_product(cap, budget.host.shard_count)));
    if (idle > cap) {
        out +=
            "The idle connections alone do not fit: accepting stops when it is used up. Lower\n"
            "shards.connections_max or raise the cap.\n";
    } else if (all > cap) {
        out += fmt::format(
            "The idle connections leave {} of it for everything that waits. All bounds together "
            "would\nneed more: when it is used up, accepting stops and publishes are refused or "
            "dropped, and counted.\n",
            readable_bytes(cap - idle));
    } else {
        out += "Even the bounds fit.\n";
    }
    return out;
}

}  // namespace

uint64_t BudgetTerm::bytes() const {
    return saturating_product(count, each_bytes);
}

uint64_t Budget::total(BudgetTerm::Kind kind) const {
    uint64_t sum = 0;
    for (const BudgetTerm& term : terms) {
        if (term.kind == kind) sum = saturating_sum(sum, term.bytes());
    }
    return sum;
}

Budget make_budget(const Config& config, const ObjectSizes& sizes, const BudgetHost& host) {
    MR_ASSERT(host.shard_count >= 1);
    Budget budget{.host = host, .terms = {}};
    add_reserved(budget.terms, config, host.shard_count);
    add_typical(budget.terms, config, sizes);
    add_bounds(budget.terms, config, sizes, host.shard_count);
    if (config.net == "dpdk") {
        budget.terms.push_back({Kind::bound, "TIME-WAIT", config.dpdk.time_wait_count_max,
                                sizes.time_wait_bytes, "dpdk.time_wait_count_max"});
        budget.terms.push_back({Kind::bound, "half-open", config.dpdk.half_open_count_max,
                                sizes.half_open_bytes, "dpdk.half_open_count_max"});
    } else {
        budget.terms.push_back({Kind::kernel, "TCP sockets", config.shards.connections_max,
                                kernel_socket_bytes, "idle, with empty buffers"});
    }
    return budget;
}

std::string render_budget(const Budget& budget) {
    std::string out =
        fmt::format("Memory of one shard, and of {} in all\n", budget.host.shard_count);
    for (const Section& section : sections) out += render_section(budget, section);
    return out + render_cap(budget);
}

std::string readable_bytes(uint64_t bytes) {
    if (bytes == UINT64_MAX) return "too much";
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    auto value = static_cast<double>(bytes);
    while (value >= 1'024 && unit + 1 < units.size()) {
        value /= 1'024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace millrace
