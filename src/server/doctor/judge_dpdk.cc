// What net = "dpdk" needs: the device, who drives it, its memory.
#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "port/memory_needed.h"
#include "server/backends.h"
#include "server/doctor/judge.h"
#include "server/dpdk_config.h"

namespace millrace::doctor {
namespace {

// Before the first comma; what follows are arguments of the device.
std::string_view device_word(const Config& config) {
    const std::string_view device = config.dpdk.device;
    return device.substr(0, device.find(','));
}

void refuse(Findings& findings, std::string id, std::string what, std::string found,
            std::string wanted, std::string mend) {
    findings.push_back({.id = std::move(id),
                        .severity = Severity::blocks,
                        .what = std::move(what),
                        .found = std::move(found),
                        .wanted = std::move(wanted),
                        .cost = "everything: millrace serve ends at once",
                        .mend = std::move(mend)});
}

void judge_driver(const Subject& subject, const PciFacts& device, Findings& findings) {
    // The first give the card to the process; the others share it with the kernel.
    constexpr std::array drivers{"vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core",
                                 "mlx5_core"};
    if (std::find(drivers.begin(), drivers.end(), device.driver) == drivers.end()) {
        refuse(findings, "dpdk_driver", "DPDK can't use the card: the kernel has it, or nobody",
               device.driver.empty() ? "no driver" : device.driver, "vfio-pci",
               tune_command(subject, "dpdk", device.address));
        return;
    }
    if (device.driver != "vfio-pci") return;
    if (!subject.facts.dpdk.has_iommu && !subject.facts.dpdk.unsafe_vfio) {
        refuse(findings, "dpdk_iommu", "vfio-pci has no IOMMU to work with", "no IOMMU groups",
               "intel_iommu=on or amd_iommu=on on the kernel command line, and in the firmware",
               "on the command line, or without protection: echo 1 > "
               "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
    }
    const LimitFacts& limits = subject.facts.limits;
    const uint64_t wanted = dpdk_memory_bytes(subject);
    if (limits.may_lock_memory || limits.locked_bytes_hard.value_or(UINT64_MAX) >= wanted) return;
    refuse(findings, "locked_memory", "what the card reads and writes has to be locked memory",
           readable_bytes(*limits.locked_bytes_hard), readable_bytes(wanted),
           "LimitMEMLOCK=infinity in the systemd unit");
}

void judge_pci_device(const Subject& subject, const std::string& address, Findings& findings) {
    std::string there;
    for (const PciFacts& device : subject.facts.dpdk.functions) {
        if (device.address == address) {
            judge_driver(subject, device, findings);
            judge_node(subject, device.address, device.node, findings);
            return;
        }
        there += (there.empty() ? "" : ", ") + device.address;
    }
    refuse(findings, "dpdk_device", "there is no network card at dpdk.device = " + address,
           there.empty() ? "no network card on PCI" : "cards at " + there, address,
           "dpdk-devbind.py --status names the cards");
}

// "net_af_packet0,iface=v0" and its like take a device of the kernel's.
void judge_virtual_device(const Subject& subject, Findings& findings) {
    const std::string& device = subject.config.dpdk.device;
    const std::string_view kind = device_word(subject.config);
    const bool takes_device = kind.starts_with("net_af_packet") || kind.starts_with("net_af_xdp") ||
                              kind.starts_with("net_pcap");
    constexpr std::string_view key = ",iface=";
    const size_t at = device.find(key);
    if (!takes_device || at == std::string::npos) return;
    std::string name = device.substr(at + key.size());
    name.resize(std::min(name.find(','), name.size()));
    const std::vector<CardFacts>& cards = subject.facts.network.cards;
    const bool is_there = std::any_of(cards.begin(), cards.end(),
                                      [&](const CardFacts& card) { return card.name == name; });
    if (is_there) return;
    refuse(findings, "dpdk_device", "the device that DPDK shall use isn't there", "no " + name,
           name, "dpdk.device = \"...,iface=\" with a name of /sys/class/net");
}

void judge_dpdk_memory(const Subject& subject, Findings& findings) {
    const MemoryFacts& memory = subject.facts.memory;
    if (!subject.config.dpdk.huge_pages || memory.huge_page_bytes == 0) return;
    const uint64_t page = memory.huge_page_bytes;
    const uint64_t wanted = dpdk_memory_bytes(subject);
    const uint64_t pages = wanted / page + (wanted % page == 0 ? 0 : 1);
    if (memory.huge_pages_free >= pages) return;
    // What is in use stays in use: the pool has to grow by what is missing.
    const uint64_t pool = memory.huge_pages + pages - memory.huge_pages_free;
    refuse(findings, "dpdk_memory", "DPDK starts only when its memory is free in huge pages",
           fmt::format("{} free of {}", memory.huge_pages_free, readable_bytes(page)),
           fmt::format("{} of them, for {}", pages, readable_bytes(wanted)),
           fmt::format("sysctl -w vm.nr_hugepages={}; or dpdk.huge_pages = false", pool));
}

}  // namespace

std::string pci_address_of(const Config& config) {
    std::string address(device_word(config));
    for (char& digit : address) {
        digit = static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
    }
    if (std::count(address.begin(), address.end(), ':') == 1) address.insert(0, "0000:");
    // dddd:bb:dd.f (lspci(8))
    constexpr std::string_view pattern = "xxxx:xx:xx.x";
    if (address.size() != pattern.size()) return "";
    for (size_t at = 0; at < pattern.size(); ++at) {
        const bool is_digit = std::isxdigit(static_cast<unsigned char>(address[at])) != 0;
        if (pattern[at] == 'x' ? !is_digit : address[at] != pattern[at]) return "";
    }
    return address;
}

uint64_t dpdk_memory_bytes(const Subject& subject) {
    return memory_needed(port_options(subject.config.dpdk, subject.plan.count));
}

void judge_dpdk(const Subject& subject, Findings& findings) {
    if (!has_dpdk()) {
        refuse(findings, "dpdk_build", "this build has no DPDK", backends_text(), "a build with it",
               "scripts/install_packages.sh build (libdpdk-dev), and build again");
    }
    const std::string address = pci_address_of(subject.config);
    if (address.empty()) {
        judge_virtual_device(subject, findings);
    } else {
        judge_pci_device(subject, address, findings);
    }
    judge_dpdk_memory(subject, findings);
    const uint32_t queues = subject.config.dpdk.queues;
    if (queues == 0 || queues >= subject.plan.count) return;
    findings.push_back({.id = "dpdk_queues",
                        .severity = Severity::performance,
                        .what = "shards without a queue get their packets from another shard",
                        .found = fmt::format("dpdk.queues = {}", queues),
                        .wanted = fmt::format("{}, one a shard", subject.plan.count),
                        .cost = not_measured,
                        .mend = "dpdk.queues = 0: one a shard, as many as the device has"});
}

}  // namespace millrace::doctor
