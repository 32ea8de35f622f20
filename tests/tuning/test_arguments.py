"""Bad arguments are refused with status 2, a name, and what is accepted; nothing is written."""

import os
import unittest

from case import FAILED, USAGE, TuneTest, run_tune

BAD = (
    ((), "what to do"),
    (("frobnicate",), '"frobnicate" is not known'),
    (("check", "apply"), "one at a time"),
    (("check", "--profile"), "--profile needs a value"),
    (("check", "--profile", "xdp"), "accepted are io_uring dpdk"),
    (("check", "--cpus", "1-"), "such as 2-9,12"),
    (("check", "--cpus", "3-1"), "such as 2-9,12"),
    (("check", "--cpus", "0,9999999999"), "such as 2-9,12"),
    (("check", "--cpus", "0 1"), "such as 2-9,12"),
    (("check", "--cpus", "$(id)"), "such as 2-9,12"),
    (("check", "--cpus", "3,4"), "core 4 is not online: 0-3 are"),
    (("check", "--nic", "eth9"), "no such card"),
    (("check", "--nic", "../../../etc"), "is no name of a network card"),
    (("check", "--nic", ".."), "is no name of a network card"),
    (("check", "--connections", "0"), "accepted are 1 to"),
    (("check", "--connections", "many"), "accepted are 1 to"),
    (("check", "--huge-page-mib", "-5"), "accepted are 1 to"),
    (("check", "--only", "irqs"), "accepted are dpdk queues"),
    (("check", "--skip", "rings,nothing"), "accepted are dpdk queues"),
    (("check", "--root", "/nonexistent"), "is no folder"),
    (("apply", "--kernel-command-line"), "for persist alone"),
    (("check", "--verbose"), "is not known"),
)


class Arguments(TuneTest):
    def test_bad_ones(self):
        tree = self.make()
        before = tree.snapshot()
        for words, text in BAD:
            with self.subTest(words=words):
                done = run_tune("--root", tree.root, *words)
                self.assertEqual(done.returncode, USAGE, done.stdout + done.stderr)
                self.assertIn(text, done.stderr)
                self.assertEqual(done.stdout, "")
        self.assert_same(before)

    def test_help(self):
        done = run_tune("--help")
        self.assertEqual(done.returncode, 0)
        for word in ("check|apply|revert|persist", "--profile", "--nic", "--cpus", "--dry-run",
                     "--root", "--state"):
            self.assertIn(word, done.stdout)

    def test_only_and_skip(self):
        self.make()
        report = self.settings("--only", "backlogs,ports")
        self.assertEqual({one["subject"] for one in report.values()}, {"backlogs", "ports"})
        report = self.settings("--only", "backlogs,ports", "--skip", "ports")
        self.assertEqual({one["subject"] for one in report.values()}, {"backlogs"})

    @unittest.skipIf(os.geteuid() != 0, "root is needed to become somebody else")
    def test_without_root(self):
        """On the host itself: check works for anybody, apply and revert say who can."""
        state = ("--state", os.path.join(self.make().root, "state"))
        os.chmod(self.tree.root, 0o755)
        done = run_tune("check", *state, "--only", "backlogs", user=65534)
        self.assertIn("net.core.somaxconn", done.stdout, done.stderr)
        for action in ("apply", "persist"):
            done = run_tune(action, *state, "--only", "backlogs", user=65534)
            self.assertEqual(done.returncode, FAILED, done.stdout)
            self.assertIn("run it as root", done.stderr)

    def test_state_folder(self):
        tree = self.make()
        before = tree.snapshot()
        state = os.path.join(tree.root, "bin", "state")
        self.apply("--state", state)
        self.assertTrue(os.path.isdir(state))
        self.assertFalse(os.path.exists(tree.path("var/lib/millrace-tuning")))
        self.tune("revert", "--state", state)
        self.assertFalse(os.path.exists(state))
        self.assert_same(before)
