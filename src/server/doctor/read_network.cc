// Cards with their queues and interrupts, addresses, and PCI functions for DPDK.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "server/config_keys.h"
#include "server/doctor/read_facts.h"

namespace millrace::doctor {
namespace {

const std::string card_folder = "sys/class/net/";
const std::string pci_folder = "sys/bus/pci/devices/";

// -1 stands for "no node in particular".
std::optional<uint32_t> node_of(Tree& tree, const std::string& device) {
    const auto node = tree.number(device + "/numa_node");
    return node ? std::optional(static_cast<uint32_t>(*node)) : std::nullopt;
}

// Interrupt numbers to the names at the end of their lines in /proc/interrupts.
std::map<uint32_t, std::string> interrupt_names(Tree& tree) {
    std::map<uint32_t, std::string> names;
    const std::string table = tree.text("proc/interrupts").value_or("");
    for (const std::string_view line : lines_of(table)) {
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() < 3 || !words[0].ends_with(':')) continue;
        const auto number = parse_number(words[0].substr(0, words[0].size() - 1));
        if (number) names[static_cast<uint32_t>(*number)] = words.back();
    }
    return names;
}

// A card also has interrupts for its link, its commands and, in some drivers, for sending alone.
bool is_of_receive_queue(std::string_view name) {
    constexpr std::array others{"config", "control", "async", "admin",  "mgmnt", "event",
                                "cmd",    "fdir",    "misc",  "output", "-tx-",  "aeq"};
    if (std::any_of(others.begin(), others.end(),
                    [&](const char* word) { return name.find(word) != std::string_view::npos; })) {
        return false;
    }
    const size_t separator = name.find_first_of(".-@_");  // a bare "eth0" is the card's own
    return separator != std::string_view::npos &&
           name.find_first_of("0123456789", separator) != std::string_view::npos;
}

std::vector<uint32_t> cores_of_interrupt(Tree& tree, uint32_t number) {
    const std::string folder = "proc/irq/" + std::to_string(number);
    std::vector<uint32_t> cores = cpus_of(tree.text(folder + "/effective_affinity_list"));
    return cores.empty() ? cpus_of(tree.text(folder + "/smp_affinity_list")) : cores;
}

// A virtio card's vectors, and its node, belong to the PCI function above it.
std::vector<InterruptFacts> interrupts_of(Tree& tree, const std::string& device,
                                          const std::map<uint32_t, std::string>& names) {
    std::vector<InterruptFacts> interrupts;
    std::vector<std::string> numbers = tree.names(device + "/msi_irqs");
    if (numbers.empty()) numbers = tree.names(device + "/../msi_irqs");
    for (const std::string& text : numbers) {
        const auto number = parse_number(text);
        if (!number) continue;
        const auto index = static_cast<uint32_t>(*number);
        const auto named = names.find(index);
        if (named == names.end() || !is_of_receive_queue(named->second)) continue;
        interrupts.push_back({index, named->second, cores_of_interrupt(tree, index)});
    }
    std::sort(interrupts.begin(), interrupts.end(),
              [](const auto& left, const auto& right) { return left.number < right.number; });
    return interrupts;
}

void read_queues(Tree& tree, const std::string& folder, CardFacts& card) {
    for (const std::string& queue : tree.names(folder + "/queues")) {
        if (queue.starts_with("tx-")) ++card.transmit_queues;
        if (!queue.starts_with("rx-")) continue;
        ++card.receive_queues;
        const auto mask = tree.text(folder + "/queues/" + queue + "/rps_cpus");
        for (const uint32_t core : parse_cpu_mask(mask.value_or(""))) {
            if (std::find(card.spread_cores.begin(), card.spread_cores.end(), core) ==
                card.spread_cores.end()) {
                card.spread_cores.push_back(core);
            }
        }
    }
}

CardFacts read_card(Tree& tree, const std::string& name,
                    const std::map<uint32_t, std::string>& interrupts) {
    const std::string folder = card_folder + name;
    CardFacts card;
    card.name = name;
    card.is_physical = tree.exists(folder + "/device");
    const std::string state = tree.text(folder + "/operstate").value_or("unknown");
    card.is_up = state == "up" || state == "unknown";
    read_queues(tree, folder, card);
    for (const std::string& entry : tree.names(folder)) {
        if (entry.starts_with("lower_")) card.below.push_back(entry.substr(6));
    }
    if (!card.is_physical) return card;
    const std::string device = folder + "/device";
    card.driver = tree.link_name(device + "/driver").value_or("");
    card.node = node_of(tree, device);
    if (!card.node) card.node = node_of(tree, device + "/..");
    card.interrupts = interrupts_of(tree, device, interrupts);
    return card;
}

// The kernel prints addresses as numbers of the machine's own byte order; here and on every host
// we build for that is the low byte first.
uint32_t swapped(unsigned value) {
    return __builtin_bswap32(value);
}

void read_ipv4_networks(Tree& tree, std::vector<AddressFacts>& addresses) {
    const std::string table = tree.text("proc/net/route").value_or("");
    for (const std::string_view line : lines_of(table)) {
        char card[32];
        unsigned destination = 0;
        unsigned gateway = 0;
        unsigned mask = 0;
        if (std::sscanf(std::string(line).c_str(), "%31s %x %x %*x %*d %*d %*d %x", card,
                        &destination, &gateway, &mask) != 4) {
            continue;
        }
        if (gateway != 0 || mask == 0) continue;  // only what is on the link
        addresses.push_back({card,
                             {IpAddress::from_ipv4(swapped(destination)),
                              static_cast<uint8_t>(__builtin_popcount(mask))}});
    }
}

void read_ipv6_addresses(Tree& tree, std::vector<AddressFacts>& addresses) {
    const std::string table = tree.text("proc/net/if_inet6").value_or("");
    for (const std::string_view line : lines_of(table)) {
        const std::vector<std::string_view> words = words_of(line);
        if (words.size() != 6 || words[0].size() != 32) continue;
        std::string text;
        for (size_t at = 0; at < 32; at += 4) {
            if (at > 0) text += ':';
            text += words[0].substr(at, 4);
        }
        const auto address = IpAddress::parse(text);
        if (address) addresses.push_back({std::string(words[5]), {*address, 128}});
    }
}

bool runs_irqbalance(Tree& tree) {
    for (const std::string& name : tree.names("proc")) {
        if (!parse_number(name)) continue;
        if (tree.text("proc/" + name + "/comm") == "irqbalance") return true;
    }
    return false;
}

}  // namespace

