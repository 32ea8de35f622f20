#include "server/doctor/judge.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/doctor/finding.h"

namespace millrace::doctor {
namespace {

bool is_loopback(const IpAddress& address) {
    return address.is_ipv4() ? address.ipv4() >> 24 == 127 : address.text() == "::1";
}

const CardFacts* find_card(const Facts& facts, std::string_view name) {
    for (const CardFacts& card : facts.network.cards) {
        if (card.name == name) return &card;
    }
    return nullptr;
}

void add_once(std::vector<const CardFacts*>& cards, const CardFacts& card) {
    if (std::find(cards.begin(), cards.end(), &card) == cards.end()) cards.push_back(&card);
}

// Of a bond, a bridge or a VLAN: the cards below it. They may be stacked, but not endlessly.
void add_physical(const Facts& facts, const CardFacts& card, int depth,
                  std::vector<const CardFacts*>& cards) {
    if (card.is_physical) return add_once(cards, card);
    if (depth == 0) return;
    for (const std::string& name : card.below) {
        if (const CardFacts* lower = find_card(facts, name)) {
            add_physical(facts, *lower, depth - 1, cards);
        }
    }
}

std::vector<const CardFacts*> all_cards(const Facts& facts) {
    std::vector<const CardFacts*> cards;
    for (const CardFacts& card : facts.network.cards) {
        if (card.is_physical && card.is_up) cards.push_back(&card);
    }
    return cards;
}

// What nobody may read isn't a fault of the host, but a gap in this report.
void judge_gaps(const Subject& subject, Findings& findings) {
    const std::vector<std::string>& unreadable = subject.facts.unreadable;
    if (unreadable.empty()) return;
    constexpr size_t shown_max = 5;
    std::string list;
    for (size_t index = 0; index < std::min(unreadable.size(), shown_max); ++index) {
        list += (index == 0 ? "" : "; ") + unreadable[index];
    }
    if (unreadable.size() > shown_max) {
        list += fmt::format("; and {} more", unreadable.size() - shown_max);
    }
    findings.push_back({.id = "unreadable",
                        .severity = Severity::note,
                        .what = "some files can't be read: nothing is concluded about them",
                        .found = list,
                        .wanted = "readable",
                        .cost = "none to the server; this report may miss something",
                        .mend = "run millrace doctor as root"});
}

}  // namespace

std::string_view name_of(Severity severity) {
    switch (severity) {
        case Severity::blocks:
            return "blocks";
        case Severity::capacity:
            return "capacity";
        case Severity::performance:
            return "performance";
        case Severity::note:
            return "note";
    }
    return "";
}

void sort_by_weight(std::vector<Finding>& findings) {
    std::stable_sort(findings.begin(), findings.end(), [](const auto& left, const auto& right) {
        if (left.severity != right.severity) return left.severity < right.severity;
        return left.connections_left < right.connections_left;
    });
}

std::string cpu_list(std::vector<uint32_t> cpus) {
    std::sort(cpus.begin(), cpus.end());
    std::string list;
    for (size_t at = 0; at < cpus.size();) {
        size_t end = at;
        while (end + 1 < cpus.size() && cpus[end + 1] <= cpus[end] + 1) ++end;
        list += list.empty() ? "" : ",";
        list += cpus[at] == cpus[end] ? fmt::format("{}", cpus[at])
                                      : fmt::format("{}-{}", cpus[at], cpus[end]);
        at = end + 1;
    }
    return list;
}

std::vector<uint32_t> shard_cores(const Subject& subject) {
    std::vector<uint32_t> cores = subject.plan.cpus;
    std::sort(cores.begin(), cores.end());
    cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
    return cores;
}

bool contains(const std::vector<uint32_t>& list, uint32_t value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

const CoreFacts* find_core(const Facts& facts, uint32_t index) {
    for (const CoreFacts& core : facts.cores) {
        if (core.index == index) return &core;
    }
    return nullptr;
}

std::string shell_word(std::string_view text) {
    constexpr std::string_view plain =
        "-_.,:@/+=0123456789abcdefghijklmnopqrstuvwxyz"
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const bool is_plain = !text.empty() && text.find_first_not_of(plain) == std::string_view::npos;
    if (is_plain) return std::string(text);
    std::string word = "'";
    for (const char character : text) {
        if (character == '\'') word += "'\\'";
        word += character;
    }
    return word + "'";
}

std::string tune_command(const Subject& subject, std::string_view subjects, std::string_view card) {
    std::string command = fmt::format("{} apply --only {} --profile {}", subject.facts.tune,
                                      subjects, subject.is_dpdk() ? "dpdk" : "io_uring");
    if (!card.empty()) command += " --nic " + shell_word(card);
    return command + " --cpus " + cpu_list(subject.plan.cpus);
}

bool listens_on_loopback_alone(const Config& config) {
    return std::all_of(config.listen.begin(), config.listen.end(), [](const auto& local) {
        const auto address = IpAddress::parse(local.host);
        return address && is_loopback(*address);
    });
}

std::vector<const CardFacts*> cards_of(const Facts& facts, const Config& config) {
    std::vector<const CardFacts*> cards;
    for (const ListenAddress& local : config.listen) {
        const auto address = IpAddress::parse(local.host);
        if (!address || is_loopback(*address)) continue;
        bool known = false;
        for (const AddressFacts& own : facts.network.addresses) {
            const CardFacts* card = find_card(facts, own.card);
            if (card == nullptr || !own.range.contains(*address)) continue;
            known = true;
            add_physical(facts, *card, 4, cards);
        }
        if (address->is_unspecified() || !known) {
            for (const CardFacts* card : all_cards(facts)) add_once(cards, *card);
        }
    }
    return cards;
}

Subject make_subject(const Facts& facts, const Config& config, const ObjectSizes& sizes) {
    ShardPlan plan = plan_shards(config, host_of(facts));
    Budget budget = make_budget(config, sizes, {plan.count, plan.memory_bytes_each});
    std::vector<const CardFacts*> cards;
    if (config.net != "dpdk") cards = cards_of(facts, config);
    return {facts, config, std::move(plan), std::move(budget), std::move(cards)};
}

std::vector<Finding> judge(const Subject& subject) {
    Findings findings;
    if (subject.is_dpdk()) {
        judge_dpdk(subject, findings);
    } else {
        judge_uring(subject, findings);
        judge_limits(subject, findings);
    }
    judge_memory(subject, findings);
    if (!subject.is_dpdk()) judge_cards(subject, findings);
    judge_cores(subject, findings);
    judge_clock(subject, findings);
    judge_huge_pages(subject, findings);
    judge_gaps(subject, findings);
    sort_by_weight(findings);
    return findings;
}

}  // namespace millrace::doctor
