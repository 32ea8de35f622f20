#include "server/doctor/report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_line.h"
#include "base/json_text.h"

namespace millrace::doctor {
namespace {

std::string upper(std::string_view word) {
    std::string out(word);
    for (char& letter : out) {
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    }
    return out;
}

// What a host's files say may be anything, and control characters steer a terminal.
std::string printable(std::string text) {
    for (char& character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20 || byte == 0x7f) character = '?';
    }
    return text;
}

std::string heading(const Subject& subject) {
    const Facts& facts = subject.facts;
    const BudgetTerm::Kind kernel = BudgetTerm::Kind::kernel;
    const uint64_t ours = subject.budget.total(BudgetTerm::Kind::reserved) +
                          subject.budget.total(BudgetTerm::Kind::typical);
    return fmt::format(
        "Linux {}, {} usable core{}, {} of memory\n"
        "net = \"{}\", {} shard{} on core{} {}, {} connections in all: idle they take {} in the "
        "process and {} in the kernel\n",
        facts.release.empty() ? "(release unknown)" : printable(facts.release),
        facts.cores_usable.size(), facts.cores_usable.size() == 1 ? "" : "s",
        facts.memory.bytes == 0 ? "an unknown amount" : readable_bytes(facts.memory.bytes),
        subject.config.net, subject.plan.count, subject.plan.count == 1 ? "" : "s",
        shard_cores(subject).size() == 1 ? "" : "s", cpu_list(subject.plan.cpus),
        subject.connections(), readable_bytes(ours * subject.plan.count),
        readable_bytes(subject.budget.total(kernel) * subject.plan.count));
}

std::string sum_line(const std::vector<Finding>& findings) {
    std::string parts;
    for (const Severity severity :
         {Severity::blocks, Severity::capacity, Severity::performance, Severity::note}) {
        const auto count =
            std::count_if(findings.begin(), findings.end(),
                          [&](const Finding& finding) { return finding.severity == severity; });
        if (count == 0) continue;
        parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, name_of(severity));
    }
    return parts.empty() ? "Nothing was found that hurts.\n" : "Found: " + parts + ".\n";
}

std::string finding_json(const Finding& finding) {
    JsonLine line;
    line.add_text("id", finding.id);
    line.add_text("severity", name_of(finding.severity));
    line.add_text("what", finding.what);
    line.add_text("found", finding.found);
    line.add_text("wanted", finding.wanted);
    line.add_text("cost", finding.cost);
    line.add_text("mend", finding.mend);
    return line.object();
}

std::string uring_json(const UringFacts& uring) {
    JsonLine line;
    line.add("probed", uring.probed);
    line.add_text("refusal", uring.refusal);
    line.add("send_zero_copy", uring.send_zero_copy);
    line.add("zero_copy_report", uring.zero_copy_report);
    line.add("registered_ring", uring.registered_ring);
    line.add("incremental_buffers", uring.incremental_buffers);
    line.add("napi", uring.napi);
    line.add("disabled", json_number(uring.disabled));
    line.add("filtered", uring.filtered);
    return line.object();
}

std::string core_json(const CoreFacts& core) {
    JsonLine line;
    line.add("index", core.index);
    line.add("node", json_number(core.node));
    line.add("siblings", json_numbers(core.siblings));
    line.add_text("governor", core.governor);
    line.add("wake_up_us", json_number(core.wake_up_us));
    return line.object();
}

std::string node_json(const NodeFacts& node) {
    JsonLine line;
    line.add("index", node.index);
    line.add("cores", json_numbers(node.cores));
    line.add("huge_pages", node.huge_pages);
    line.add("huge_pages_free", node.huge_pages_free);
    return line.object();
}

std::string clock_json(const ClockFacts& clock) {
    JsonLine line;
    line.add_text("source", clock.source);
    line.add_text("available", clock.available);
    line.add("read_ns", json_number(clock.read_ns));
    return line.object();
}

std::string memory_json(const MemoryFacts& memory) {
    JsonLine line;
    line.add("bytes", memory.bytes);
    line.add("group_bytes", json_number(memory.group_bytes));
    line.add("huge_pages", memory.huge_pages);
    line.add("huge_pages_free", memory.huge_pages_free);
    line.add("huge_page_bytes", memory.huge_page_bytes);
    line.add("swap_bytes", memory.swap_bytes);
    line.add("group_swap_bytes", json_number(memory.group_swap_bytes));
    line.add_text("transparent_huge_pages", memory.transparent_huge_pages);
    return line.object();
}

