"""check, apply, apply again and revert on hosts of several shapes."""

import os

from case import AS_WANTED, DIFFERS, TuneTest


class Shapes(TuneTest):
    def round_trip(self, *words, look=lambda: None):
        """Applies, looks, and takes back; in between the second apply changes nothing."""
        before = self.tree.snapshot()
        self.assertGreater(self.changed(*words), 0)
        applied = self.tree.snapshot()
        self.assertNotEqual(before, applied)
        look()
        self.assertEqual(self.changed(*words), 0)
        self.assert_same(applied)
        self.tune("check", *words)
        self.tune("revert")
        self.assert_same(before)
        self.assertIn("nothing to revert", self.tune("revert"))
        self.assert_same(before)

    def test_no_card(self):
        """Without a card everything about cards says why it's left out; the rest is set."""
        self.make()
        found = self.settings()
        for name in ("queue count", "ring sizes", "coalescing", "offloads", "interrupt affinity",
                     "RPS, RFS, XPS"):
            self.assertEqual(found[name]["status"], "n/a", name)
            self.assertIn("no network card here", found[name]["reason"])
        self.assertEqual(found["net.core.somaxconn"]["status"], "change")
        self.round_trip()

    def test_one_queue(self):
        """A card with one queue for four shards: its packets are spread in software."""
        tree = self.make()
        tree.card("eth1", 1, 1)

        def look():
            self.assertEqual(tree.affinity(41), "1")
            self.assertEqual(tree.read("sys/class/net/eth1/queues/rx-0/rps_cpus"), "f")
            self.assertEqual(tree.read("sys/class/net/eth1/queues/rx-0/rps_flow_cnt"), "32768")
            self.assertEqual(self.settings(status=AS_WANTED)["XPS of eth1"]["reason"],
                             "there is one queue to send by")

        self.round_trip(look=look)

    def test_more_queues_than_cores(self):
        """Queues past the number of shards go; what was set on them comes back with them."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        tree.write("sys/class/net/eth1/queues/tx-6/xps_cpus", "2")
        tree.write("sys/class/net/eth1/queues/rx-7/rps_cpus", "00000008")

        def look():
            self.assertEqual(tree.read("card/eth1/queues/combined"), "3")
            self.assertEqual([tree.affinity(number) for number in (41, 42, 43)], ["2", "4", "8"])
            self.assertEqual(tree.affinity(40), "f", "the interrupt without a queue is left alone")
            self.assertEqual(tree.affinity(44), "f", "its queue has gone")
            self.assertEqual(tree.read("sys/class/net/eth1/queues/rx-0/rps_cpus"), "0")
            self.assertEqual([tree.read("sys/class/net/eth1/queues/tx-%d/xps_cpus" % queue)
                              for queue in range(3)], ["2", "4", "8"])
            self.assertEqual(tree.read("units/irqbalance.service"), "inactive")

        self.round_trip("--cpus", "1-3", look=look)

    def test_few_queues_share(self):
        """Two queues for four shards: each queue sends for two of them."""
        tree = self.make()
        tree.card("eth1", 1, 2)
        self.apply("--only", "queues,steering")
        self.assertEqual([tree.read("sys/class/net/eth1/queues/tx-%d/xps_cpus" % queue)
                          for queue in range(2)], ["5", "a"])
        self.tune("check", "--only", "queues,steering")

    def test_card_values(self):
        """Rings, coalescing and offloads, as far as the card goes."""
        tree = self.make()
        tree.card("eth1", 4, 4)
        cards = ("--only", "rings,coalescing,offloads")
        found = self.settings(*cards)
        self.assertEqual(found["lro of eth1"]["status"], "ok")
        self.assertEqual(found["rx ring of eth1"]["wanted"], "4096")
        self.apply(*cards)
        self.assertEqual(tree.read("card/eth1/ring/rx"), "4096")
        self.assertEqual(tree.read("card/eth1/ring/tx"), "1024", "the card's maximum")
        self.assertEqual(tree.read("card/eth1/coalesce/adaptive-rx"), "off")
        self.assertEqual(tree.read("card/eth1/coalesce/rx-usecs"), "20")
        self.assertEqual(tree.read("card/eth1/feature/tso"), "on")
        self.assertIn("ethtool -G eth1 rx 4096", tree.calls())

    def test_fixed_offload(self):
        tree = self.make()
        tree.card("eth1", 4, 4)
        tree.write("card/eth1/feature/lro", "on [fixed]")
        self.assertIn("fixed to on", self.settings("--only", "offloads")["lro of eth1"]["reason"])
        self.round_trip("--only", "offloads")

    def test_two_nodes(self):
        """Shards are on the card's node, and so are their huge pages."""
        tree = self.make(cpus=8, nodes=2)
        tree.card("eth1", 4, 4, node=1)
        before = tree.snapshot()
        report = self.apply()
        self.assertEqual(report["cpus"], "4-7")
        huge = "sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"
        self.assertEqual(tree.read(huge % 0), "0")
        self.assertEqual(tree.read(huge % 1), "2048")
        self.assertEqual([tree.affinity(number) for number in (41, 44)], ["10", "80"])
        governor = "sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor"
        self.assertEqual(tree.read(governor % 3), "powersave")
        self.assertEqual(tree.read(governor % 4), "performance")
        sleep = "sys/devices/system/cpu/cpu5/cpuidle/state%d/disable"
        self.assertEqual([tree.read(sleep % state) for state in range(4)], ["0", "0", "0", "1"])
        self.tune("revert")
        self.assert_same(before)
        found = self.settings("--cpus", "2-5")
        self.assertEqual(found["NUMA placement"]["status"], "advice")
        self.assertIn("cores 2-3 are on another node", found["NUMA placement"]["found"])
        self.assertIn("huge pages on NUMA node 0", found)

    def test_huge_pages_leave_half(self):
        """However many shards there are, half of the node stays for others."""
        self.make(cpus=16, memory_gib=8)
        only = ("--only", "huge_pages")
        self.assertEqual(self.settings(*only)["huge pages on NUMA node 0"]["wanted"], "2048")
        self.assertEqual(self.settings("--huge-page-mib", "64", *only)
                         ["huge pages on NUMA node 0"]["wanted"], "32")

    def test_many_cores(self):
        """Masks of more than 32 cores have commas."""
        tree = self.make(cpus=96)
        tree.card("eth1", 1, 1)
        words = ("--cpus", "31-33,64,95", "--only", "queues,interrupts,steering")
        self.apply(*words)
        self.assertEqual(tree.affinity(41), "80000000")
        self.assertEqual(tree.read("sys/class/net/eth1/queues/rx-0/rps_cpus"),
                         "80000001,00000003,80000000")
        self.assertEqual(self.changed(*words), 0)
        # The kernel shows all words, and zeros in front.
        tree.write("proc/irq/41/smp_affinity", "00000000,00000000,80000000")
        self.assertEqual(self.changed(*words), 0)

    def test_better_values_stay(self):
        """What is more than wanted isn't lowered."""
        tree = self.make()
        tree.write("proc/sys/net/core/somaxconn", "100000")
        tree.write("proc/sys/net/ipv4/tcp_mem", "1 2 999999999")
        tree.write("proc/sys/net/ipv4/ip_local_port_range", "2000 50000")
        tree.write("proc/sys/net/ipv4/tcp_fin_timeout", "5")
        self.apply("--only", "backlogs,ports,tcp_memory,time_wait")
        self.assertEqual(tree.sysctl("net.core.somaxconn"), "100000")
        self.assertEqual(tree.sysctl("net.ipv4.tcp_mem"), "2097152 3145728 999999999")
        self.assertEqual(tree.sysctl("net.ipv4.ip_local_port_range"), "2000 65535")
        self.assertEqual(tree.sysctl("net.ipv4.tcp_fin_timeout"), "5")

    def test_several_cards(self):
        """Which of several cards is for clients isn't guessed."""
        tree = self.make()
        tree.card("eth1", 4, 4)
        tree.card("eth2", 4, 4, address="0000:5e:00.0")
        cards = ("--only", "queues,rings,interrupts,steering")
        self.assertIn("several cards (eth1 eth2)",
                      self.settings(*cards, status=AS_WANTED)["queue count"]["reason"])
        self.assertEqual(self.settings("--nic", "eth2", *cards)["rx ring of eth2"]["status"],
                         "change")
        self.round_trip("--nic", "eth2", *cards)

    def test_virtual_device(self):
        """Loopback is a card only when it's named; then it has a queue, and no more."""
        self.make()
        found = self.settings("--nic", "lo", "--only", "queues,rings,steering")
        self.assertIn("not supported", found["queue count of lo"]["reason"])
        self.assertEqual(found["RPS of lo"]["wanted"], "f")
        self.assertEqual(found["rx ring of lo"]["status"], "n/a")
        self.assertIn("not supported", found["rx ring of lo"]["reason"])

    def test_busy_poll(self):
        tree = self.make()
        tree.card("eth1", 4, 4)
        found = self.settings("--only", "coalescing,busy_polling")
        self.assertEqual(found["deferral of interrupts"]["status"], "n/a")
        self.assertEqual(found["net.core.busy_read"]["wanted"], "0")
        self.round_trip("--busy-poll", "--only", "coalescing,busy_polling")

    def test_drift(self):
        """A value that was changed since apply is set again, and reverted to what was first."""
        tree = self.make()
        before = tree.snapshot()
        self.apply("--only", "backlogs,ports")
        tree.write("proc/sys/net/core/somaxconn", "77")
        self.assertEqual(self.changed("--only", "backlogs,ports"), 1)
        self.tune("revert")
        self.assert_same(before)

    def test_after_a_boot(self):
        """A boot has reverted everything itself: old values of before aren't written."""
        tree = self.make()
        self.apply("--only", "backlogs")
        tree.write("proc/sys/kernel/random/boot_id", "another")
        tree.write("proc/sys/net/core/somaxconn", "555")
        self.assertIn("before the last boot", self.tune("revert"))
        self.assertEqual(tree.sysctl("net.core.somaxconn"), "555")

    def test_dry_run(self):
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        for action in ("check", "apply", "persist", "revert"):
            status = DIFFERS if action == "check" else AS_WANTED
            said = self.tune(action, "--dry-run", status=status)
            self.assertTrue("somaxconn" in said or action == "revert", said)
        self.assert_same(before)
        self.apply()
        applied = tree.snapshot()
        self.assertIn("would restore", self.tune("revert", "--dry-run"))
        self.assert_same(applied)

    def test_says_it_all(self):
        """A person reads for each setting what it's for, both values, why, and the cost."""
        self.make()
        lines = self.tune("check", "--only", "backlogs", status=DIFFERS).split("\n")
        at = next(index for index, line in enumerate(lines) if "somaxconn" in line)
        self.assertRegex(lines[at], r"^change +net.core.somaxconn +4096 -> 65535$")
        self.assertEqual([line.split()[0] for line in lines[at + 1:at + 4]], ["for", "why", "cost"])
        self.assertIn("3 to change, 1 as wanted", lines[-2])
        for name, setting in self.settings().items():
            self.assertTrue(setting["for"], name)
            if setting["status"] == "change":
                self.assertTrue(setting["why"] and setting["cost"] and setting["wanted"], name)

    def test_no_conntrack(self):
        tree = self.make()
        for name in ("max", "buckets", "count"):
            os.unlink(tree.path("proc/sys/net/netfilter/nf_conntrack_" + name))
        found = self.settings("--only", "conntrack", status=AS_WANTED)
        self.assertIn("isn't loaded", found["connection tracking"]["reason"])


