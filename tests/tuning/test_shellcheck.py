"""The scripts are shellcheck-clean, each by itself and all as the one program that they are."""

import os
import re
import shutil
import subprocess
import unittest

from case import HERE, TUNE, TUNING


def scripts():
    return sorted(os.path.join(where, name) for where, _, names in os.walk(TUNING)
                  for name in names if name.endswith(".sh"))


class Scripts(unittest.TestCase):
    def shellcheck(self, *words):
        if shutil.which("shellcheck") is None:
            self.skipTest("shellcheck isn't installed: scripts/install_packages.sh test")
        done = subprocess.run(["shellcheck", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_each(self):
        """tune.sh itself is checked as the whole, which takes twice as long as all others."""
        others = [path for path in scripts() if path != TUNE]
        self.assertGreater(len(others), 30)
        self.shellcheck(*others, os.path.join(HERE, "fake_tools.sh"))

    def test_the_whole(self):
        """With the variables that one file sets and another uses."""
        self.shellcheck("--norc", "--external-sources", "--check-sourced", TUNE)

    def test_the_whole_is_all(self):
        """tune.sh names every script, so that nothing goes unchecked or unused."""
        with open(TUNE, encoding="utf-8") as file:
            sourced = set(re.findall(r'^source "\$tuning_folder/(\S+)"', file.read(), flags=re.M))
        there = {os.path.relpath(path, TUNING) for path in scripts()} - {"tune.sh"}
        self.assertEqual(sourced, there)

    def test_the_table_has_every_subject(self):
        """README.md tells of each subject by the name that --only and --skip take."""
        with open(os.path.join(TUNING, "README.md"), encoding="utf-8") as file:
            named = set(re.findall(r"^\| `([a-z_0-9]+)` \|", file.read(), flags=re.M))
        subjects = {name[:-3] for name in os.listdir(os.path.join(TUNING, "subjects"))}
        self.assertEqual(named, subjects)