std::string limits_json(const LimitFacts& limits) {
    JsonLine line;
    line.add("open_files_hard", json_number(limits.open_files_hard));
    line.add("locked_bytes_hard", json_number(limits.locked_bytes_hard));
    line.add("may_lock_memory", limits.may_lock_memory);
    line.add("open_files_ceiling", json_number(limits.open_files_ceiling));
    line.add("files_of_host", json_number(limits.files_of_host));
    line.add("accept_queue", json_number(limits.accept_queue));
    line.add("handshake_queue", json_number(limits.handshake_queue));
    line.add("syn_cookies", json_number(limits.syn_cookies));
    line.add("send_buffer_bytes", json_number(limits.send_buffer_bytes));
    line.add("tcp_memory_pages", json_number(limits.tcp_memory_pages));
    line.add("tracked_max", json_number(limits.tracked_max));
    line.add("tracked_now", json_number(limits.tracked_now));
    line.add("local_ports", limits.local_ports ? fmt::format("[{},{}]", limits.local_ports->first,
                                                             limits.local_ports->second)
                                               : "null");
    line.add_text("reserved_ports", limits.reserved_ports);
    return line.object();
}

std::string interrupt_json(const InterruptFacts& interrupt) {
    JsonLine line;
    line.add("number", interrupt.number);
    line.add_text("name", interrupt.name);
    line.add("cores", json_numbers(interrupt.cores));
    return line.object();
}

std::string card_json(const CardFacts& card) {
    JsonLine line;
    line.add_text("name", card.name);
    line.add_text("driver", card.driver);
    line.add("is_physical", card.is_physical);
    line.add("is_up", card.is_up);
    line.add("node", json_number(card.node));
    line.add("receive_queues", card.receive_queues);
    line.add("transmit_queues", card.transmit_queues);
    line.add("spread_cores", json_numbers(card.spread_cores));
    line.add("interrupts", json_list(card.interrupts, interrupt_json));
    line.add("below", json_list(card.below, json_text));
    return line.object();
}

std::string network_json(const NetworkFacts& network) {
    JsonLine line;
    line.add("cards", json_list(network.cards, card_json));
    line.add("addresses", json_list(network.addresses, [](const AddressFacts& address) {
                 JsonLine one;
                 one.add_text("card", address.card);
                 one.add_text("range", address.range.text());
                 return one.object();
             }));
    line.add_text("congestion", network.congestion);
    line.add_text("queue_discipline", network.queue_discipline);
    line.add("irqbalance", network.irqbalance);
    return line.object();
}

std::string dpdk_json(const DpdkFacts& dpdk) {
    JsonLine line;
    line.add("functions", json_list(dpdk.functions, [](const PciFacts& function) {
                 JsonLine one;
                 one.add_text("address", function.address);
                 one.add_text("driver", function.driver);
                 one.add("node", json_number(function.node));
                 return one.object();
             }));
    line.add("has_iommu", dpdk.has_iommu);
    line.add("unsafe_vfio", dpdk.unsafe_vfio);
    return line.object();
}

// What the configuration comes to on this host.
std::string plan_json(const Subject& subject) {
    using Kind = BudgetTerm::Kind;
    JsonLine line;
    line.add_text("net", subject.config.net);
    line.add("shards", subject.plan.count);
    line.add("cores", json_numbers(subject.plan.cpus));
    line.add("connections", subject.connections());
    line.add("memory_bytes_max", subject.plan.memory_bytes_each * subject.plan.count);
    line.add("idle_bytes",
             (subject.budget.total(Kind::reserved) + subject.budget.total(Kind::typical)) *
                 subject.plan.count);
    line.add("kernel_bytes", subject.budget.total(Kind::kernel) * subject.plan.count);
    return line.object();
}

std::string facts_json(const Subject& subject) {
    const Facts& facts = subject.facts;
    JsonLine line;
    line.add_text("release", facts.release);
    line.add_text("tune", facts.tune);
    line.add("plan", plan_json(subject));
    line.add("cores_usable", json_numbers(facts.cores_usable));
    line.add("cores_allowed", json_numbers(facts.cores_allowed));
    line.add("cores_isolated", json_numbers(facts.cores_isolated));
    line.add("cores", json_list(facts.cores, core_json));
    line.add("nodes", json_list(facts.nodes, node_json));
    line.add("io_uring", uring_json(facts.uring));
    line.add("clock", clock_json(facts.clock));
    line.add("memory", memory_json(facts.memory));
    line.add("limits", limits_json(facts.limits));
    line.add("network", network_json(facts.network));
    line.add("dpdk", dpdk_json(facts.dpdk));
    line.add("unreadable", json_list(facts.unreadable, json_text));
    return line.object();
}

}  // namespace

std::string render_text(const Subject& subject, const std::vector<Finding>& findings) {
    std::string out = heading(subject);
    for (const Finding& finding : findings) {
        out += fmt::format("\n{} {}: {}\n  found   {}\n  wanted  {}\n  cost    {}\n  mend    {}\n",
                           upper(name_of(finding.severity)), finding.id, printable(finding.what),
                           printable(finding.found), printable(finding.wanted),
                           printable(finding.cost), printable(finding.mend));
    }
    return out + "\n" + sum_line(findings);
}

std::string render_json(const Subject& subject, const std::vector<Finding>& findings) {
    JsonLine line;
    line.add("findings", json_list(findings, finding_json));
    line.add("facts", facts_json(subject));
    return line.object() + "\n";
}

}  // namespace millrace::doctor
