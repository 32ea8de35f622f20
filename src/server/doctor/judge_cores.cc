// Where the shards run: cores, their clock, and how they sleep.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "server/doctor/judge.h"

namespace millrace::doctor {
namespace {

std::string on_cores(const std::vector<uint32_t>& cores) {
    return fmt::format("core{} {}", cores.size() == 1 ? "" : "s", cpu_list(cores));
}

void judge_seats(const Subject& subject, Findings& findings) {
    const std::vector<uint32_t> cores = shard_cores(subject);
    std::vector<uint32_t> missing;
    for (const uint32_t core : cores) {
        if (!contains(subject.facts.cores_allowed, core)) missing.push_back(core);
    }
    if (!missing.empty() && !subject.facts.cores_allowed.empty()) {
        findings.push_back({.id = "shard_cores_missing",
                            .severity = Severity::performance,
                            .what = "shards that can't be pinned to their core run wherever the "
                                    "kernel puts them",
                            .found = on_cores(subject.facts.cores_allowed) + " may be used",
                            .wanted = on_cores(missing) + " too",
                            .cost = not_measured,
                            .mend = fmt::format("shards.cpus = \"{}\", or a wider AllowedCPUs in "
                                                "the systemd unit",
                                                cpu_list(subject.facts.cores_allowed))});
    }
    if (cores.size() < subject.plan.count) {
        findings.push_back(
            {.id = "shards_share_cores",
             .severity = Severity::performance,
             .what = "shards on one core take turns: one waits while another works",
             .found = fmt::format("{} shards on {}", subject.plan.count, on_cores(cores)),
             .wanted = "a core for each",
             .cost = not_measured,
             .mend = fmt::format("shards.count = {}", cores.size())});
    }
}

// Two hardware threads do more than one, but less than two cores.
void judge_threads(const Subject& subject, Findings& findings) {
    const std::vector<uint32_t> cores = shard_cores(subject);
    std::vector<uint32_t> second;
    for (const uint32_t index : cores) {
        const CoreFacts* core = find_core(subject.facts, index);
        if (core == nullptr) continue;
        const bool is_second = std::any_of(
            core->siblings.begin(), core->siblings.end(),
            [&](uint32_t sibling) { return sibling < index && contains(cores, sibling); });
        if (is_second) second.push_back(index);
    }
    if (second.empty()) return;
    findings.push_back({.id = "hardware_threads",
                        .severity = Severity::note,
                        .what = "pairs of shards share a core as its hardware threads",
                        .found = on_cores(second) + " beside a shard each",
                        .wanted = "one shard a core, where latency counts most",
                        .cost = not_measured,
                        .mend = "shards.cpus with one thread of each core (lscpu --extended)"});
}

void judge_governor(const Subject& subject, Findings& findings) {
    std::vector<uint32_t> others;
    std::string governor;
    for (const uint32_t index : shard_cores(subject)) {
        const CoreFacts* core = find_core(subject.facts, index);
        if (core == nullptr || core->governor.empty() || core->governor == "performance") continue;
        others.push_back(index);
        governor = core->governor;
    }
    if (others.empty()) return;
    findings.push_back({.id = "governor",
                        .severity = Severity::performance,
                        .what = "a core that was idle starts slowly: its clock rises after the "
                                "work came",
                        .found = fmt::format("{} on {}", governor, on_cores(others)),
                        .wanted = "performance",
                        .cost = not_measured,
                        .mend = tune_command(subject, "governor")});
}

void judge_idle_states(const Subject& subject, Findings& findings) {
    // A wait for 2 us took 13.8 us with shallow states (Linux 6.18 in a virtual machine).
    constexpr uint64_t fast_us = 20;
    uint64_t longest = 0;
    std::vector<uint32_t> deep;
    if (subject.config.shards.always_spin) return;
    for (const uint32_t index : shard_cores(subject)) {
        const CoreFacts* core = find_core(subject.facts, index);
        if (core == nullptr || core->wake_up_us.value_or(0) <= fast_us) continue;
        deep.push_back(index);
        longest = std::max(longest, *core->wake_up_us);
    }
    if (deep.empty()) return;
    findings.push_back({.id = "idle_states",
                        .severity = Severity::performance,
                        .what = "a shard's core may sleep deeply when nothing comes",
                        .found = fmt::format("{} us to wake up, on {}", longest, on_cores(deep)),
                        .wanted = fmt::format("{} us or less", fast_us),
                        .cost = fmt::format("up to {} us more for the first message after "
                                            "silence (the kernel's own figure)",
                                            longest),
                        .mend = tune_command(subject, "c_states")});
}

void judge_isolation(const Subject& subject, Findings& findings) {
    const bool spins = subject.config.shards.always_spin ||
                       (subject.is_dpdk() && subject.config.dpdk.idle == DpdkIdle::spin);
    if (!spins) return;
    std::vector<uint32_t> shared;
    for (const uint32_t core : shard_cores(subject)) {
        if (!contains(subject.facts.cores_isolated, core)) shared.push_back(core);
    }
    if (shared.empty()) return;
    const bool has_spare = shard_cores(subject).size() < subject.facts.cores.size();
    findings.push_back({.id = "isolation",
                        .severity = Severity::performance,
                        .what = "shards that never sleep share their cores with whatever else runs",
                        .found = on_cores(shared) + " not isolated",
                        .wanted = "isolcpus, nohz_full and rcu_nocbs for the shards' cores",
                        .cost = "pauses of a scheduler's turn each; how often: not measured",
                        .mend = has_spare
                                    ? fmt::format("{} persist --only isolation "
                                                  "--kernel-command-line --cpus {}",
                                                  subject.facts.tune, cpu_list(shared))
                                    : "shards.cpus without one core, which the rest of the host "
                                      "needs; then millrace doctor again"});
}

// A process starts on the other cores, and so do shards without a list.
void judge_unused_isolation(const Subject& subject, Findings& findings) {
    if (!subject.config.shards.cpus.empty()) return;
    std::vector<uint32_t> unused;
    for (const uint32_t core : subject.facts.cores_isolated) {
        if (!contains(subject.plan.cpus, core)) unused.push_back(core);
    }
    if (unused.empty()) return;
    findings.push_back(
        {.id = "isolation_unused",
         .severity = Severity::note,
         .what = "no shard runs on cores that are kept free of everything else",
         .found = on_cores(unused) + " isolated, shards on " + cpu_list(subject.plan.cpus),
         .wanted = "shards there, if they were isolated for millrace",
         .cost = "the cores stay idle",
         .mend = fmt::format("shards.cpus = \"{}\"", cpu_list(unused))});
}

}  // namespace

void judge_cores(const Subject& subject, Findings& findings) {
    judge_seats(subject, findings);
    judge_governor(subject, findings);
    judge_idle_states(subject, findings);
    judge_isolation(subject, findings);
    judge_unused_isolation(subject, findings);
    judge_threads(subject, findings);
}

void judge_clock(const Subject& subject, Findings& findings) {
    // These are read by a call into the kernel and a slow device.
    constexpr std::array slow{"hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"};
    constexpr uint64_t slow_ns = 200;  // ten times what a processor's own counter takes
    const ClockFacts& clock = subject.facts.clock;
    const bool by_name = std::find(slow.begin(), slow.end(), clock.source) != slow.end();
    const bool by_time = clock.read_ns.value_or(0) > slow_ns;
    if (!by_time && (clock.read_ns || !by_name)) return;
    const bool offers_tsc = (" " + clock.available + " ").find(" tsc ") != std::string::npos;
    findings.push_back(
        {.id = "clock_source",
         .severity = Severity::performance,
         .what = "the clock is slow to read; a shard reads it once a turn",
         .found = clock.source.empty() ? "unknown" : clock.source,
         .wanted = "tsc, or what else is read without a call into the kernel",
         .cost = clock.read_ns ? fmt::format("{} ns a turn (measured just now)", *clock.read_ns)
                               : not_measured,
         .mend = offers_tsc
                     ? "echo tsc > "
                       "/sys/devices/system/clocksource/clocksource0/current_clocksource"
                     : "clocksource=tsc tsc=reliable on the kernel command line, where the "
                       "processor's counter is invariant (lscpu: constant_tsc nonstop_tsc)"});
}

}  // namespace millrace::doctor
