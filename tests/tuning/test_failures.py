"""Writes that fail, files that can't be written, and runs that are cut short."""

import os
import signal
import subprocess
import time

from case import DIFFERS, FAILED, TUNE, TuneTest

# What is on the card itself, in files of each queue, and in others: all ways to write.
SOME = ("--only", "queues,rings,coalescing,offloads,interrupts,steering,backlogs")


class RollBack(TuneTest):
    def test_a_tool_fails(self):
        """What was set before the failure is as it was, and the error says all one needs."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        tree.write("fail", "ethtool -C eth1 rx-usecs")
        self.tune("apply", *SOME, status=FAILED)
        self.assertIn("ethtool -G eth1 rx 4096", tree.calls(), "something was set before")
        self.assert_same(before)
        for text in ("rx-usecs of eth1", 'writing "20"', "Invalid argument", "--skip coalescing",
                     "rolled back"):
            self.assertIn(text, self.stderr)
        self.assertGreater(self.changed(*SOME, "--skip", "coalescing"), 0)
        self.tune("revert")
        self.assert_same(before)

    def test_the_kernel_refuses_a_value(self):
        """A real file of the kernel that takes no such value: oom_score_adj of the writer."""
        tree = self.make()
        path = tree.path("proc/sys/net/ipv4/tcp_max_tw_buckets")
        os.unlink(path)
        os.symlink("/proc/self/oom_score_adj", path)
        before = tree.snapshot()
        self.tune("apply", status=FAILED)
        self.assert_same(before)
        for text in ("net.ipv4.tcp_max_tw_buckets", path, "Invalid argument", "--skip time_wait",
                     "rolled back"):
            self.assertIn(text, self.stderr)

    def test_the_driver_makes_something_else_of_it(self):
        """A write that works and has another result isn't taken for done."""
        tree = self.make()
        tree.card("eth1", 4, 4)
        before = tree.snapshot()
        tree.write("clamp", "ring/rx 2048")
        self.tune("apply", "--only", "rings,backlogs", status=FAILED)
        self.assertIn("ring eth1 rx failed: the kernel made \"2048\" of it", self.stderr)
        self.assertIn("ethtool -G eth1 rx 4096", tree.calls())
        self.assert_same(before)

    def test_more_than_wanted_is_good_enough(self):
        """The kernel rounds sizes of tables up."""
        tree = self.make()
        tree.card("eth1", 4, 4)
        tree.write("clamp", "ring/rx 5000")
        self.apply("--only", "rings")
        self.assertEqual(self.changed("--only", "rings"), 0)

    def test_a_later_run_fails(self):
        """A second run that fails leaves what the first one set; revert still goes all the way."""
        tree = self.make()
        before = tree.snapshot()
        self.apply("--only", "backlogs")
        tree.write("proc/sys/net/core/somaxconn", "77")
        buckets = tree.path("proc/sys/net/ipv4/tcp_max_tw_buckets")
        os.rename(buckets, tree.path("bin/buckets"))
        os.symlink("/proc/self/oom_score_adj", buckets)
        drifted = tree.snapshot()
        self.tune("apply", "--only", "backlogs,time_wait", status=FAILED)
        self.assertIn("rolled back", self.stderr)
        self.assert_same(drifted)
        self.tune("revert")
        os.rename(tree.path("bin/buckets"), buckets)
        self.assert_same(before)

    def test_rolling_back_fails_too(self):
        """What can't be undone is named, stays recorded, and a later revert brings it back."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        tree.write("fail", "ethtool -K\nethtool -G eth1 rx 512")
        self.tune("apply", "--only", "rings,offloads", status=FAILED)
        self.assertIn("can't undo ring eth1 rx", self.stderr)
        self.assertEqual(tree.read("card/eth1/ring/rx"), "4096")
        self.assertEqual(tree.read("card/eth1/ring/tx"), "512")
        self.tune("revert", status=FAILED)
        self.assertIn("can't restore ring eth1 rx", self.stderr)
        os.unlink(tree.path("fail"))
        self.tune("revert")
        self.assert_same(before)


class ReadOnly(TuneTest):
    def test_is_reported(self):
        """A file that nobody may write is named; the rest is set."""
        tree = self.make()
        tree.write("proc/sys/net/core/somaxconn", "128", mode=0o444)
        before = tree.snapshot()
        report = self.apply(status=DIFFERS)
        self.assertEqual(report["counts"]["blocked"], 1)
        blocked = [one for one in report["settings"] if one["status"] == "blocked"]
        self.assertEqual(blocked[0]["name"], "net.core.somaxconn")
        self.assertIn("read-only here", blocked[0]["reason"])
        self.assertEqual(tree.sysctl("net.core.somaxconn"), "128")
        self.assertEqual(tree.sysctl("net.ipv4.tcp_max_syn_backlog"), "65536")
        text = self.tune("check", status=DIFFERS)
        self.assertIn("0 to change", text)
        self.assertIn("1 blocked", text)
        self.tune("revert")
        self.assert_same(before)

    def test_none_of_a_setting_is_set(self):
        """One core's file is read-only: no core gets the governor."""
        tree = self.make()
        governor = "sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor"
        tree.write(governor % 2, "powersave", mode=0o444)
        self.apply("--only", "governor", status=DIFFERS)
        self.assertEqual([tree.read(governor % cpu) for cpu in range(4)], ["powersave"] * 4)

    def test_read_only_but_right(self):
        tree = self.make()
        tree.write("proc/sys/net/core/somaxconn", "65535", mode=0o444)
        self.apply("--only", "backlogs")


