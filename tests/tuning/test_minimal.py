"""Hosts with little in them, other ways to start tune.sh, and readers that go away."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from case import AS_WANTED, DIFFERS, FAILED, TUNE, TUNING, USAGE, TuneTest, run_tune
from tree import mask

SOMAXCONN = "proc/sys/net/core/somaxconn"


class Bare(TuneTest):
    """A root that isn't a copy of a whole host."""

    def bare(self, *files):
        root = os.path.join(os.path.realpath(tempfile.mkdtemp(prefix="tune ")), "a root")
        self.addCleanup(shutil.rmtree, os.path.dirname(root))
        os.makedirs(root)
        for name, text in files:
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return root

    def run_on(self, root, action, *words):
        done = run_tune(action, "--root", root, *words)
        self.assertNotRegex(done.stderr, r"line [0-9]+:", "bash complains of the script itself")
        return done

    @staticmethod
    def names(root):
        return sorted(os.path.join(where, name) for where, folders, files in os.walk(root)
                      for name in folders + files)

    def test_nothing_at_all(self):
        """Each setting is inapplicable, and nothing is left behind, not even a folder."""
        root = self.bare()
        for words in (("check",), ("apply",), ("apply",), ("revert",), ("revert",),
                      ("check", "--profile", "dpdk"), ("persist", "--dry-run"), ("persist",)):
            done = self.run_on(root, *words)
            self.assertEqual(done.returncode, AS_WANTED, (words, done.stdout, done.stderr))
            if words[0] != "persist":
                self.assertEqual(self.names(root), [], words)
        self.assertIn("/etc", "".join(self.names(root)))
        self.run_on(root, "revert")
        self.assertEqual(self.names(root), [])

    def test_one_value(self):
        """What there is gets set, and the folders of the old values go with them."""
        root = self.bare((SOMAXCONN, "0128"), ("sys/devices/system/cpu/cpu1/x", ""))
        before = self.names(root)
        done = self.run_on(root, "apply", "--json")
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["counts"]["changed"]), (AS_WANTED, 1))
        self.assertEqual(report["cpus"], "1")
        for one in report["settings"]:
            if one["status"] == "n/a":
                self.assertTrue(one["reason"], one["name"])
        self.assertEqual(json.loads(self.run_on(root, "revert", "--json").stdout)["restored"], 1)
        self.assertEqual(self.names(root), before)
        with open(os.path.join(root, SOMAXCONN), encoding="utf-8") as file:
            self.assertEqual(file.read(), "0128\n")
        self.assertEqual(json.loads(self.run_on(root, "revert", "--json").stdout)["restored"], 0)

    def test_a_card_of_which_nothing_is_told(self):
        """No queues, no interrupts and no ethtool: that is said, and the rest is set."""
        root = self.bare((SOMAXCONN, "128"), ("sys/class/net/eth0/device/x", ""),
                         ("sys/devices/system/cpu/online", "0-3"))
        done = self.run_on(root, "apply", "--json")
        found = {one["name"]: one for one in json.loads(done.stdout)["settings"]}
        self.assertEqual(done.returncode, DIFFERS, "a missing tool can be mended")
        self.assertEqual(found["queue count of eth0"]["status"], "blocked")
        self.assertIn("ethtool is not installed", found["tso of eth0"]["reason"])
        self.assertIn("no queues", found["RPS, RFS, XPS"]["reason"])
        self.assertEqual(found["net.core.somaxconn"]["status"], "changed")

    def test_without_numa(self):
        """One pool of huge pages for all, and half of all memory at most."""
        pool = "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        root = self.bare((pool, "0"), ("proc/meminfo", "MemTotal:  4194304 kB"),
                         ("sys/devices/system/cpu/online", "0-7"))
        self.run_on(root, "apply", "--only", "huge_pages")
        with open(os.path.join(root, pool), encoding="utf-8") as file:
            self.assertEqual(file.read(), "1024\n")