NetworkFacts read_network(Tree& tree) {
    NetworkFacts network;
    const std::map<uint32_t, std::string> interrupts = interrupt_names(tree);
    for (const std::string& name : tree.names("sys/class/net")) {
        if (tree.exists(card_folder + name + "/operstate") ||
            tree.exists(card_folder + name + "/queues")) {
            network.cards.push_back(read_card(tree, name, interrupts));
        }
    }
    read_ipv4_networks(tree, network.addresses);
    read_ipv6_addresses(tree, network.addresses);
    network.congestion = tree.text("proc/sys/net/ipv4/tcp_congestion_control").value_or("");
    network.queue_discipline = tree.text("proc/sys/net/core/default_qdisc").value_or("");
    network.irqbalance = runs_irqbalance(tree);
    return network;
}

DpdkFacts read_dpdk(Tree& tree) {
    DpdkFacts dpdk;
    for (const std::string& address : tree.names("sys/bus/pci/devices")) {
        const std::string folder = pci_folder + address;
        if (!tree.text(folder + "/class").value_or("").starts_with("0x02")) continue;
        dpdk.functions.push_back(
            {address, tree.link_name(folder + "/driver").value_or(""), node_of(tree, folder)});
    }
    dpdk.has_iommu = !tree.names("sys/kernel/iommu_groups").empty();
    dpdk.unsafe_vfio = tree.text("sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y";
    return dpdk;
}

}  // namespace millrace::doctor
