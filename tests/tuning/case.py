"""The base of the tests of tune.sh: a copy of a host for each, and what was said about it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from tree import Tree

HERE = os.path.dirname(os.path.abspath(__file__))
TUNING = os.path.join(os.path.dirname(os.path.dirname(HERE)), "scripts", "tuning")
TUNE = os.path.join(TUNING, "tune.sh")
AS_WANTED, FAILED, USAGE, DIFFERS = 0, 1, 2, 3


def run_tune(*words, user=None):
    return subprocess.run(["bash", TUNE, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, check=False, timeout=120,
                          user=user)


class TuneTest(unittest.TestCase):
    maxDiff = 4000

    def make(self, **shape):
        root = tempfile.mkdtemp(prefix="tune-")
        self.addCleanup(shutil.rmtree, root)
        self.tree = Tree(os.path.realpath(root), **shape)
        return self.tree

    def tune(self, action, *words, status=AS_WANTED):
        """Runs tune.sh on the copy; its output. The status is checked."""
        done = run_tune(action, "--root", self.tree.root, *words)
        self.stderr = done.stderr
        self.assertEqual(done.returncode, status, done.stdout[-3000:] + done.stderr)
        if status in (AS_WANTED, DIFFERS):
            self.assertEqual(done.stderr, "")
        return done.stdout

    def settings(self, *words, status=DIFFERS):
        """{name: setting} of check."""
        report = json.loads(self.tune("check", "--json", *words, status=status))
        return {one["name"]: one for one in report["settings"]}

    def apply(self, *words, status=AS_WANTED):
        return json.loads(self.tune("apply", "--json", *words, status=status))

    def changed(self, *words):
        return self.apply(*words)["counts"]["changed"]

    def assert_same(self, before):
        """The copy is byte for byte what `before` was."""
        now = self.tree.snapshot()
        self.assertEqual(sorted(before), sorted(now))
        for path, facts in before.items():
            self.assertEqual(facts, now[path], path)