class CutShort(TuneTest):
    def killed(self, text):
        self.tree.write("kill", text)
        done = subprocess.run(["bash", TUNE, "apply", "--root", self.tree.root, *SOME],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                              universal_newlines=True, timeout=60)
        os.unlink(self.tree.path("kill"))
        # The lock goes with the last process that has it.
        time.sleep(0.2)
        return done

    def test_killed_and_reverted(self):
        """The journal says what a run that was killed had changed."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        done = self.killed("ethtool -C eth1 rx-usecs")
        self.assertEqual(done.returncode, -signal.SIGKILL)
        self.assertNotEqual(tree.snapshot(), before)
        self.assertEqual(tree.read("card/eth1/queues/combined"), "4")
        self.tune("revert")
        self.assert_same(before)

    def test_killed_and_applied(self):
        """The next apply goes on, and the way back is still the whole one."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        self.killed("systemctl stop")
        self.assertIn("cut short", self.tune("check", *SOME, status=DIFFERS))
        self.assertIn("cut short", self.tune("apply", *SOME))
        self.assertEqual(self.changed(*SOME), 0)
        self.tune("revert")
        self.assert_same(before)

    def test_reverting_twice_from_the_middle(self):
        """A revert that is killed is repeated."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        self.apply(*SOME)
        tree.write("kill", "ethtool -G")
        subprocess.run(["bash", TUNE, "revert", "--root", tree.root], stdout=subprocess.DEVNULL,
                       check=False, timeout=60)
        os.unlink(tree.path("kill"))
        time.sleep(0.2)
        self.assertNotEqual(tree.snapshot(), before)
        self.tune("revert")
        self.assert_same(before)

    def test_interrupted(self):
        """On SIGTERM a run undoes what it did."""
        tree = self.make()
        tree.card("eth1", 8, 16)
        before = tree.snapshot()
        done = self.killed("ethtool -K eth1 tso")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("interrupted", done.stderr)
        self.assert_same(before)

    def test_one_at_a_time(self):
        """A second run waits for nobody: it says that there's another."""
        tree = self.make()
        os.makedirs(tree.path("var/lib/millrace-tuning"))
        with subprocess.Popen(["flock", tree.path("var/lib/millrace-tuning"), "sh", "-c",
                               "echo locked; read line"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            self.tune("apply", status=FAILED)
            holder.stdin.close()
        self.assertIn("another tune.sh", self.stderr)
        self.assertEqual(tree.sysctl("net.core.somaxconn"), "4096")