class Interrupts(TuneTest):
    NAMES = ("eth1-TxRx-%d", "mlx5_comp%d@pci:0000:3b:00.0", "virtio0-input.%d",
             "i40e-eth1-TxRx-%d", "eth1-Tx-Rx-%d", "eth1-rx-%d", "gve-ntfy-blk%d@pci:0000:3b:00.0",
             "eth1-fp-%d")

    def rename(self, names):
        tree = self.tree
        tree.write("proc/interrupts", "     CPU0  CPU1\n  8:  0  0  IO-APIC  8-edge  rtc0\n"
                   + "\n".join(" %d:  7  9  IR-PCI-MSI 5-edge  %s" % one for one in names)
                   + "\nNMI:  0  0  Non-maskable interrupts")

    def test_names_of_drivers(self):
        """Whatever a driver calls them, queue N is for the core of shard N, past 64 cores too."""
        cores = (3, 40, 64, 127)
        tree = self.make(cpus=128)
        tree.card("eth1", 4, 4)
        for name in self.NAMES:
            with self.subTest(name=name):
                for number in range(40, 45):
                    tree.write("proc/irq/%d/smp_affinity" % number, mask(range(128), 128))
                self.rename([(40, "mlx5_async0@pci:0000:3b:00.0")]
                            + [(41 + queue, name % queue) for queue in range(4)])
                self.apply("--only", "interrupts", "--cpus", "3,40,64,127")
                self.assertEqual([int(tree.affinity(41 + queue).replace(",", ""), 16)
                                  for queue in range(4)], [1 << core for core in cores])
                self.assertEqual(tree.affinity(43), "1,00000000,00000000")
                self.assertEqual(tree.affinity(40), mask(range(128), 128))

    def test_one_without_a_number(self):
        """A card with one queue and one interrupt doesn't number it."""
        tree = self.make()
        tree.card("eth1", 1, 1)
        os.unlink(tree.path("sys/bus/pci/devices/0000:3b:00.0/msi_irqs/40"))
        self.rename([(41, "eth1")])
        self.apply("--only", "interrupts", "--cpus", "2")
        self.assertEqual(tree.affinity(41), "4")


class Callers(TuneTest):
    def test_installed_elsewhere(self):
        """Read-only below /usr/share, called by a link: the unit has the place where it stands."""
        tree = self.make()
        before = tree.snapshot()
        folder = os.path.join(tree.root, "bin", "usr share", "50%")
        shutil.copytree(TUNING, folder)
        link = tree.path("bin/millrace-tune")
        os.symlink(os.path.join(folder, "tune.sh"), link)
        for where, _, names in os.walk(folder):
            for name in names:
                os.chmod(os.path.join(where, name), 0o555)
            os.chmod(where, 0o555)
        done = subprocess.run([link, "persist", "--root", "..", "--state", "old values"],
                              cwd=tree.path("bin"), stdout=subprocess.PIPE, check=False,
                              stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual((done.returncode, done.stderr), (AS_WANTED, ""))
        unit = tree.path("etc/systemd/system/millrace-tuning.service")
        with open(unit, encoding="utf-8") as file:
            text = file.read()
        self.assertIn('ExecStart="%s/tune.sh" apply --profile' % folder.replace("%", "%%"), text)
        self.assertIn(' --state "%s/old values" ' % tree.path("bin"), text)
        if shutil.which("systemd-analyze"):
            told = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  universal_newlines=True).stdout
            self.assertEqual([line for line in told.split("\n") if "millrace-tuning" in line], [])
        subprocess.run([link, "revert", "--root", "..", "--state", "old values"], check=True,
                       cwd=tree.path("bin"), stdout=subprocess.DEVNULL)
        self.assert_same(before)

    def test_a_reader_that_goes_away(self):
        """Half a report isn't half a change: what was set is taken back, and that is said."""
        tree = self.make()
        before = tree.snapshot()
        with subprocess.Popen(["bash", TUNE, "apply", "--root", tree.root, "--only",
                               "backlogs,ports,files"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True) as process:
            process.stdout.close()
            told = process.stderr.read()
        self.assertEqual(process.returncode, FAILED, told)
        self.assertIn("rolled back", told)
        self.assert_same(before)

    def test_values_that_look_like_options(self):
        """A forgotten value doesn't swallow --dry-run."""
        tree = self.make()
        before = tree.snapshot()
        for option in ("--state", "--root", "--nic", "--cpus", "--only"):
            done = run_tune("apply", "--root", tree.root, option, "--dry-run")
            self.assertEqual(done.returncode, USAGE, option)
            self.assertIn(option + " needs a value", done.stderr)
        self.assert_same(before)
        self.assertFalse(os.path.exists("--dry-run"))

    @unittest.skipIf(os.geteuid() != 0, "root is needed to become somebody else")
    def test_somebody_else_is_told_what_root_would_find(self):
        """On the host itself a file that only root may write isn't called read-only."""
        words = ("check", "--json", "--only", "ports,backlogs,time_wait")
        told = [{one["name"]: one["status"] for one in json.loads(done.stdout)["settings"]}
                for done in (run_tune(*words), run_tune(*words, user=65534))]
        self.assertEqual(told[0], told[1])
