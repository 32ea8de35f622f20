// Network cards as the kernel drives them, against the shards: queues, interrupts, nodes, pacing.
#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "server/doctor/judge.h"

namespace millrace::doctor {
namespace {

void judge_card_queues(const Subject& subject, const CardFacts& card, Findings& findings) {
    const uint32_t wanted = static_cast<uint32_t>(shard_cores(subject).size());
    if (card.receive_queues == 0 || card.receive_queues == wanted) return;
    Finding finding{.id = "card_queues",
                    .severity = Severity::performance,
                    .what = fmt::format("{}: the kernel's receive work of {} shards runs on {} "
                                        "core{}",
                                        card.name, wanted, card.receive_queues,
                                        card.receive_queues == 1 ? "" : "s"),
                    .found = fmt::format("{} receive queue{}", card.receive_queues,
                                         card.receive_queues == 1 ? "" : "s"),
                    .wanted = fmt::format("{}: one a shard's core", wanted),
                    .cost = not_measured,
                    .mend = tune_command(subject, "queues,interrupts", card.name)};
    if (card.receive_queues > wanted) {
        finding.what = fmt::format(
            "{}: more receive queues than shards' cores, so interrupts also "
            "go elsewhere, or several to one core",
            card.name);
        finding.severity = Severity::note;
    } else if (card.spread_cores.size() >= wanted) {
        finding.what +=
            fmt::format(", and is handed on to {} in software (RPS)", cpu_list(card.spread_cores));
        finding.severity = Severity::note;
    } else {
        finding.mend += fmt::format("; if the card has no more: {}",
                                    tune_command(subject, "steering", card.name));
    }
    findings.push_back(std::move(finding));
}

// Software that hands packets on to other cores, where the card does that already.
void judge_spread(const Subject& subject, const CardFacts& card, Findings& findings) {
    if (card.spread_cores.empty() || card.receive_queues < shard_cores(subject).size()) return;
    findings.push_back({.id = "software_spread",
                        .severity = Severity::performance,
                        .what = fmt::format("{}: the card spreads packets over the shards' cores, "
                                            "and software does it once more (RPS)",
                                            card.name),
                        .found = fmt::format("{} receive queues, rps_cpus = {}",
                                             card.receive_queues, cpu_list(card.spread_cores)),
                        .wanted = "rps_cpus = 0",
                        .cost = "an interrupt between cores for each batch that moves; its time: "
                                "not measured",
                        .mend = tune_command(subject, "steering", card.name)});
}

void judge_interrupts(const Subject& subject, const CardFacts& card, Findings& findings) {
    const std::vector<uint32_t> cores = shard_cores(subject);
    std::vector<uint32_t> served;
    std::string elsewhere;
    uint32_t misplaced = 0;
    for (const InterruptFacts& interrupt : card.interrupts) {
        if (interrupt.cores.empty()) continue;
        const uint32_t core = interrupt.cores.front();
        const bool is_good = contains(cores, core) && !contains(served, core);
        if (is_good) served.push_back(core);
        if (is_good || served.size() == cores.size()) continue;
        ++misplaced;
        elsewhere += fmt::format("{}{} (irq {}) on {}", elsewhere.empty() ? "" : ", ",
                                 interrupt.name, interrupt.number, cpu_list(interrupt.cores));
    }
    if (misplaced == 0 || served.size() == cores.size()) return;
    findings.push_back(
        {.id = "interrupts",
         .severity = Severity::performance,
         .what = fmt::format("{}: {} of {} interrupts of receive queues go to a core "
                             "without a shard, or to one that has another",
                             card.name, misplaced, card.interrupts.size()),
         .found = elsewhere,
         .wanted = "one on each of " + cpu_list(cores),
         .cost = not_measured,
         .mend = tune_command(subject, "interrupts", card.name)});
}

void judge_balancer(const Subject& subject, Findings& findings) {
    const bool has_vectors =
        std::any_of(subject.cards.begin(), subject.cards.end(),
                    [](const CardFacts* card) { return card->interrupts.size() > 1; });
    if (!subject.facts.network.irqbalance || !has_vectors) return;
    findings.push_back({.id = "irqbalance",
                        .severity = Severity::performance,
                        .what = "irqbalance moves interrupts off the cores they were given",
                        .found = "running",
                        .wanted = "stopped, or told to leave the card alone",
                        .cost = not_measured,
                        .mend = tune_command(subject, "interrupts", subject.cards.front()->name)});
}

void judge_pacing(const Subject& subject, Findings& findings) {
    const NetworkFacts& network = subject.facts.network;
    if (network.congestion != "bbr" || network.queue_discipline == "fq") return;
    findings.push_back({.id = "pacing",
                        .severity = Severity::performance,
                        .what = "bbr paces each connection by a timer of its own unless the card's "
                                "queue discipline does it",
                        .found = fmt::format("bbr with {}", network.queue_discipline.empty()
                                                                ? "an unknown discipline"
                                                                : network.queue_discipline),
                        .wanted = "cubic; or bbr with fq",
                        .cost = not_measured,
                        .mend = "sysctl -w net.ipv4.tcp_congestion_control=cubic; to keep bbr: "
                                "sysctl -w net.core.default_qdisc=fq, and tc qdisc replace for "
                                "cards that are up"});
}

}  // namespace

void judge_node(const Subject& subject, const std::string& card, std::optional<uint32_t> node,
                Findings& findings) {
    if (!node) return;
    std::vector<uint32_t> far;
    for (const uint32_t index : shard_cores(subject)) {
        const CoreFacts* core = find_core(subject.facts, index);
        if (core != nullptr && core->node && *core->node != *node) far.push_back(index);
    }
    if (far.empty()) return;
    std::string near;
    for (const NodeFacts& one : subject.facts.nodes) {
        if (one.index == *node) near = cpu_list(one.cores);
    }
    findings.push_back(
        {.id = "card_node",
         .severity = Severity::performance,
         .what = fmt::format("{}: each packet of some shards crosses between NUMA "
                             "nodes",
                             card),
         .found = fmt::format("{} on node {}, shards on {} elsewhere", card, *node, cpu_list(far)),
         .wanted = "shards on the card's node",
         .cost = not_measured,
         .mend = fmt::format("shards.cpus = \"{}\"", near)});
}

void judge_cards(const Subject& subject, Findings& findings) {
    judge_pacing(subject, findings);
    if (listens_on_loopback_alone(subject.config)) {
        findings.push_back({.id = "loopback_only",
                            .severity = Severity::note,
                            .what = "the server listens on loopback alone: no card is looked at",
                            .found = "listen = " + subject.config.listen.front().host,
                            .wanted = "an address that clients reach",
                            .cost = "no client of another host gets in",
                            .mend = "listen = [\"0.0.0.0:1883\"] in the configuration"});
        return;
    }
    if (subject.cards.empty()) {
        findings.push_back({.id = "no_card",
                            .severity = Severity::note,
                            .what = "no physical network card was found for the addresses that "
                                    "the server listens on",
                            .found = "virtual devices, or none",
                            .wanted = "a card",
                            .cost = "queues, interrupts and nodes weren't judged",
                            .mend = "run millrace doctor on the host itself, not in a container"});
        return;
    }
    for (const CardFacts* card : subject.cards) {
        judge_card_queues(subject, *card, findings);
        judge_spread(subject, *card, findings);
        judge_interrupts(subject, *card, findings);
        judge_node(subject, card->name, card->node, findings);
    }
    judge_balancer(subject, findings);
}

}  // namespace millrace::doctor
