"""What persist writes for later boots, and that revert removes it."""

import os
import shutil
import subprocess
import unittest

from case import DIFFERS, FAILED, TUNE, TuneTest

SYSCTLS = "etc/sysctl.d/90-millrace.conf"
UNIT = "etc/systemd/system/millrace-tuning.service"
LINK = "etc/systemd/system/multi-user.target.wants/millrace-tuning.service"
LIMITS = "etc/systemd/system/millrace.service.d/50-tuning.conf"
GRUB = "etc/default/grub.d/millrace.cfg"


class Persist(TuneTest):
    def boot(self):
        """The kernel's values are its own again, but for sysctl.d; the unit hasn't run yet."""
        for line in self.tree.read(SYSCTLS).split("\n"):
            if not line.startswith("#"):
                name, value = line.split(" = ")
                self.tree.write("proc/sys/" + name.replace(".", "/"), value)
        self.tree.write("proc/sys/kernel/random/boot_id", "another")

    def test_files(self):
        tree = self.make(cpus=8)
        tree.card("eth1", 4, 4)
        before = tree.snapshot()
        said = self.tune("persist", "--nic", "eth1", "--cpus", "1-4", "--skip", "c_states")
        self.assertIn("net.core.somaxconn = 65535", tree.read(SYSCTLS).split("\n"))
        self.assertIn("net.ipv4.ip_local_port_range = 10240 65535", tree.read(SYSCTLS).split("\n"))
        self.assertIn("ExecStart=%s apply --profile io_uring --connections 1000000 --nic eth1 "
                      "--cpus 1-4 --skip c_states --brief\n" % TUNE, tree.read(UNIT))
        self.assertEqual(os.readlink(tree.path(LINK)), "/" + UNIT)
        self.assertIn("LimitNOFILE=1065536", tree.read(LIMITS))
        self.assertIn("systemctl daemon-reload", tree.calls())
        self.assertIn("isolcpus=managed_irq,domain,1-4", said, "printed, not written")
        self.assertFalse(os.path.exists(tree.path(GRUB)))
        self.assertEqual(tree.sysctl("net.core.somaxconn"), "4096", "only apply sets it now")
        self.assertIn("0 changed", self.tune("persist", "--nic", "eth1", "--cpus", "1-4",
                                             "--skip", "c_states"))
        self.tune("revert")
        self.assert_same(before)

    def test_with_apply_and_a_boot(self):
        """After a boot revert still knows the values that were before the first apply."""
        tree = self.make()
        before = tree.snapshot()
        self.apply()
        self.tune("persist")
        self.boot()
        for name, value in (("kernel/mm/transparent_hugepage/enabled", "[always] madvise never"),):
            tree.write("sys/" + name, value)
        self.changed()  # what the unit runs
        self.tune("revert")
        now = tree.snapshot()
        for path in before:
            if path.startswith(("proc/sys/net", "proc/sys/fs", "etc", "var")):
                self.assertEqual(before[path], now[path], path)
        self.assertEqual([path for path in now if path.startswith("etc")],
                         [path for path in before if path.startswith("etc")])

    def test_apply_then_persist_then_revert(self):
        tree = self.make()
        before = tree.snapshot()
        self.apply()
        self.tune("persist")
        self.assertEqual(self.changed(), 0)
        self.tune("revert")
        self.assert_same(before)

    def test_command_line(self):
        """Only by request, in a file of its own, with GRUB told of it both times."""
        tree = self.make(cpus=8)
        tree.write("etc/default/grub", 'GRUB_CMDLINE_LINUX="quiet"')
        before = tree.snapshot()
        self.tune("persist", "--cpus", "2-5", "--profile", "dpdk", "--kernel-command-line")
        self.assertIn('GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX isolcpus=managed_irq,domain,2-5 '
                      'rcu_nocbs=2-5 nohz_full=2-5"', tree.read(GRUB).split("\n"))
        out = subprocess.run(["sh", "-c", '. "$1"; . "$2"; echo "$GRUB_CMDLINE_LINUX"', "sh",
                              tree.path("etc/default/grub"), tree.path(GRUB)],
                             stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
        self.assertTrue(out.startswith("quiet isolcpus="))
        self.assertEqual(tree.calls().count("update-grub"), 1)
        self.tune("revert")
        self.assertEqual(tree.calls().count("update-grub"), 2)
        self.assert_same(before)

    def test_no_grub(self):
        self.make(cpus=8)
        said = self.tune("persist", "--cpus", "2-5", "--kernel-command-line", status=DIFFERS)
        self.assertIn("another boot loader", said)

    def test_a_file_of_the_administrator_comes_back(self):
        tree = self.make()
        tree.write(SYSCTLS, "# mine\nnet.core.somaxconn = 200")
        before = tree.snapshot()
        self.tune("persist")
        self.assertNotIn("mine", tree.read(SYSCTLS))
        self.tune("revert")
        self.assert_same(before)

    def test_fails_half_way(self):
        """A file stands where a folder is wanted: nothing of persist stays, and apply's does."""
        tree = self.make()
        self.apply()
        applied = tree.snapshot()
        tree.write("etc/systemd/system/millrace.service.d", "in the way")
        blocked = tree.snapshot()
        self.tune("persist", status=FAILED)
        self.assertIn("millrace.service.d", self.stderr)
        self.assertIn("rolled back", self.stderr)
        self.assert_same(blocked)
        os.unlink(tree.path("etc/systemd/system/millrace.service.d"))
        self.assert_same(applied)
        self.assertEqual(self.changed(), 0)

    def test_dry_run_shows_the_files(self):
        tree = self.make()
        before = tree.snapshot()
        said = self.tune("persist", "--dry-run")
        self.assertIn("    | net.core.somaxconn = 65535", said)
        self.assertIn("    | ExecStart=", said)
        self.assert_same(before)

    @unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd-analyze isn't installed")
    def test_systemd_reads_the_unit(self):
        tree = self.make()
        self.tune("persist")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", tree.path(UNIT)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              universal_newlines=True)
        about_it = [line for line in done.stdout.split("\n") if "millrace-tuning" in line]
        self.assertEqual(about_it, [])


class LimitsNow(TuneTest):
    def test_apply_writes_below_run(self):
        """Until the next boot: /run goes with it. Written below /etc already, it's enough."""
        tree = self.make()
        name = "run/systemd/system/millrace.service.d/50-tuning.conf"
        self.apply("--only", "systemd", "--connections", "2000000")
        self.assertIn("LimitNOFILE=2065536", tree.read(name))
        self.assertEqual(tree.calls(), ["systemctl daemon-reload"])
        self.tune("revert")
        self.assertFalse(os.path.exists(os.path.dirname(tree.path(name))))
        self.tune("persist", "--only", "systemd")
        self.assertEqual(self.changed("--only", "systemd"), 0)

    def test_without_systemd(self):
        tree = self.make()
        shutil.rmtree(tree.path("run/systemd"))
        before = tree.snapshot()
        self.apply()
        self.assertEqual(tree.calls(), [], "nobody to be told of new files")
        self.tune("revert")
        self.assert_same(before)
