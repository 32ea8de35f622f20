#!/usr/bin/python3
"""Tests the suite's own network namespace: what it has, and that the one around it keeps its own.
Skipped (status 77) where none can be made.
"""

import os
import subprocess
import sys
import types
import unittest

sys.dont_write_bytecode = True

import network_namespace
from harness import Failure

AROUND = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, %r)
import network_namespace, types
def put(name, value):
    with open(network_namespace.SYSTEM + name, "w") as file:
        file.write(value)
put(network_namespace.BACKLOG, "777")
put("ipv4/tcp_congestion_control", sys.argv[1])
options = types.SimpleNamespace(far=None, congestion_control=sys.argv[2] or None)
network_namespace.enter(options)
print(network_namespace.read(network_namespace.BACKLOG),
      network_namespace.read("ipv4/tcp_congestion_control"), options.network, sep="|")
""" % os.path.dirname(os.path.abspath(__file__))
ALLOWED = network_namespace.read(network_namespace.ALLOWED).split()
WATCHED = (network_namespace.BACKLOG, network_namespace.PORT_RANGE,
           network_namespace.CONGESTION_CONTROL)


class NetworkNamespace(unittest.TestCase):
    def enter(self, around, wanted):
        """What a namespace says that is made, with `wanted`, where `around` is set."""
        return subprocess.run(["unshare", "--net", sys.executable, "-c", AROUND, around, wanted],
                              capture_output=True, text=True, check=False)

    def test_it_has_what_was_set_around_it_but_a_congestion_control_of_its_own(self):
        before = [network_namespace.read(name) for name in WATCHED]
        done = self.enter(ALLOWED[1], ALLOWED[0])
        self.assertEqual(done.stdout.strip(), "777|%s|a namespace of its own, "
                         "ports 1024 to 65535, somaxconn 777" % ALLOWED[0], done.stderr)
        self.assertEqual([network_namespace.read(name) for name in WATCHED], before)

    def test_without_a_wish_it_is_cubic_where_the_host_allows_it(self):
        done = self.enter("reno", "")
        self.assertEqual(done.stdout.split("|")[1], "cubic" if "cubic" in ALLOWED else "reno",
                         done.stderr)

    def test_an_unknown_congestion_control_is_refused_by_name(self):
        options = types.SimpleNamespace(far=None, congestion_control="nope")
        with self.assertRaisesRegex(Failure, "--congestion-control nope: this kernel has .*reno"):
            network_namespace.enter(options)

    def test_for_another_machine_it_stays_where_it_is(self):
        options = types.SimpleNamespace(far=object(), congestion_control="cubic")
        before = os.readlink("/proc/self/ns/net")
        network_namespace.enter(options)
        self.assertEqual(os.readlink("/proc/self/ns/net"), before)
        self.assertIn("the host's", options.network)


if __name__ == "__main__":
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        print("skipped: a network namespace needs root")
        sys.exit(77)
    unittest.main()
