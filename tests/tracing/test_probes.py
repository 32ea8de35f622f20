#!/usr/bin/python3
"""The static probes of the built program, the scripts that use them and the README that lists them.

    test_probes.py MILLRACE SCRIPTS_FOLDER

Reads the notes of the binary with readelf (Debian package binutils). Whether bpftrace can compile a
script is asked where it is installed and may be asked (root): its dry run attaches to nothing.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

MILLRACE, SCRIPTS = sys.argv[1:3]
PROBE_OF_SCRIPT = re.compile(r"usdt:(\S+?):millrace:(\w+)")


def notes_of(path):
    """{probe: fewest arguments at any of its places}"""
    text = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    probes = {}
    for name, arguments in re.findall(
            r"Provider: millrace\s+Name: (\w+)\s+Location: .*\s+Arguments:(.*)", text):
        count = len(arguments.split())
        probes[name] = min(count, probes.get(name, count))
    return probes


def table_of_readme():
    """{probe: its arguments as the README names them}"""
    probes = {}
    with open(os.path.join(SCRIPTS, "README.md"), encoding="utf-8") as lines:
        section = lines.read().split("## The probes")[1]
    for names, arguments in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|$", section, re.M):
        for name in re.findall(r"`(\w+)`", names):
            probes[name] = arguments.split(":")[0].split(", ")
    return probes


def parts_of(script):
    """[(path, probe, body)]"""
    with open(script, encoding="utf-8") as lines:
        text = re.sub(r"//[^\n]*", "", lines.read())
    heads = list(PROBE_OF_SCRIPT.finditer(text))
    return [(head.group(1), head.group(2), text[head.end():text.index("\n}", head.end())])
            for head in heads]


class ProbesTest(unittest.TestCase):
    def setUp(self):
        self.scripts = sorted(glob.glob(os.path.join(SCRIPTS, "*.bt")))
        self.assertTrue(self.scripts)

    def test_the_program_has_the_probes_that_the_readme_lists_with_their_arguments(self):
        listed = {name: len(arguments) for name, arguments in table_of_readme().items()}
        self.assertEqual(notes_of(MILLRACE), listed)

    def test_every_probe_of_a_script_is_there_and_has_the_arguments_it_takes(self):
        probes = notes_of(MILLRACE)
        for script in self.scripts:
            for path, name, body in parts_of(script):
                with self.subTest(script=os.path.basename(script), probe=name):
                    self.assertEqual(path, "/usr/bin/millrace")
                    self.assertIn(name, probes)
                    used = [int(number) for number in re.findall(r"\barg(\d+)\b", body)]
                    self.assertLess(max(used, default=-1), probes[name])

    def test_the_readme_lists_the_scripts(self):
        with open(os.path.join(SCRIPTS, "README.md"), encoding="utf-8") as lines:
            listed = set(re.findall(r"^\| `(\w+\.bt)` \|", lines.read(), re.M))
        self.assertEqual(listed, {os.path.basename(script) for script in self.scripts})

    def test_the_probes_survive_stripping(self):
        with tempfile.TemporaryDirectory(prefix="millrace-probes-") as folder:
            stripped = os.path.join(folder, "millrace")
            subprocess.run(["strip", "--strip-unneeded", "-R", ".comment", "-o", stripped, MILLRACE],
                           check=True)
            self.assertEqual(notes_of(stripped), notes_of(MILLRACE))

    def test_bpftrace_compiles_every_script(self):
        if not shutil.which("bpftrace") or os.geteuid() != 0:
            self.skipTest("bpftrace is not installed, or this isn't root")
        for script in self.scripts:
            with self.subTest(script=os.path.basename(script)):
                with open(script, encoding="utf-8") as lines:
                    text = lines.read().replace("/usr/bin/millrace", os.path.abspath(MILLRACE))
                done = subprocess.run(["bpftrace", "-d", "-e", text], capture_output=True, text=True,
                                      timeout=60, check=False)
                if "kernel" in done.stderr and "not" in done.stderr and done.returncode != 0:
                    self.skipTest(done.stderr.strip()[:300])
                self.assertEqual(done.returncode, 0, done.stderr[-1000:])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
