"""Copies of /proc, /sys and /etc for tune.sh --root, in the shapes that hosts have.

Only what the settings look at is there. The tools below DIR/bin act on the copy as the real ones
would on the kernel (fake_tools.sh).
"""

import os
import stat

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = ("ethtool", "systemctl", "modprobe", "dpdk-devbind.py", "update-grub")

SYSCTLS = {
    "net/core/somaxconn": "4096",
    "net/core/netdev_max_backlog": "1000",
    "net/core/rps_sock_flow_entries": "0",
    "net/core/busy_poll": "0",
    "net/core/busy_read": "50",
    "net/core/wmem_max": "212992",
    "net/ipv4/tcp_max_syn_backlog": "2048",
    "net/ipv4/tcp_syncookies": "1",
    "net/ipv4/ip_local_port_range": "32768\t60999",
    "net/ipv4/tcp_mem": "187335\t249781\t374670",
    "net/ipv4/tcp_rmem": "4096\t131072\t6291456",
    "net/ipv4/tcp_wmem": "4096\t16384\t4194304",
    "net/ipv4/tcp_notsent_lowat": "4294967295",
    "net/ipv4/tcp_max_tw_buckets": "131072",
    "net/ipv4/tcp_tw_reuse": "2",
    "net/ipv4/tcp_fin_timeout": "60",
    "net/netfilter/nf_conntrack_max": "262144",
    "net/netfilter/nf_conntrack_buckets": "65536",
    "net/netfilter/nf_conntrack_count": "17",
    "fs/nr_open": "1048576",
    "fs/file-max": "9223372036854775807",
    "kernel/io_uring_disabled": "0",
    "kernel/numa_balancing": "1",
    "kernel/random/boot_id": "11111111-2222-3333-4444-555555555555",
    "vm/zone_reclaim_mode": "0",
}
# These belong to the test, not to the host.
NOT_THE_HOST = ("bin", "calls.log", "fail", "kill", "clamp", "hidden")


def cpu_list(cpus):
    return ",".join(str(cpu) for cpu in cpus)


def mask(cpus, width):
    """As the kernel writes it: words of 32 cores, all of them, the highest first."""
    value = sum(1 << cpu for cpu in cpus)
    words = [(value >> shift) & 0xffffffff for shift in range(0, max(width, 1), 32)]
    text = ",".join("%08x" % word for word in reversed(words))
    return text if width > 32 else "%x" % words[0]


