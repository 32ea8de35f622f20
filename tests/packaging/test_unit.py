"""The unit file, as text: systemd accepts it, and it fits the configuration that is shipped."""

import os
import re
import subprocess
import tempfile
import unittest

import case

# systemd-analyze's own scale, in tenths: 0 is the least exposed, 100 the most.
EXPOSURE_MAX = 15
EXAMPLES = os.path.join(case.PACKAGING, "examples")


def seconds(text):
    assert re.fullmatch(r"\d+", text), text
    return int(text)


class UnitFile(unittest.TestCase):
    def setUp(self):
        self.unit = case.unit_of_tree()

    def analyse(self, *words):
        reason = case.missing_tools("systemd-analyze")
        if reason:
            self.skipTest(reason)
        return subprocess.run(["systemd-analyze", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, universal_newlines=True, check=False,
                              timeout=60)

    def test_it_is_hardly_exposed(self):
        done = self.analyse("security", "--offline=true", "--threshold=%d" % EXPOSURE_MAX,
                            os.path.join(case.PACKAGING, "millrace.service"))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_systemd_knows_all_of_it_with_each_example(self):
        """A misspelt key is a warning only, so there must be none."""
        for name in [None, *sorted(os.listdir(EXAMPLES))]:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "millrace.service")
                with open(os.path.join(case.PACKAGING, "millrace.service"),
                          encoding="utf-8") as file:
                    # verify asks whether programs and pages are there: they aren't installed here.
                    text = re.sub(r"/usr/bin/millrace", "/bin/true", file.read())
                    text = re.sub(r"(?m)^Documentation=.*$", "", text)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                if name:
                    os.mkdir(path + ".d")
                    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as source, \
                            open(os.path.join(path + ".d", name), "w", encoding="utf-8") as file:
                        file.write(source.read())
                done = self.analyse("verify", path)
                said = "\n".join(line for line in done.stdout.splitlines() if "millrace" in line)
                self.assertEqual((done.returncode, said), (0, ""))

    def test_it_waits_longer_than_the_server_drains(self):
        """With drain.rate = 0, as shipped, everybody is told at once."""
        with open(os.path.join(case.PACKAGING, "millrace.toml"), encoding="utf-8") as file:
            text = file.read()
        drain_ms = int(re.search(r"(?m)^#?drain_ms = ([\d_]+)$", text).group(1))
        rate = re.search(r"(?m)^#?rate = ([\d_]+)$", text)
        self.assertEqual(int(rate.group(1)) if rate else 0, 0)
        self.assertGreater(seconds(self.unit.one("TimeoutStopSec")), 1.5 * drain_ms / 1000)

    def test_the_limit_of_files_is_enough_for_the_default_of_connections(self):
        with open(os.path.join(case.PACKAGING, "millrace.toml"), encoding="utf-8") as file:
            shipped = re.search(r"(?m)^#?connections_max = ([\d_]+)$", file.read()).group(1)
        self.assertGreaterEqual(int(self.unit.one("LimitNOFILE")), int(shipped))

    def test_tune_writes_no_smaller_limits(self):
        """A drop-in of tune.sh persist replaces both limits."""
        tuning = os.path.join(case.TREE, "scripts", "tuning", "subjects")
        with open(os.path.join(tuning, "files.sh"), encoding="utf-8") as file:
            least = int(re.search(r"\|\| limit=(\d+)", file.read()).group(1))
        self.assertGreaterEqual(least, int(self.unit.one("LimitNOFILE")))
        with open(os.path.join(tuning, "systemd.sh"), encoding="utf-8") as file:
            self.assertIn("LimitMEMLOCK=" + self.unit.one("LimitMEMLOCK"), file.read())
