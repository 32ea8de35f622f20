// Cores, their NUMA nodes and their clock.
#include <algorithm>

#include "server/config_keys.h"
#include "server/doctor/read_facts.h"

namespace millrace::doctor {
namespace {

const std::string cpu_folder = "sys/devices/system/cpu";
const std::string node_folder = "sys/devices/system/node";
const std::string clock_folder = "sys/devices/system/clocksource/clocksource0";

// The numbers of entries such as "cpu0", "node1", "rx-3", ascending.
std::vector<uint32_t> numbered(Tree& tree, const std::string& folder, std::string_view prefix) {
    std::vector<uint32_t> found;
    for (const std::string& name : tree.names(folder)) {
        if (!name.starts_with(prefix)) continue;
        const auto number = parse_number(std::string_view(name).substr(prefix.size()));
        if (number) found.push_back(static_cast<uint32_t>(*number));
    }
    std::sort(found.begin(), found.end());
    return found;
}

// Exit latencies are in microseconds (Documentation/admin-guide/pm/cpuidle.rst).
std::optional<uint64_t> longest_wake_up(Tree& tree, const std::string& core) {
    std::optional<uint64_t> longest;
    for (const uint32_t state : numbered(tree, core + "/cpuidle", "state")) {
        const std::string folder = core + "/cpuidle/state" + std::to_string(state);
        if (tree.number(folder + "/disable").value_or(0) != 0) continue;
        const auto latency = tree.number(folder + "/latency");
        if (latency) longest = std::max(longest.value_or(0), *latency);
    }
    return longest;
}

CoreFacts read_core(Tree& tree, uint32_t index, const std::vector<NodeFacts>& nodes) {
    const std::string folder = cpu_folder + "/cpu" + std::to_string(index);
    CoreFacts core;
    core.index = index;
    for (const NodeFacts& node : nodes) {
        if (std::find(node.cores.begin(), node.cores.end(), index) != node.cores.end()) {
            core.node = node.index;
        }
    }
    core.siblings = cpus_of(tree.text(folder + "/topology/thread_siblings_list"));
    core.governor = tree.text(folder + "/cpufreq/scaling_governor").value_or("");
    core.wake_up_us = longest_wake_up(tree, folder);
    return core;
}

NodeFacts read_node(Tree& tree, uint32_t index) {
    const std::string folder = node_folder + "/node" + std::to_string(index);
    const std::string pages = folder + "/hugepages/hugepages-2048kB";
    return {.index = index,
            .cores = cpus_of(tree.text(folder + "/cpulist")),
            .huge_pages = tree.number(pages + "/nr_hugepages").value_or(0),
            .huge_pages_free = tree.number(pages + "/free_hugepages").value_or(0)};
}

std::vector<uint32_t> usable_cores(Tree& tree) {
    const std::string status = tree.text("proc/self/status").value_or("");
    const std::vector<std::string_view> allowed = words_behind("Cpus_allowed_list:", status);
    if (!allowed.empty()) return cpus_of(std::string(allowed[0]));
    return cpus_of(tree.text(cpu_folder + "/online"));
}

std::vector<uint32_t> allowed_cores(Tree& tree) {
    for (const std::string& group : control_groups(tree)) {
        std::vector<uint32_t> cores = cpus_of(tree.text(group + "/cpuset.cpus.effective"));
        if (!cores.empty()) return cores;
    }
    for (const std::string& group : control_groups(tree, "cpuset")) {
        for (const char* name : {"/cpuset.effective_cpus", "/cpuset.cpus"}) {
            std::vector<uint32_t> cores = cpus_of(tree.text(group + name));
            if (!cores.empty()) return cores;
        }
    }
    return {};
}

}  // namespace

void read_cores(Tree& tree, Facts& facts) {
    for (const uint32_t index : numbered(tree, node_folder, "node")) {
        facts.nodes.push_back(read_node(tree, index));
    }
    std::vector<uint32_t> online = cpus_of(tree.text(cpu_folder + "/online"));
    if (online.empty()) online = numbered(tree, cpu_folder, "cpu");
    for (const uint32_t index : online) facts.cores.push_back(read_core(tree, index, facts.nodes));
    facts.cores_usable = usable_cores(tree);
    if (facts.cores_usable.empty()) facts.cores_usable = online;
    facts.cores_allowed = allowed_cores(tree);
    if (facts.cores_allowed.empty()) facts.cores_allowed = online;
    facts.cores_isolated = cpus_of(tree.text(cpu_folder + "/isolated"));
    facts.clock.source = tree.text(clock_folder + "/current_clocksource").value_or("");
    facts.clock.available = tree.text(clock_folder + "/available_clocksource").value_or("");
}

}  // namespace millrace::doctor