class Tree:
    def __init__(self, root, cpus=4, nodes=1, memory_gib=64):
        self.root, self.cpus, self.nodes = root, cpus, nodes
        self.next_interrupt = 40
        self.interrupts = []
        for name, text in SYSCTLS.items():
            self.write("proc/sys/" + name, text)
        self.write("proc/meminfo", "MemTotal:       %d kB\nMemFree:  1 kB" % (memory_gib << 20))
        self.write("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 quiet")
        self.write("proc/net/route", "Iface\tDestination\tGateway")
        self.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never")
        for folder in ("sys/class/net", "sys/bus/pci/devices", "sys/bus/pci/drivers", "sys/module",
                       "var/lib", "etc/sysctl.d", "etc/systemd/system", "run/systemd/system",
                       "bin", "units"):
            os.makedirs(self.path(folder), exist_ok=True)
        self.make_cpus(memory_gib)
        self.virtual("lo")
        self.write("units/irqbalance.service", "active")
        for tool in TOOLS:
            os.symlink(os.path.join(HERE, "fake_tools.sh"), self.path("bin/" + tool))

    def path(self, name):
        return os.path.join(self.root, name)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().strip()

    def sysctl(self, name):
        return self.read("proc/sys/" + name.replace(".", "/"))

    def node_cpus(self, node):
        return [cpu for cpu in range(self.cpus) if cpu * self.nodes // self.cpus == node]

    def make_cpus(self, memory_gib):
        self.write("sys/devices/system/cpu/online", "0-%d" % (self.cpus - 1))
        for node in range(self.nodes):
            folder = "sys/devices/system/node/node%d/" % node
            self.write(folder + "cpulist", cpu_list(self.node_cpus(node)))
            self.write(folder + "meminfo", "Node %d MemTotal:  %d kB"
                       % (node, (memory_gib << 20) // self.nodes))
            self.write(folder + "hugepages/hugepages-2048kB/nr_hugepages", "0")
        for cpu in range(self.cpus):
            folder = "sys/devices/system/cpu/cpu%d/" % cpu
            self.write(folder + "cpufreq/scaling_governor", "powersave")
            self.write(folder + "cpufreq/scaling_available_governors", "performance powersave")
            for state, latency in enumerate((0, 2, 10, 85)):
                self.write(folder + "cpuidle/state%d/latency" % state, str(latency))
                self.write(folder + "cpuidle/state%d/disable" % state, "0")
            node = cpu * self.nodes // self.cpus
            os.symlink("../../node/node%d" % node, self.path(folder + "node%d" % node))

    def virtual(self, name):
        self.write("sys/class/net/%s/mtu" % name, "65536")
        self.queue(name, 0)

    def queue(self, device, index):
        for kind, files in (("rx", ("rps_cpus", "rps_flow_cnt")), ("tx", ("xps_cpus",))):
            for file in files:
                self.write("sys/class/net/%s/queues/%s-%d/%s" % (device, kind, index, file),
                           "0" if file == "rps_flow_cnt" else mask([], self.cpus))

    def card(self, name, queues, queues_max, address="0000:3b:00.0", node=-1, driver="ice"):
        """A PCI card with combined queues and an interrupt for each."""
        pci = "sys/bus/pci/devices/" + address
        self.write("sys/bus/pci/drivers/%s/bind" % driver, "")
        self.write(pci + "/numa_node", str(node))
        os.symlink("../../drivers/" + driver, self.path(pci + "/driver"))
        os.makedirs(self.path("sys/class/net/" + name))
        os.symlink("../../../bus/pci/devices/" + address,
                   self.path("sys/class/net/%s/device" % name))
        self.write("sys/class/net/%s/napi_defer_hard_irqs" % name, "0")
        self.write("sys/class/net/%s/gro_flush_timeout" % name, "0")
        for index in range(queues):
            self.queue(name, index)
        self.interrupt(pci, "ice-%s-misc" % address)
        for index in range(queues):
            self.interrupt(pci, "ice-%s-TxRx-%d" % (name, index))
        settings = {
            "queues": {"combined": queues}, "queues_max": {"combined": queues_max},
            "ring": {"rx": 512, "tx": 512}, "ring_max": {"rx": 8160, "tx": 1024},
            "coalesce": {"adaptive-rx": "on", "adaptive-tx": "on", "rx-usecs": 50, "tx-usecs": 50},
            "feature": {"rx": "on", "tx": "on", "sg": "on", "tso": "off", "gso": "on", "gro": "on",
                        "lro": "off [fixed]", "rxhash": "on"},
        }
        for kind, values in settings.items():
            for key, value in values.items():
                self.write("card/%s/%s/%s" % (name, kind, key), str(value))

    def interrupt(self, pci, name):
        number = self.next_interrupt
        self.next_interrupt += 1
        self.interrupts.append((number, name))
        self.write(pci + "/msi_irqs/%d" % number, "msix")
        self.write("proc/irq/%d/smp_affinity" % number, mask(range(self.cpus), self.cpus))
        self.write("proc/interrupts", "            CPU0\n" + "\n".join(
            " %d:    1    IR-PCI-MSI 1-edge      %s" % one for one in self.interrupts))

    def affinity(self, number):
        return self.read("proc/irq/%d/smp_affinity" % number)

    def calls(self):
        """The command lines of tools that change something."""
        if not os.path.exists(self.path("calls.log")):
            return []
        return self.read("calls.log").split("\n")

    def snapshot(self):
        """{path: (kind and mode, bytes)} of all that belongs to the host."""
        found = {}
        for where, folders, files in os.walk(self.root):
            if where == self.root:
                folders[:] = [name for name in folders if name not in NOT_THE_HOST]
                files = [name for name in files if name not in NOT_THE_HOST]
            for name in folders + files:
                path = os.path.join(where, name)
                facts = os.lstat(path)
                content = b""
                if stat.S_ISLNK(facts.st_mode):
                    content = os.readlink(path).encode()
                elif stat.S_ISREG(facts.st_mode):
                    with open(path, "rb") as file:
                        content = file.read()
                found[os.path.relpath(path, self.root)] = (facts.st_mode, content)
        return found
