// From files to facts.
#include "server/doctor/read_facts.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "doctor_host.h"

using namespace millrace;
using namespace millrace::doctor;
using millrace::test::FakeHost;

namespace {

Facts facts_of(const FakeHost& host) {
    Tree tree(host.root());
    return read_facts(tree);
}

using Cores = std::vector<uint32_t>;

}  // namespace

TEST_CASE("doctor facts: a host without any files has none, and nothing is unreadable") {
    const FakeHost host;
    const Facts facts = facts_of(host);
    CHECK(facts.cores.empty());
    CHECK(facts.network.cards.empty());
    CHECK_FALSE(facts.limits.open_files_hard);
    CHECK(facts.memory.bytes == 0);
    CHECK(facts.unreadable.empty());
}

TEST_CASE("doctor facts: a file that can't be read is named, and the rest is read") {
    FakeHost host;
    host.write_unreadable("proc/self/limits");
    host.write("proc/sys/fs/nr_open", "1000");
    const Facts facts = facts_of(host);
    REQUIRE(facts.unreadable.size() == 1);
    CHECK(facts.unreadable[0].starts_with("proc/self/limits: "));
    CHECK_FALSE(facts.limits.open_files_hard);
    CHECK(facts.limits.open_files_ceiling == 1'000);
}

TEST_CASE("doctor facts: a number with something else in it is no number") {
    FakeHost host;
    host.write("proc/sys/fs/nr_open", "12 apples");
    CHECK_FALSE(facts_of(host).limits.open_files_ceiling);
}

TEST_CASE("doctor facts: limits are the hard ones, and may be none") {
    FakeHost host;
    host.write("proc/self/limits",
               "Limit                     Soft Limit           Hard Limit           Units\n"
               "Max open files            1024                 20000                files\n"
               "Max locked memory         8388608              unlimited            bytes");
    const LimitFacts limits = facts_of(host).limits;
    CHECK(limits.open_files_hard == 20'000);
    CHECK(limits.locked_bytes_hard == UINT64_MAX);
}

TEST_CASE("doctor facts: a capability is a bit of CapEff") {
    FakeHost host;
    host.write("proc/self/status", "CapPrm:\t0000000000000000\nCapEff:\t0000000000004000");
    CHECK(facts_of(host).limits.may_lock_memory);
    FakeHost other;
    other.write("proc/self/status", "CapPrm:\t0000000000004000\nCapEff:\t0000000000000400");
    CHECK_FALSE(facts_of(other).limits.may_lock_memory);
}

TEST_CASE("doctor facts: settings of two and three numbers are read") {
    FakeHost host;
    host.write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999");
    host.write("proc/sys/net/ipv4/tcp_mem", "100 200 300");
    const LimitFacts limits = facts_of(host).limits;
    REQUIRE(limits.local_ports);
    CHECK(limits.local_ports->first == 32'768);
    CHECK(limits.local_ports->second == 60'999);
    CHECK(limits.tcp_memory_pages == 300);
}

TEST_CASE("doctor facts: the narrowest control group counts, whichever level sets it") {
    FakeHost host;
    host.write("proc/self/cgroup", "0::/system.slice/millrace.service");
    host.write("sys/fs/cgroup/system.slice/memory.max", "4294967296");
    host.write("sys/fs/cgroup/system.slice/millrace.service/memory.max", "max");
    CHECK(facts_of(host).memory.group_bytes == 4'294'967'296);
}

TEST_CASE("doctor facts: in a container the control group's root is there, whatever its path") {
    FakeHost host;
    host.write("proc/self/cgroup", "0::/docker/0123");
    host.write("sys/fs/cgroup/memory.max", "1073741824");
    host.write("sys/fs/cgroup/memory.swap.max", "0");
    host.write("sys/fs/cgroup/cpuset.cpus.effective", "1");
    const Facts facts = facts_of(host);
    CHECK(facts.memory.group_bytes == 1'073'741'824);
    CHECK(facts.memory.group_swap_bytes == 0);
    CHECK(facts.cores_allowed == Cores{1});
}

TEST_CASE("doctor facts: control groups of version 1 are read too") {
    FakeHost host;
    host.write("proc/self/cgroup", "9:name=systemd:/\n4:memory:/a/b\n3:cpuset:/c\n0::/");
    host.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
    host.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2097152");
    host.write("sys/fs/cgroup/cpuset/c/cpuset.cpus", "2-3");
    const Facts facts = facts_of(host);
    CHECK(facts.memory.group_bytes == 2'097'152);
    CHECK(facts.cores_allowed == Cores{2, 3});
    host.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712");
    CHECK_FALSE(facts_of(host).memory.group_bytes);
}

TEST_CASE("doctor facts: swap, transparent huge pages and a filter of system calls are read") {
    FakeHost host;
    CHECK(facts_of(host).memory.transparent_huge_pages == "");
    CHECK_FALSE(facts_of(host).uring.filtered);
    host.write("proc/meminfo", "SwapTotal:  1024 kB");
    host.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
    host.write("proc/self/status", "Seccomp:\t2");
    const Facts facts = facts_of(host);
    CHECK(facts.memory.swap_bytes == 1'048'576);
    CHECK(facts.memory.transparent_huge_pages == "madvise");
    CHECK(facts.uring.filtered);
}

TEST_CASE("doctor facts: tune.sh is named where it is, in PATH before all") {
    FakeHost host;
    CHECK(facts_of(host).tune == "scripts/tuning/tune.sh");
    host.write("usr/share/millrace/tuning/tune.sh", "");
    CHECK(facts_of(host).tune == "/usr/share/millrace/tuning/tune.sh");
    host.write("usr/sbin/millrace-tune", "");
    CHECK(facts_of(host).tune == "millrace-tune");
}

TEST_CASE("doctor facts: what never ends, or is far too long, can't be read") {
    FakeHost host;
    host.link("proc/sys/fs/nr_open", "/dev/zero");
    host.write("proc/sys/fs/file-max", "1");
    std::filesystem::resize_file(host.root() + "/proc/sys/fs/file-max", 65 << 20);
    std::filesystem::create_directories(host.root() + "/proc/sys/net/core");
    REQUIRE(::mkfifo((host.root() + "/proc/sys/net/core/somaxconn").c_str(), 0600) == 0);
    const Facts facts = facts_of(host);
    CHECK(facts.unreadable.size() == 3);
    CHECK_FALSE(facts.limits.open_files_ceiling);
    CHECK_FALSE(facts.limits.files_of_host);
    CHECK_FALSE(facts.limits.accept_queue);
}

TEST_CASE("doctor facts: huge pages are those of the host and of each node") {
    FakeHost host;
    host.write("proc/meminfo",
               "MemTotal:  1024 kB\nHugePages_Total:  8\nHugePages_Free:  5\n"
               "Hugepagesize:  2048 kB");
    host.write("sys/devices/system/node/node0/cpulist", "0-1");
    host.write("sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "8");
    host.write("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "5");
    host.write("sys/devices/system/node/node1/cpulist", "2-3");
    const Facts facts = facts_of(host);
    CHECK(facts.memory.bytes == 1'048'576);
    CHECK(facts.memory.huge_pages_free == 5);
    CHECK(facts.memory.huge_page_bytes == 2'097'152);
    REQUIRE(facts.nodes.size() == 2);
    CHECK(facts.nodes[0].huge_pages_free == 5);
    CHECK(facts.nodes[1].huge_pages == 0);
}

TEST_CASE("doctor facts: a core knows its node, its siblings, its governor and how it sleeps") {
    FakeHost host;
    const std::string core = "sys/devices/system/cpu/cpu2";
    host.write("sys/devices/system/cpu/online", "0-3");
    host.write("sys/devices/system/node/node1/cpulist", "2-3");
    host.write(core + "/topology/thread_siblings_list", "2,3");
    host.write(core + "/cpufreq/scaling_governor", "powersave");
    host.write(core + "/cpuidle/state0/latency", "1");
    host.write(core + "/cpuidle/state1/latency", "85");
    host.write(core + "/cpuidle/state2/latency", "600");
    host.write(core + "/cpuidle/state2/disable", "1");
    const Facts facts = facts_of(host);
    REQUIRE(facts.cores.size() == 4);
    CHECK(facts.cores[2].node == 1);
    CHECK(facts.cores[2].siblings == Cores{2, 3});
    CHECK(facts.cores[2].governor == "powersave");
    CHECK(facts.cores[2].wake_up_us == 85);
    CHECK_FALSE(facts.cores[0].node);
    CHECK_FALSE(facts.cores[0].wake_up_us);
}

TEST_CASE("doctor facts: the usable cores are the process's, else those that are online") {
    FakeHost host;
    host.write("sys/devices/system/cpu/online", "0-3");
    CHECK(facts_of(host).cores_usable == Cores{0, 1, 2, 3});
    host.write("proc/self/status", "Cpus_allowed_list:\t1,3");
    CHECK(facts_of(host).cores_usable == Cores{1, 3});
}

TEST_CASE("doctor facts: pinning goes by the nearest control group that says, not by the process") {
    FakeHost host;
    host.write("sys/devices/system/cpu/online", "0-3");
    host.write("proc/self/status", "Cpus_allowed_list:\t1");
    CHECK(facts_of(host).cores_allowed == Cores{0, 1, 2, 3});
    host.write("proc/self/cgroup", "0::/a/b");
    host.write("sys/fs/cgroup/cpuset.cpus.effective", "0-3");
    host.write("sys/fs/cgroup/a/cpuset.cpus.effective", "2-3");
    CHECK(facts_of(host).cores_allowed == Cores{2, 3});
}

TEST_CASE("doctor facts: a card has its queues, driver, node and the interrupts of its queues") {
    FakeHost host;
    host.write_card("eth0", {1, 0}, 1);
    const NetworkFacts network = facts_of(host).network;
    REQUIRE(network.cards.size() == 1);
    const CardFacts& card = network.cards[0];
    CHECK(card.is_physical);
    CHECK(card.is_up);
    CHECK(card.driver == "ixgbe");
    CHECK(card.node == 1);
    CHECK(card.receive_queues == 2);
    CHECK(card.transmit_queues == 2);
    REQUIRE(card.interrupts.size() == 2);  // not the card's own, number 99
    CHECK(card.interrupts[0].name == "eth0-TxRx-0");
    CHECK(card.interrupts[0].cores == Cores{1});
}

TEST_CASE("doctor facts: no node in particular is none") {
    FakeHost host;
    host.write_card("eth0", {0}, -1);
    CHECK_FALSE(facts_of(host).network.cards[0].node);
}

TEST_CASE("doctor facts: a virtio card's interrupts are above it; configuration's don't count") {
    FakeHost host;
    host.write("sys/devices/pci0/virtio2/x", "");
    host.write("sys/devices/pci0/msi_irqs/37", "msix");
    host.write("sys/devices/pci0/msi_irqs/38", "msix");
    host.write("sys/devices/pci0/msi_irqs/39", "msix");
    host.write("sys/class/net/eth0/operstate", "up");
    host.link("sys/class/net/eth0/device", "../../../devices/pci0/virtio2");
    host.write("proc/irq/38/smp_affinity_list", "0-1");
    host.write("proc/interrupts",
               "      CPU0\n"
               " 37:  0  PCI-MSIX-0000:00:03.0  0-edge  virtio2-config\n"
               " 38:  9  PCI-MSIX-0000:00:03.0  1-edge  virtio2-input.0\n"
               " 39:  9  PCI-MSIX-0000:00:03.0  2-edge  virtio2-output.0");
    const NetworkFacts network = facts_of(host).network;
    REQUIRE(network.cards.size() == 1);
    REQUIRE(network.cards[0].interrupts.size() == 1);
    CHECK(network.cards[0].interrupts[0].number == 38);
    CHECK(network.cards[0].interrupts[0].cores == Cores{0, 1});
}

TEST_CASE("doctor facts: packets that software spreads go to the union of the queues' masks") {
    FakeHost host;
    host.write_card("eth0", {0, 1});
    host.write("sys/class/net/eth0/queues/rx-0/rps_cpus", "00000001,00000003");
    host.write("sys/class/net/eth0/queues/rx-1/rps_cpus", "00000000,00000004");
    CHECK(facts_of(host).network.cards[0].spread_cores == Cores{0, 1, 32, 2});
}

TEST_CASE("doctor facts: masks are groups of 32 cores, the highest first") {
    CHECK(parse_cpu_mask("3") == Cores{0, 1});
    CHECK(parse_cpu_mask("80000000,00000001") == Cores{0, 63});
    CHECK(parse_cpu_mask("F0") == Cores{4, 5, 6, 7});
    CHECK(parse_cpu_mask("").empty());
    CHECK(parse_cpu_mask("what").empty());
}

TEST_CASE("doctor facts: networks on the link and addresses of IPv6 name their card") {
    FakeHost host;
    host.write("proc/net/route",
               "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
               "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
               "eth1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0");
    host.write("proc/net/if_inet6", "20010db8000000000000000000000001 02 40 00 80 eth2");
    const std::vector<AddressFacts> addresses = facts_of(host).network.addresses;
    REQUIRE(addresses.size() == 2);
    CHECK(addresses[0].card == "eth1");
    CHECK(addresses[0].range.text() == "10.0.2.0/24");
    CHECK(addresses[1].card == "eth2");
    CHECK(addresses[1].range.address.text() == "2001:db8::1");
}

TEST_CASE("doctor facts: a running irqbalance is seen by its name") {
    FakeHost host;
    host.write("proc/7/comm", "irqbalance-ui");
    CHECK_FALSE(facts_of(host).network.irqbalance);
    host.write("proc/8/comm", "irqbalance");
    CHECK(facts_of(host).network.irqbalance);
}

TEST_CASE("doctor facts: network cards on PCI are those of that class, whoever drives them") {
    FakeHost host;
    host.write("sys/bus/pci/devices/0000:03:00.0/class", "0x020000");
    host.write("sys/bus/pci/devices/0000:03:00.0/numa_node", "1");
    host.link("sys/bus/pci/devices/0000:03:00.0/driver", "../../../drivers/vfio-pci");
    host.write("sys/bus/pci/devices/0000:04:00.0/class", "0x010802");
    host.write("sys/kernel/iommu_groups/0/x", "");
    const DpdkFacts dpdk = facts_of(host).dpdk;
    REQUIRE(dpdk.functions.size() == 1);
    CHECK(dpdk.functions[0].address == "0000:03:00.0");
    CHECK(dpdk.functions[0].driver == "vfio-pci");
    CHECK(dpdk.functions[0].node == 1);
    CHECK(dpdk.has_iommu);
    CHECK_FALSE(dpdk.unsafe_vfio);
}

TEST_CASE("doctor facts: what io_uring can do goes by the release") {
    CHECK(uring_of_release("6.1.0-18-amd64").refusal.empty());
    CHECK_FALSE(uring_of_release("6.1.0-18-amd64").incremental_buffers);
    CHECK(uring_of_release("6.12.3").incremental_buffers);
    CHECK(uring_of_release("10.0").incremental_buffers);
    CHECK(uring_of_release("5.10.0").refusal != "");
    CHECK(uring_of_release("").refusal != "");
}

TEST_CASE("doctor facts: io_uring that is switched off is refused, whatever the release") {
    FakeHost host;
    host.write("proc/sys/kernel/osrelease", "6.12.1");
    CHECK(facts_of(host).uring.refusal.empty());
    host.write("proc/sys/kernel/io_uring_disabled", "2");
    CHECK(facts_of(host).uring.refusal != "");
}