class Dpdk(TuneTest):
    def shape(self, iommu=True):
        tree = self.make(cpus=8)
        tree.card("eth1", 4, 4)
        if iommu:
            tree.write("sys/kernel/iommu_groups/1/type", "DMA")
        return tree

    def test_round_trip(self):
        """The card goes to vfio-pci under its name, twice, and comes back."""
        tree = self.shape()
        before = tree.snapshot()
        words = ("--profile", "dpdk", "--nic", "eth1", "--cpus", "2-5")
        self.assertGreater(self.changed(*words), 0)
        self.assertEqual([call for call in tree.calls() if "systemctl" not in call],
                         ["modprobe vfio-pci", "dpdk-devbind.py --bind=vfio-pci 0000:3b:00.0"])
        self.assertEqual(self.changed(*words), 0)
        self.tune("revert")
        self.assert_same(before)

    def test_only_by_name(self):
        self.shape()
        found = self.settings("--profile", "dpdk")
        self.assertIn("only by name", found["driver of the card"]["reason"])

    def test_without_iommu(self):
        self.shape(iommu=False)
        report = self.apply("--profile", "dpdk", "--nic", "eth1", status=DIFFERS)
        self.assertEqual(report["counts"]["blocked"], 1)
        self.assertEqual([call for call in self.tree.calls() if "devbind" in call], [])

    def test_the_way_in_is_kept(self):
        """The card of the default route isn't taken."""
        tree = self.shape()
        tree.write("proc/net/route", "Iface\tDestination\tGateway\neth1\t00000000\t0100000A")
        self.apply("--profile", "dpdk", "--nic", "eth1", status=DIFFERS)
        self.assertEqual([call for call in tree.calls() if "devbind" in call], [])

    def test_shared_card(self):
        tree = self.make()
        tree.card("eth1", 4, 4, driver="mlx5_core")
        found = self.settings("--profile", "dpdk", "--nic", "eth1")
        self.assertIn("stays bound", found["driver of the card"]["reason"])

    def test_kernel_tcp_is_left_alone(self):
        self.shape()
        before = self.tree.sysctl("net.core.somaxconn")
        found = self.settings("--profile", "dpdk", "--cpus", "2-5")
        self.assertEqual(found["backlogs"]["status"], "n/a")
        self.assertEqual(found["queue count"]["status"], "n/a")
        self.assertIn("2-5", found["nohz_full"]["wanted"])
        self.apply("--profile", "dpdk")
        self.assertEqual(self.tree.sysctl("net.core.somaxconn"), before)
        self.tune("apply", "--profile", "io_uring", status=1)
        self.assertIn("revert", self.stderr)


class Isolation(TuneTest):
    def test_words(self):
        tree = self.make(cpus=8)
        found = self.settings("--cpus", "0-3")
        self.assertEqual(found["isolcpus"]["wanted"], "managed_irq,domain,1-3")
        self.assertIn("isolcpus=managed_irq,domain,1-3", found["isolcpus"]["reason"])
        self.assertEqual(found["nohz_full"]["status"], "n/a")
        tree.write("proc/cmdline", "quiet isolcpus=managed_irq,domain,1-3 rcu_nocbs=2")
        found = self.settings("--cpus", "0-3")
        self.assertEqual(found["isolcpus"]["status"], "ok")
        self.assertEqual(found["rcu_nocbs"]["found"], "rcu_nocbs=2")

    def test_some_core_is_left(self):
        self.make()
        self.assertIn("leave some to the system",
                      self.settings()["isolcpus, nohz_full, rcu_nocbs"]["reason"])
