"""tune.sh on the real kernel: what a network namespace of our own has, and a pair of virtual cards.

Only subjects whose values belong to the namespace are applied; the host's aren't touched.
"""

import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import own_namespace
from case import run_tune

CLONE_NEWNS = 0x00020000
CARD = "vcard"
# net.core.rps_sock_flow_entries and others of these aren't in a namespace; the test sees that they
# are called inapplicable.
SUBJECTS = ("queues,rings,coalescing,offloads,interrupts,steering,backlogs,ports,tcp_memory,"
            "buffers,time_wait,conntrack")
WRITABLE = ("core/somaxconn", "ipv4/tcp_max_syn_backlog", "ipv4/ip_local_port_range",
            "ipv4/tcp_rmem", "ipv4/tcp_wmem", "ipv4/tcp_notsent_lowat", "ipv4/tcp_max_tw_buckets",
            "ipv4/tcp_tw_reuse", "ipv4/tcp_fin_timeout")


def enter():
    """A network namespace, and its own /sys: the host's shows the host's cards."""
    own_namespace.enter()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "no mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], check=True)


def setUpModule():
    own_namespace.enter_or_skip(("ip", "ethtool", "mount"), enter)


class Namespace(unittest.TestCase):
    def setUp(self):
        subprocess.run(["ip", "link", "add", CARD, "numrxqueues", "4", "numtxqueues", "4", "type",
                        "veth", "peer", "name", "vfar", "numrxqueues", "4", "numtxqueues", "4"],
                       check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "delete", CARD], check=True)
        for end in (CARD, "vfar"):
            subprocess.run(["ip", "link", "set", end, "up"], check=True)
        subprocess.run(["ethtool", "-L", CARD, "rx", "3", "tx", "3"], check=True)
        subprocess.run(["ethtool", "-K", CARD, "tso", "off", "gro", "off"], check=True)
        with open("/sys/class/net/%s/queues/tx-2/xps_cpus" % CARD, "w", encoding="utf-8") as file:
            file.write("1")
        self.folder = tempfile.mkdtemp(prefix="tune-")
        self.addCleanup(shutil.rmtree, self.folder)

    def tune(self, action, *words, statuses=(0, 3)):
        words = (words if action == "revert" else ("--only", SUBJECTS, "--nic", CARD, *words))
        done = run_tune(action, "--state", self.folder + "/state", *words)
        self.assertIn(done.returncode, statuses, done.stdout + done.stderr)
        self.stderr = done.stderr
        return done.stdout

    def apply(self, *words):
        return json.loads(self.tune("apply", "--json", *words))

    @staticmethod
    def read(path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            return error.errno

    def snapshot(self):
        """What the namespace's kernel says of all that could be touched, byte for byte."""
        found = {}
        for base in ("/proc/sys/net", "/sys/class/net/%s/queues" % CARD):
            for where, _, names in os.walk(base):
                for name in names:
                    path = os.path.join(where, name)
                    found[path] = self.read(path)
        # It differs each time that it's read.
        found.pop("/proc/sys/net/netfilter/nf_conntrack_count", None)
        for option in ("-l", "-k"):
            found[option] = subprocess.run(["ethtool", option, CARD], stdout=subprocess.PIPE,
                                           check=True).stdout
        return found

    def assert_same(self, before):
        now = self.snapshot()
        self.assertEqual(sorted(before), sorted(now))
        for path, content in before.items():
            self.assertEqual(content, now[path], path)

    def test_round_trip(self):
        before = self.snapshot()
        report = self.apply()
        self.assertGreaterEqual(report["counts"]["changed"], 5)
        with open("/proc/sys/net/core/somaxconn", encoding="utf-8") as file:
            self.assertGreaterEqual(int(file.read()), 65535)
        applied = self.snapshot()
        changed = [path for path in before if applied.get(path) != before[path]]
        for name in WRITABLE:
            self.assertIn("/proc/sys/net/" + name, changed)
        self.assertIn("-k", changed, "offloads are on")
        again = self.apply()
        self.assertEqual(again["counts"]["changed"], 0)
        self.assert_same(applied)
        self.tune("revert")
        self.assert_same(before)
        self.assertFalse(os.path.exists(self.folder + "/state"))

    def test_queues_come_back_with_what_was_set_on_them(self):
        """One shard: two of the three queues go, one of them with an XPS mask of its own."""
        before = self.snapshot()
        self.apply("--cpus", "0")
        self.assertEqual(len(os.listdir("/sys/class/net/%s/queues" % CARD)), 2)
        self.tune("revert")
        self.assert_same(before)

    def test_dry_run(self):
        before = self.snapshot()
        self.tune("check", "--dry-run")
        self.tune("apply", "--dry-run")
        self.assert_same(before)
        self.assertFalse(os.path.exists(self.folder + "/state"))

    def test_what_cannot_be_set_is_reported(self):
        """Values of the host that a namespace shows read-only, or not at all."""
        report = self.apply()
        settings = {one["name"]: one for one in report["settings"]}
        self.assertEqual(settings["net.ipv4.tcp_mem"]["status"], "n/a")
        self.assertIn("doesn't have it", settings["net.ipv4.tcp_mem"]["reason"])
        self.assertEqual(settings["rx ring of vcard"]["status"], "n/a")
        self.assertEqual(settings["interrupts of vcard"]["status"], "n/a")
        for name, one in settings.items():
            if one["status"] == "blocked":
                self.assertIn("read-only here", one["reason"], name)
        self.tune("revert")

    def test_without_being_named(self):
        """A virtual device isn't taken for a card."""
        done = run_tune("check", "--json", "--only", "queues")
        report = json.loads(done.stdout)
        self.assertEqual(report["nic"], "")
        self.assertIn("only virtual devices", report["settings"][0]["reason"])
